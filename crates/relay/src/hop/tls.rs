//! TLS towards a next hop.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;

use crate::config::{ConfigError, NextHop, TlsPolicy};

/// How to shake hands with one next hop.
#[derive(Clone)]
pub(super) struct Handshake {
    pub(super) connector: TlsConnector,
    pub(super) name: ServerName<'static>,
}

/// The TLS settings for `next_hop`, unless it is to be without. Blocking: reads certificates.
pub(super) fn handshake(next_hop: &NextHop) -> Result<Option<Handshake>, ConfigError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::new("next_hop.tls", error, "TLS 1.2 or 1.3"))?;
    let config = match next_hop.tls {
        TlsPolicy::None => return Ok(None),
        TlsPolicy::Opportunistic => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth(),
        TlsPolicy::Required | TlsPolicy::Implicit => {
            builder.with_root_certificates(roots(next_hop)?).with_no_client_auth()
        }
    };
    let name = ServerName::try_from(next_hop.host.clone()).map_err(|_| {
        let expected = "a host name or an address, as the certificate names it";
        ConfigError::new("next_hop.address", format_args!("{:?}", next_hop.host), expected)
    })?;
    Ok(Some(Handshake { connector: TlsConnector::from(Arc::new(config)), name }))
}

/// The authorities that may vouch for the next hop.
fn roots(next_hop: &NextHop) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    match &next_hop.ca_file {
        Some(path) => {
            let failed = |error: &dyn std::fmt::Display| {
                let expected = format!("a PEM file of certificates: {error}");
                ConfigError::new("next_hop.ca_file", path.display(), expected)
            };
            for certificate in read_certificates(path).map_err(|error| failed(&error))? {
                roots.add(certificate).map_err(|error| failed(&error))?;
            }
            if roots.is_empty() {
                return Err(failed(&"it holds none"));
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            // A system may carry certificates that no one can parse; the others do.
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let expected = "the system's certificate authorities, of which there are none; \
                                set ca_file";
                return Err(ConfigError::new("next_hop.ca_file", "nothing", expected));
            }
        }
    }
    Ok(roots)
}

fn read_certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(io::Error::other)?;
    certificates.collect::<Result<_, _>>().map_err(io::Error::other)
}

/// Takes any certificate whose key the other side has: opportunistic TLS (RFC 7435) protects
/// against those who listen, and knows that it does not protect against impostors.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
