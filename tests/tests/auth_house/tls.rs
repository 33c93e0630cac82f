//! TLS as a client that knows its channel binding and may have a certificate.

use std::sync::Arc;

use lastpost_tests::{House, Talk};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::ClientConfig;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::kit::{HOME, Line};

/// Whoever has no certificate.
pub(crate) fn anybody() -> ClientConfig {
    xtask::bench::tls::any_certificate().unwrap()
}

/// An authority for the certificates of customers, whose own one lies in `client-ca.pem`.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A client with a certificate for `address`.
    pub(crate) fn client(&self, address: &str) -> ClientConfig {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::Rfc822Name(address.try_into().unwrap())];
        let pair = KeyPair::generate().unwrap();
        let issued = params.signed_by(&pair, &self.0).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(pair.serialize_der());
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let own =
            CertifiedKey::from_der(vec![issued.der().clone()], key.into(), &provider).unwrap();
        let mut config = anybody();
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(own));
        config
    }
}

/// A session under TLS, and its channel binding.
pub(crate) fn open(house: &House, listener: &str, config: ClientConfig) -> (Line, [u8; 32]) {
    let is_pop3 = listener.starts_with("pop3");
    let mut talk = Talk::connect_from(house.address(listener), HOME);
    let greeting = if is_pop3 { "+OK" } else { "220" };
    let binding = if listener.ends_with('s') {
        let binding = talk.start_tls_as(config).unwrap();
        talk.expect_reply(greeting);
        binding
    } else {
        talk.expect_reply(greeting);
        if is_pop3 {
            talk.expect("STLS", "+OK");
        } else {
            talk.expect("EHLO customer.example", "250");
            talk.expect("STARTTLS", "220");
        }
        talk.start_tls_as(config).unwrap()
    };
    (Line::new(talk, is_pop3), binding)
}
