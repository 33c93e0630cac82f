//! TLS: certificates that can be replaced while sessions run.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ParsedCertificate, ResolvesServerCert, ServerConfig,
};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::warn;

use crate::{NamedCertificate, NetError, TlsConfig, TlsError};

/// What rustls may hold for a client that does not read: two records.
const SEND_BUFFER_OCTETS: usize = 32 * 1024;
/// No certificate chain or key comes near it.
const PEM_OCTETS_MAX: u64 = 1 << 20;

/// The server's side of TLS: version 1.2 and 1.3, with session tickets.
///
/// Clones, and what [`with_alpn`](Self::with_alpn) makes, share the certificates: one
/// [`reload`](Self::reload) renews them everywhere. Sessions under way keep theirs.
#[derive(Clone)]
pub struct Tls {
    server: Arc<ServerConfig>,
    certificates: Arc<ArcSwap<Certificates>>,
}

impl Tls {
    /// Loads the certificates. Reads files: not to be called where blocking is forbidden.
    ///
    /// # Errors
    /// Which file is at fault and why.
    pub fn load(config: &TlsConfig) -> Result<Self, TlsError> {
        let certificates = Arc::new(ArcSwap::from_pointee(Certificates::load(config)?));
        Ok(Self { server: server_config(&certificates, &[])?, certificates })
    }

    /// The same certificates for a service with these ALPN protocols (RFC 7301), and with
    /// session tickets of its own, so that no session of one service is resumed at another.
    /// A client that offers protocols must offer one of these; if none are given here, the
    /// client's offer is ignored.
    ///
    /// # Errors
    /// If the system has no randomness for the tickets.
    pub fn with_alpn(&self, protocols: &[&[u8]]) -> Result<Self, TlsError> {
        let server = server_config(&self.certificates, protocols)?;
        Ok(Self { server, certificates: Arc::clone(&self.certificates) })
    }

    /// Loads the same files again, for connections to come. Reads files.
    ///
    /// # Errors
    /// As [`load`](Self::load); then the old certificates stay in use, all of them.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = self.certificates.load().config.clone();
        self.reload_with(&config)
    }

    /// Loads the files that `config` names, in place of those named before. Reads files.
    ///
    /// # Errors
    /// As [`reload`](Self::reload).
    pub fn reload_with(&self, config: &TlsConfig) -> Result<(), TlsError> {
        self.certificates.store(Arc::new(Certificates::load(config)?));
        Ok(())
    }

    /// Agrees on TLS with the client at the other end of `stream`.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        timeout: Duration,
    ) -> Result<TlsStream<TcpStream>, NetError> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.server));
        let handshake = acceptor.accept_with(stream, |connection| {
            connection.set_buffer_limit(Some(SEND_BUFFER_OCTETS));
        });
        match tokio::time::timeout(timeout, handshake).await {
            Ok(agreed) => agreed.map_err(NetError::Handshake),
            Err(_) => Err(NetError::TimedOut),
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("config", &self.certificates.load().config).finish()
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

fn server_config(
    certificates: &Arc<ArcSwap<Certificates>>,
    alpn: &[&[u8]],
) -> Result<Arc<ServerConfig>, TlsError> {
    let setup = |error: rustls::Error| TlsError::Setup(error.to_string());
    // The provider is named, never the process's default: a dependency may bring another one.
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(setup)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Resolver(Arc::clone(certificates))));
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(setup)?;
    // A mail client opens one connection at a time: a second ticket would never be used.
    config.send_tls13_tickets = 1;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// One consistent set of certificates.
#[derive(Debug)]
struct Certificates {
    config: TlsConfig,
    default: Arc<CertifiedKey>,
    /// By lower-case host name, or `*.` and the rest of it.
    named: HashMap<String, Arc<CertifiedKey>>,
}

impl Certificates {
    fn load(config: &TlsConfig) -> Result<Self, TlsError> {
        let default = load_pair(&config.certificate, &config.key)?;
        let mut named = HashMap::new();
        for entry in &config.named {
            let pair = load_pair(&entry.certificate, &entry.key)?;
            for name in &entry.names {
                check_name(name, &pair, entry)?;
                named.insert(name.to_ascii_lowercase(), Arc::clone(&pair));
            }
        }
        Ok(Self { config: config.clone(), default, named })
    }

    fn find(&self, server_name: Option<&str>) -> &Arc<CertifiedKey> {
        let Some(name) = server_name.filter(|_| !self.named.is_empty()) else {
            return &self.default;
        };
        let name = name.to_ascii_lowercase();
        let wildcard = || name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        self.named.get(&name).or_else(|| self.named.get(&wildcard()?)).unwrap_or(&self.default)
    }
}

#[derive(Debug)]
struct Resolver(Arc<ArcSwap<Certificates>>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.0.load().find(hello.server_name())))
    }
}

pub(crate) fn load_pair(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let no_certificate =
        |reason: String| TlsError::NoCertificate { path: certificate.to_owned(), reason };
    let chain = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| no_certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(no_certificate("nothing found".to_owned()));
    }
    warn_if_public(key);
    // The reason is not shown: it could quote the key.
    let private = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|_| TlsError::NoKey { path: key.to_owned() })?;
    match CertifiedKey::from_der(chain, private, &provider()) {
        Ok(pair) => Ok(Arc::new(pair)),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(TlsError::KeyMismatch { certificate: certificate.to_owned(), key: key.to_owned() })
        }
        Err(error) => Err(TlsError::Unusable {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            reason: error.to_string(),
        }),
    }
}

/// The content of a PEM file, which has a bound.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { path: path.to_owned(), source };
    let octets = std::fs::metadata(path).map_err(failed)?.len();
    if octets > PEM_OCTETS_MAX {
        return Err(failed(std::io::Error::other("the file is too large to be a PEM file")));
    }
    std::fs::read(path).map_err(failed)
}

fn warn_if_public(key: &Path) {
    use std::os::unix::fs::PermissionsExt;
    // If it cannot be looked at, it cannot be read either, and that is said elsewhere.
    let Ok(metadata) = std::fs::metadata(key) else { return };
    if metadata.permissions().mode() & 0o007 != 0 {
        warn!(file = %key.display(), "the private key may be read by everybody: chmod o= it");
    }
}

fn check_name(name: &str, pair: &CertifiedKey, entry: &NamedCertificate) -> Result<(), TlsError> {
    let refused = || TlsError::NameNotCovered {
        name: name.to_owned(),
        certificate: entry.certificate.clone(),
    };
    // A wildcard is covered if some name under it is.
    let example = match name.strip_prefix("*.") {
        Some(rest) => format!("x.{rest}"),
        None => name.to_owned(),
    };
    let host = ServerName::try_from(example).map_err(|_| refused())?;
    let certificate = pair.cert.first().ok_or_else(refused)?;
    let parsed = ParsedCertificate::try_from(certificate).map_err(|_| refused())?;
    verify_server_name(&parsed, &host).map_err(|_| refused())
}
