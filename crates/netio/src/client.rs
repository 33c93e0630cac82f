//! TLS towards a server: whose certificates are believed.

mod dane;
mod verify;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

pub use dane::{Dane, Tlsa};
use verify::{Rule, Verifier};

use crate::{TlsError, tls};

/// Sessions that are remembered, to be resumed: some for each name.
const SESSIONS_MAX: usize = 1024;
/// The same of a client that is for one server.
const SESSIONS_OF_ONE: usize = 16;

/// Whom to believe who a server is.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The system's authorities.
    System,
    /// Those in a PEM file, and no others.
    File(PathBuf),
    /// Anybody. That protects against those who listen, and not against impostors.
    Anybody,
    /// Whom the DNS vouches for, and nobody if no record is usable.
    Dane(Dane),
    /// Whoever has one of these public keys, whatever the certificate says: SHA-256 digests of
    /// SubjectPublicKeyInfo, as `openssl pkey -pubin -outform der | sha256sum` makes them.
    Pinned(Vec<[u8; 32]>),
}

/// The name that a server's certificate must have: of a host, or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerName(ServerName<'static>);

impl PeerName {
    /// Reads a name; `None` if no certificate can have it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        ServerName::try_from(name.to_owned()).ok().map(Self)
    }
}

/// The client's side of TLS: version 1.2 and 1.3. Clones share it.
#[derive(Clone)]
pub struct TlsClient(TlsConnector);

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsClient")
    }
}

impl TlsClient {
    /// A client that offers these ALPN protocols (RFC 7301). Reads certificates where `trust`
    /// is in the system or in a file: then not to be called where blocking is forbidden.
    ///
    /// # Errors
    /// If a file cannot be read, or there is no authority to believe.
    pub fn new(trust: &Trust, protocols: &[&[u8]]) -> Result<Self, TlsError> {
        Self::with_identity(trust, protocols, None)
    }

    /// The same, with a certificate and its key, in PEM files, for servers that ask for one.
    /// Blocking: reads them.
    ///
    /// # Errors
    /// As [`new`](Self::new), or which of the two files cannot be used.
    pub fn with_identity(
        trust: &Trust,
        protocols: &[&[u8]],
        identity: Option<(&Path, &Path)>,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let setup = |error: String| TlsError::Setup(error);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| setup(error.to_string()))?
            .dangerous();
        let ruled = |rule| Arc::new(Verifier { rule, provider: Arc::clone(&provider) });
        let builder = match trust {
            Trust::Anybody => builder.with_custom_certificate_verifier(ruled(Rule::Any)),
            Trust::Dane(dane) => builder.with_custom_certificate_verifier(ruled(Rule::dane(dane))),
            Trust::Pinned(pins) => {
                builder.with_custom_certificate_verifier(ruled(Rule::Pinned(pins.clone())))
            }
            Trust::System | Trust::File(_) => {
                let roots =
                    if let Trust::File(path) = trust { tls::authorities(path)? } else { system()? };
                let provider = Arc::clone(&provider);
                let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider);
                builder.with_custom_certificate_verifier(
                    verifier.build().map_err(|error| setup(error.to_string()))?,
                )
            }
        };
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let pair = tls::load_pair(certificate, key)?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair)))
            }
        };
        config.resumption = Resumption::in_memory_sessions(match trust {
            Trust::Dane(_) | Trust::Pinned(_) => SESSIONS_OF_ONE,
            Trust::System | Trust::File(_) | Trust::Anybody => SESSIONS_MAX,
        });
        Ok(Self::of(config, protocols))
    }

    /// The same trust for a service with these ALPN protocols, without reading anything again.
    /// No session of one service is resumed at the other.
    #[must_use]
    pub fn with_alpn(&self, protocols: &[&[u8]]) -> Self {
        let mut config = ClientConfig::clone(self.0.config());
        config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        Self::of(config, protocols)
    }

    fn of(mut config: ClientConfig, protocols: &[&[u8]]) -> Self {
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Self(TlsConnector::from(Arc::new(config)))
    }

    /// Shakes hands over `stream` with a server that must prove this name. The caller limits
    /// how long that may take.
    ///
    /// # Errors
    /// If they do not agree, or the certificate is not believed.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        name: &PeerName,
        stream: S,
    ) -> io::Result<tokio_rustls::client::TlsStream<S>> {
        self.0.connect(name.0.clone(), stream).await
    }
}

fn system() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // A system may carry certificates that no one can parse; the others do.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(TlsError::Setup("the system has no certificate authorities".to_owned()));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests;
