//! TLS: certificates that can be replaced while sessions run.

mod binding;
mod certificates;
mod hello;
mod service;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::{StartHandshake, TlsStream};

use crate::{NetError, TlsConfig, TlsError};

pub use binding::TlsBindings;
pub(crate) use binding::client_certificate;
use certificates::Certificates;
pub(crate) use certificates::{authorities, load_pair};
use hello::Overheard;
pub(crate) use service::Face;
use service::Service;

/// What rustls may hold for a client that does not read: two records.
const SEND_BUFFER_OCTETS: usize = 32 * 1024;

/// The server's side of TLS: version 1.2 and 1.3, with session tickets.
///
/// Clones, and what [`with_alpn`](Self::with_alpn) makes, share the certificates: one
/// [`reload`](Self::reload) renews them everywhere. Sessions under way keep theirs. A session is
/// resumed only under the certificate that it began with: once that is replaced, its tickets are
/// void, so that both sides always mean the same one by `tls-server-end-point`.
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
    service: Arc<Service>,
}

/// What all services have in common.
struct Shared {
    loaded: Mutex<Loaded>,
}

struct Loaded {
    certificates: Arc<Certificates>,
    services: Vec<Weak<Service>>,
}

impl Tls {
    /// Loads the certificates. Reads files: not to be called where blocking is forbidden.
    ///
    /// # Errors
    /// Which file is at fault and why.
    pub fn load(config: &TlsConfig) -> Result<Self, TlsError> {
        let certificates = Arc::new(Certificates::load(config)?);
        let service = Arc::new(Service::new(&[], &certificates)?);
        let services = vec![Arc::downgrade(&service)];
        let loaded = Mutex::new(Loaded { certificates, services });
        Ok(Self { shared: Arc::new(Shared { loaded }), service })
    }

    /// The same certificates for a service with these ALPN protocols (RFC 7301), and with
    /// session tickets of its own, so that no session of one service is resumed at another.
    /// A client that offers protocols must offer one of these; if none are given here, the
    /// client's offer is ignored.
    ///
    /// # Errors
    /// If the system has no randomness for the tickets.
    pub fn with_alpn(&self, protocols: &[&[u8]]) -> Result<Self, TlsError> {
        let mut loaded = self.shared.loaded();
        let service = Arc::new(Service::new(protocols, &loaded.certificates)?);
        loaded.services.retain(|service| service.strong_count() > 0);
        loaded.services.push(Arc::downgrade(&service));
        Ok(Self { shared: Arc::clone(&self.shared), service })
    }

    /// Loads the same files again, for connections to come. Reads files.
    ///
    /// # Errors
    /// As [`load`](Self::load); then the old certificates stay in use, all of them.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = self.shared.loaded().certificates.config.clone();
        self.reload_with(&config)
    }

    /// Loads the files that `config` names, in place of those named before. Reads files.
    ///
    /// # Errors
    /// As [`reload`](Self::reload).
    pub fn reload_with(&self, config: &TlsConfig) -> Result<(), TlsError> {
        let certificates = Arc::new(Certificates::load(config)?);
        let mut loaded = self.shared.loaded();
        let services: Vec<_> = loaded.services.iter().filter_map(Weak::upgrade).collect();
        // All of them or none.
        let renewed = services
            .iter()
            .map(|service| service.faces_for(&certificates))
            .collect::<Result<Vec<_>, _>>()?;
        for (service, faces) in services.iter().zip(renewed) {
            service.show(faces);
        }
        loaded.certificates = certificates;
        Ok(())
    }

    /// Agrees on TLS with the client at the other end of `stream`.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        timeout: Duration,
    ) -> Result<Agreed, NetError> {
        match tokio::time::timeout(timeout, self.shake_hands(stream)).await {
            Ok(agreed) => agreed.map_err(NetError::of_handshake),
            Err(_) => Err(NetError::TimedOut),
        }
    }

    async fn shake_hands(&self, stream: TcpStream) -> io::Result<Agreed> {
        let acceptor = LazyConfigAcceptor::new(Acceptor::default(), Overheard::new(stream));
        let StartHandshake { accepted, io: overheard, .. } = acceptor.await?;
        let extended = overheard.offers_extended_master_secret();
        let face = self.service.face(accepted.client_hello().server_name());
        let start = StartHandshake::from_parts(accepted, overheard.into_inner());
        let handshake = start.into_stream_with(Arc::clone(&face.server), |connection| {
            connection.set_buffer_limit(Some(SEND_BUFFER_OCTETS));
        });
        let stream = handshake.await?;
        let is_13 = stream.get_ref().1.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
        Ok(Agreed { stream, face, unique_secret: is_13 || extended })
    }
}

/// What a handshake has led to.
#[derive(Debug)]
pub(crate) struct Agreed {
    pub(crate) stream: TlsStream<TcpStream>,
    /// What the client was shown.
    pub(crate) face: Arc<Face>,
    /// Whether the master secret belongs to this session alone: TLS 1.3, or the extended master
    /// secret (RFC 7627). rustls agrees to that whenever the client offers it.
    pub(crate) unique_secret: bool,
}

impl Agreed {
    /// Whether there is a channel binding.
    pub(crate) fn can_be_bound(&self) -> bool {
        self.unique_secret || self.face.pair.end_point.is_some()
    }
}

impl Shared {
    fn loaded(&self) -> std::sync::MutexGuard<'_, Loaded> {
        // Nothing is left half done where a panic could come.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("config", &self.shared.loaded().certificates.config).finish()
    }
}

/// What was agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite as IANA registered it, such as `TLS_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
    /// The host name the client asked for, in lower case.
    pub sni: Option<Box<str>>,
}

impl TlsInfo {
    pub(crate) fn of(stream: &TlsStream<TcpStream>) -> Self {
        let (_, connection) = stream.get_ref();
        Self {
            version: match connection.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "unknown",
            },
            cipher: connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .map_or("unknown", registered),
            sni: connection.server_name().map(|name| name.to_ascii_lowercase().into()),
        }
    }
}

/// The suites of TLS 1.3 have a prefix of rustls' own, which no other program knows.
fn registered(cipher: &'static str) -> &'static str {
    match cipher {
        "TLS13_AES_128_GCM_SHA256" => "TLS_AES_128_GCM_SHA256",
        "TLS13_AES_256_GCM_SHA384" => "TLS_AES_256_GCM_SHA384",
        "TLS13_CHACHA20_POLY1305_SHA256" => "TLS_CHACHA20_POLY1305_SHA256",
        other => other,
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
