//! Verifiers of servers' certificates beside that of the TLS library.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};

use super::PeerName;
use super::dane::{Dane, END_ENTITY, TRUST_ANCHOR, Tlsa};

/// Certificates of a chain that are looked at for an authority.
const CHAIN_MAX: usize = 16;

/// What a certificate must satisfy; that the other side has its key is checked in any case.
#[derive(Debug)]
pub(super) enum Rule {
    /// Nothing.
    Any,
    /// The SHA-256 of its public key is one of these.
    Pinned(Vec<[u8; 32]>),
    /// The DNS vouches for it.
    Dane { records: Vec<Tlsa>, names: Vec<PeerName> },
}

impl Rule {
    pub(super) fn dane(dane: &Dane) -> Self {
        Self::Dane { records: dane.effective(), names: dane.names.clone() }
    }
}

/// Applies a rule.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) rule: Rule,
    pub(super) provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.rule {
            Rule::Any => {}
            Rule::Pinned(pins) => check_pins(pins, end_entity)?,
            Rule::Dane { records, names } => {
                self.check_dane(records, names, end_entity, intermediates, now)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl Verifier {
    fn check_dane(
        &self,
        records: &[Tlsa],
        names: &[PeerName],
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let key = certificate.subject_public_key_info();
        let of = |usage| records.iter().filter(move |record| record.usage == usage);
        if of(END_ENTITY).any(|record| record.matches(end_entity, &key)) {
            return Ok(());
        }
        let mut anchors = RootCertStore::empty();
        for candidate in intermediates.iter().take(CHAIN_MAX) {
            // What cannot be read may still be meant as a whole.
            let parsed = ParsedCertificate::try_from(candidate);
            let key = parsed.map(|parsed| parsed.subject_public_key_info());
            let key = key.as_ref().map_or(&[][..], |key| key);
            if of(TRUST_ANCHOR).any(|record| record.matches(candidate, key)) {
                anchors.add(candidate.clone().into_owned())?;
            }
        }
        // An authority that stands whole in its record need not be sent (RFC 7671 section 5.2.2).
        for record in of(TRUST_ANCHOR).filter(|record| (record.selector, record.matching) == (0, 0))
        {
            anchors.add(CertificateDer::from(record.data.to_vec()))?;
        }
        if anchors.is_empty() {
            return Err(Error::General("no TLSA record matches the certificate".to_owned()));
        }
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &anchors,
            intermediates,
            now,
            algorithms,
        )?;
        let mut refused = CertificateError::NotValidForName.into();
        for name in names {
            match verify_server_name(&certificate, &name.0) {
                Ok(()) => return Ok(()),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}

fn check_pins(pins: &[[u8; 32]], certificate: &CertificateDer<'_>) -> Result<(), Error> {
    let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
    let found = Sha256::digest(&*key);
    match pins.iter().any(|pin| pin == found.as_slice()) {
        true => Ok(()),
        false => {
            let hex: String = found.iter().map(|octet| format!("{octet:02x}")).collect();
            Err(Error::General(format!("the key's fingerprint is {hex}, which is not expected")))
        }
    }
}

#[cfg(test)]
mod tests;
