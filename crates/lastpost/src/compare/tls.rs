//! Whose certificates are believed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;

/// Whom to believe.
#[derive(Clone, Debug)]
pub(crate) enum Trust {
    /// The system's authorities.
    System,
    /// Those in a PEM file.
    File(PathBuf),
    /// Anybody.
    Anybody,
}

/// A client's side of TLS. Blocking: reads certificates.
///
/// # Errors
/// If there is no authority, or the file cannot be read.
pub(crate) fn connector(trust: &Trust) -> Result<TlsConnector, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = match trust {
        Trust::Anybody => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth(),
        trusted => builder.with_root_certificates(roots(trusted)?).with_no_client_auth(),
    };
    // RFC 7301 protocol id of POP3.
    config.alpn_protocols = vec![b"pop3".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(trust: &Trust) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if let Trust::File(path) = trust {
        let failed = |error: io::Error| format!("{}: {error}", path.display());
        for certificate in read(path).map_err(failed)? {
            roots.add(certificate).map_err(|error| failed(io::Error::other(error)))?;
        }
        if roots.is_empty() {
            return Err(failed(io::Error::other("it holds no certificate")));
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        // A system may carry certificates that no one can parse; the others do.
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(
                "the system has no certificate authorities: name some with --ca-file".into()
            );
        }
    }
    Ok(roots)
}

fn read(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(io::Error::other)?;
    certificates.collect::<Result<_, _>>().map_err(io::Error::other)
}

/// Takes any certificate whose key the other side has: for an operator who asked for it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
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
