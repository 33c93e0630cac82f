//! Which hash a certificate is known by: real ones, ones made for each algorithm, and rubbish.

use proptest::collection::vec;
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519};

use super::*;

fn real(algorithm: &'static SignatureAlgorithm) -> Vec<u8> {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let params = CertificateParams::new(vec!["mail.example.jp".to_owned()]).unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

/// A DER element.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    let length = if length < 0x80 { vec![length] } else { vec![0x81, length] };
    [&[tag][..], &length, content].concat()
}

/// Object identifiers as they are written, such as `1.3.14.3.2.26`.
fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u32> = dotted.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut content = vec![u8::try_from(arcs[0] * 40 + arcs[1]).unwrap()];
    for arc in &arcs[2..] {
        let digits = (0..5).rev().map(|at| (arc >> (7 * at) & 0x7f) as u8);
        let mut digits: Vec<u8> = digits.skip_while(|digit| *digit == 0).collect();
        if digits.is_empty() {
            digits.push(0);
        }
        let last = digits.len() - 1;
        digits[..last].iter_mut().for_each(|digit| *digit |= 0x80);
        content.extend(digits);
    }
    der(OBJECT_IDENTIFIER, &content)
}

/// A certificate of which nothing is there but its algorithm.
fn signed_by(algorithm: &str, parameters: &[u8]) -> Vec<u8> {
    let to_be_signed = der(SEQUENCE, &[0x05; 150]);
    let algorithm = der(SEQUENCE, &[&oid(algorithm)[..], parameters].concat());
    der(SEQUENCE, &[&to_be_signed[..], &algorithm, &der(0x03, b"\0sig")].concat())
}

fn pss(hash: Option<&str>) -> Vec<u8> {
    let named = hash.map(|hash| der(CONTEXT_0, &der(SEQUENCE, &oid(hash))));
    // What follows is the mask, and of no concern.
    let mask = der(0xa1, &der(SEQUENCE, &oid("1.2.840.113549.1.1.8")));
    signed_by("1.2.840.113549.1.1.10", &der(SEQUENCE, &[named.unwrap_or_default(), mask].concat()))
}

#[test]
fn real_certificates_are_hashed_as_they_are_signed() {
    let certificate = real(&PKCS_ECDSA_P256_SHA256);
    assert_eq!(end_point(&certificate).as_deref(), Some(&*Sha256::digest(&certificate)));
    let certificate = real(&PKCS_ECDSA_P384_SHA384);
    assert_eq!(end_point(&certificate).as_deref(), Some(&*Sha384::digest(&certificate)));
    let certificate = real(&PKCS_ECDSA_P521_SHA512);
    assert_eq!(end_point(&certificate).as_deref(), Some(&*Sha512::digest(&certificate)));
    // Signed without a hash of its own: RFC 5929 section 4.1 does not define it.
    assert_eq!(end_point(&real(&PKCS_ED25519)), None);
}

#[test]
fn every_algorithm_has_its_hash() {
    for (algorithm, hash) in [
        // RSA; MD5 and SHA-1 first.
        ("1.2.840.113549.1.1.4", Some(Hash::Sha256)),
        ("1.2.840.113549.1.1.5", Some(Hash::Sha256)),
        ("1.2.840.113549.1.1.11", Some(Hash::Sha256)),
        ("1.2.840.113549.1.1.12", Some(Hash::Sha384)),
        ("1.2.840.113549.1.1.13", Some(Hash::Sha512)),
        ("1.2.840.113549.1.1.14", Some(Hash::Sha224)),
        // ECDSA; SHA-1 first.
        ("1.2.840.10045.4.1", Some(Hash::Sha256)),
        ("1.2.840.10045.4.3.1", Some(Hash::Sha224)),
        ("1.2.840.10045.4.3.2", Some(Hash::Sha256)),
        ("1.2.840.10045.4.3.3", Some(Hash::Sha384)),
        ("1.2.840.10045.4.3.4", Some(Hash::Sha512)),
        // Ed25519, ECDSA with SHA3-256, ML-DSA-44.
        ("1.3.101.112", None),
        ("2.16.840.1.101.3.4.3.10", None),
        ("2.16.840.1.101.3.4.3.17", None),
    ] {
        assert_eq!(signature_hash(&signed_by(algorithm, b"\x05\0")), hash, "{algorithm}");
    }
    for (named, hash) in [
        (None, Some(Hash::Sha256)),
        (Some("1.3.14.3.2.26"), Some(Hash::Sha256)),
        (Some("2.16.840.1.101.3.4.2.1"), Some(Hash::Sha256)),
        (Some("2.16.840.1.101.3.4.2.2"), Some(Hash::Sha384)),
        (Some("2.16.840.1.101.3.4.2.3"), Some(Hash::Sha512)),
        (Some("2.16.840.1.101.3.4.2.4"), Some(Hash::Sha224)),
        (Some("2.16.840.1.101.3.4.2.8"), None),
    ] {
        assert_eq!(signature_hash(&pss(named)), hash, "RSASSA-PSS with {named:?}");
    }
    // Parameters that are not there at all.
    assert_eq!(signature_hash(&signed_by("1.2.840.113549.1.1.10", b"")), None);
}

#[test]
fn a_hash_is_as_long_as_it_is() {
    for (algorithm, octets) in [
        ("1.2.840.113549.1.1.4", 32),
        ("1.2.840.113549.1.1.12", 48),
        ("1.2.840.113549.1.1.13", 64),
        ("1.2.840.113549.1.1.14", 28),
    ] {
        let hash = end_point(&signed_by(algorithm, b"\x05\0"));
        assert_eq!(hash.map(|hash| hash.len()), Some(octets), "{algorithm}");
    }
}

#[test]
fn half_a_certificate_has_none() {
    let certificate = real(&PKCS_ECDSA_P256_SHA256);
    for length in 0..certificate.len() {
        assert_eq!(end_point(&certificate[..length]), None, "{length} octets");
    }
}

#[test]
fn bindings_do_not_show_themselves() {
    let bindings = TlsBindings {
        exporter: Some([0x41; 32]),
        end_point: Some(Box::from(&b"BBBB"[..])),
        certificate: Some(Arc::from(&b"CCCC"[..])),
    };
    let shown = format!("{bindings:?}");
    assert!(!shown.contains("65") && !shown.contains("66") && !shown.contains("67"), "{shown}");
}

proptest! {
    #[test]
    fn no_octets_are_too_odd(octets in vec(any::<u8>(), 0..200), inner in vec(any::<u8>(), 0..40)) {
        let _ = end_point(&octets);
        let _ = end_point(&der(SEQUENCE, &[der(SEQUENCE, &[]), inner].concat()));
    }
}
