//! What binds an authentication to a TLS session: channel bindings, and the client's certificate.

use std::fmt;
use std::sync::Arc;

use rustls::HandshakeKind;
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};

use super::Agreed;

/// The exporter's label (RFC 9266 section 2).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// What TLS says of a session, for mechanisms that bind themselves to it. All of it is computed
/// when it is asked for.
#[derive(Clone, Default)]
pub struct TlsBindings {
    /// `tls-exporter` (RFC 9266): under TLS 1.3, or 1.2 with the extended master secret.
    pub exporter: Option<[u8; 32]>,
    /// `tls-server-end-point` (RFC 5929 section 4): a hash of the certificate that the client
    /// was shown. `None` where that is not defined, such as for Ed25519.
    pub end_point: Option<Box<[u8]>>,
    /// The client's certificate in DER, verified against `client_ca`.
    pub certificate: Option<Arc<[u8]>>,
}

impl fmt::Debug for TlsBindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsBindings")
            .field("exporter", &self.exporter.map(|_| ".."))
            .field("end_point", &self.end_point.as_ref().map(|_| ".."))
            .field("certificate", &self.certificate.as_ref().map(|_| ".."))
            .finish()
    }
}

impl TlsBindings {
    pub(crate) fn of(agreed: &Agreed) -> Self {
        let (_, connection) = agreed.stream.get_ref();
        let exporter = || {
            // RFC 9266 section 2 has a context of length zero, which under TLS 1.2 is not the
            // same as none (RFC 5705 section 4).
            connection.export_keying_material([0; 32], EXPORTER_LABEL, Some(b"")).ok()
        };
        Self {
            exporter: agreed.unique_secret.then(exporter).flatten(),
            end_point: agreed.face.pair.end_point.clone(),
            certificate: client_certificate(agreed).map(|certificate| certificate.as_ref().into()),
        }
    }
}

/// The client's certificate, verified. One that came with a resumed session was verified when
/// the session began; since then it may have expired, or its authority have been dismissed.
pub(crate) fn client_certificate(agreed: &Agreed) -> Option<&CertificateDer<'static>> {
    let (_, connection) = agreed.stream.get_ref();
    let (certificate, intermediates) = connection.peer_certificates()?.split_first()?;
    let clients = agreed.face.clients.as_ref()?;
    if connection.handshake_kind() == Some(HandshakeKind::Resumed) {
        clients.verify_client_cert(certificate, intermediates, UnixTime::now()).ok()?;
    }
    Some(certificate)
}

/// `tls-server-end-point` of a certificate: its hash by the function that it is signed with,
/// SHA-256 instead of MD5 and SHA-1 (RFC 5929 section 4.1). `None` if it is signed without one,
/// or with one that this program does not have.
pub(super) fn end_point(certificate: &[u8]) -> Option<Box<[u8]>> {
    Some(match signature_hash(certificate)? {
        Hash::Sha224 => Sha224::digest(certificate).as_slice().into(),
        Hash::Sha256 => Sha256::digest(certificate).as_slice().into(),
        Hash::Sha384 => Sha384::digest(certificate).as_slice().into(),
        Hash::Sha512 => Sha512::digest(certificate).as_slice().into(),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha224,
    /// Also in place of MD5 and SHA-1.
    Sha256,
    Sha384,
    Sha512,
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// `[0]`, explicit: the hash function among the parameters of RSASSA-PSS.
const CONTEXT_0: u8 = 0xa0;

/// RFC 5280 section 4.1: `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, .. }`.
fn signature_hash(certificate: &[u8]) -> Option<Hash> {
    let (inner, _) = element(certificate, SEQUENCE)?;
    let (_to_be_signed, rest) = element(inner, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (identifier, parameters) = element(algorithm, OBJECT_IDENTIFIER)?;
    match identifier {
        RSASSA_PSS => pss_hash(parameters),
        identifier => {
            let mut known = ALGORITHMS.iter();
            known.find(|(known, _)| *known == identifier).map(|&(_, hash)| hash)
        }
    }
}

/// RFC 4055 section 3.1: `SEQUENCE { hashAlgorithm [0] AlgorithmIdentifier DEFAULT sha1, .. }`.
fn pss_hash(parameters: &[u8]) -> Option<Hash> {
    let (parameters, _) = element(parameters, SEQUENCE)?;
    let Some((named, _)) = element(parameters, CONTEXT_0) else { return Some(Hash::Sha256) };
    let (algorithm, _) = element(named, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    HASHES.iter().find(|(known, _)| *known == identifier).map(|&(_, hash)| hash)
}

/// The content of a DER element with this tag at the beginning of `octets`, and what is behind
/// it (X.690 section 8.1).
fn element(octets: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = octets.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let add = |sum: usize, digit: &u8| sum << 8 | usize::from(*digit);
            (digits.iter().fold(0, add), rest)
        }
        _ => return None,
    };
    if found == tag { rest.split_at_checked(length) } else { None }
}

/// 1.2.840.113549.1.1.10.
const RSASSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";

/// Signature algorithms and the hash that stands for each.
const ALGORITHMS: &[(&[u8], Hash)] = &[
    // RSA with MD5, SHA-1, SHA-256, SHA-384, SHA-512, SHA-224: 1.2.840.113549.1.1 (RFC 8017).
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", Hash::Sha256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", Hash::Sha256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", Hash::Sha256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", Hash::Sha384),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", Hash::Sha512),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e", Hash::Sha224),
    // ECDSA with SHA-1, SHA-224, SHA-256, SHA-384, SHA-512: 1.2.840.10045.4 (RFC 5758).
    (b"\x2a\x86\x48\xce\x3d\x04\x01", Hash::Sha256),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x01", Hash::Sha224),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", Hash::Sha256),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", Hash::Sha384),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", Hash::Sha512),
];

/// Hash functions by themselves (RFC 4055 section 2.1).
const HASHES: &[(&[u8], Hash)] = &[
    // SHA-1: 1.3.14.3.2.26.
    (b"\x2b\x0e\x03\x02\x1a", Hash::Sha256),
    // SHA-256, SHA-384, SHA-512, SHA-224: 2.16.840.1.101.3.4.2.
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x01", Hash::Sha256),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x02", Hash::Sha384),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x03", Hash::Sha512),
    (b"\x60\x86\x48\x01\x65\x03\x04\x02\x04", Hash::Sha224),
];

#[cfg(test)]
mod tests;
