//! Certificates, keys and authorities, as they lie in files.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tracing::warn;

use super::{binding, provider};
use crate::{NamedCertificate, TlsConfig, TlsError};

/// No certificate chain or key comes near it.
const PEM_OCTETS_MAX: u64 = 1 << 20;

/// A certificate with its key, and what is computed from it once.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) key: Arc<CertifiedKey>,
    /// `tls-server-end-point` of it, if that is defined.
    pub(super) end_point: Option<Box<[u8]>>,
}

/// One consistent set of certificates.
#[derive(Debug)]
pub(super) struct Certificates {
    pub(super) config: TlsConfig,
    pub(super) default: Arc<Pair>,
    /// By lower-case host name, or `*.` and the rest of it.
    pub(super) named: HashMap<String, Arc<Pair>>,
    /// Who verifies clients' certificates; without one they are not asked for.
    pub(super) clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl Certificates {
    pub(super) fn load(config: &TlsConfig) -> Result<Self, TlsError> {
        let default = Arc::new(Pair::load(&config.certificate, &config.key)?);
        let mut named = HashMap::new();
        for entry in &config.named {
            let pair = Arc::new(Pair::load(&entry.certificate, &entry.key)?);
            for name in &entry.names {
                check_name(name, &pair.key, entry)?;
                named.insert(name.to_ascii_lowercase(), Arc::clone(&pair));
            }
        }
        let clients = config.client_ca.as_deref().map(client_verifier).transpose()?;
        Ok(Self { config: config.clone(), default, named, clients })
    }
}

impl Pair {
    fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let key = load_pair(certificate, key)?;
        let end_point = key.cert.first().and_then(|shown| binding::end_point(shown));
        Ok(Self { key, end_point })
    }

    /// Whether clients cannot tell the two apart.
    pub(super) fn shows_the_same(&self, other: &Self) -> bool {
        self.key.cert.first() == other.key.cert.first()
    }
}

/// Verifies the certificates of clients that have one; those that have none are welcome.
fn client_verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let roots = Arc::new(authorities(path)?);
    WebPkiClientVerifier::builder_with_provider(roots, provider())
        .allow_unauthenticated()
        .build()
        .map_err(|error| TlsError::Setup(format!("client_ca {}: {error}", path.display())))
}

/// The authorities in a PEM file: at least one.
pub(crate) fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let text = read(path)?;
    let failed = |reason: String| TlsError::NoCertificate { path: path.to_owned(), reason };
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() { Err(failed("it has none".to_owned())) } else { Ok(roots) }
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
fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
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
