//! Certificates: renewed while sessions run, and chosen by the name that is asked for.
#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

mod kit;

use kit::*;
use netio::{NamedCertificate, Tls, TlsConfig, TlsError, TlsMode};

#[tokio::test]
async fn new_certificates_are_shown_to_new_clients_and_bad_ones_to_nobody() {
    let (directory, old, tls) = loaded(&[HOST]);
    let shared = tls.with_alpn(&[b"pop3"]).unwrap();
    let daemon = Setup::tls(TlsMode::Implicit, &shared).echo();
    let trusts = async |der| {
        handshake(connect(daemon.address).await, client(&[der], &[]), HOST).await.is_ok()
    };
    let stream = connect(daemon.address).await;
    let mut running = handshake(stream, client(&[&old.der], &[]), HOST).await.unwrap();
    line(&mut running).await;

    // Half of a renewal, each half in turn; then rubbish.
    let new = make_pair(directory.path(), "new", &[HOST]);
    let (old_crt, old_key) =
        (std::fs::read(&old.certificate).unwrap(), std::fs::read(&old.key).unwrap());
    std::fs::copy(&new.certificate, &old.certificate).unwrap();
    assert!(matches!(tls.reload().unwrap_err(), TlsError::KeyMismatch { .. }));
    std::fs::write(&old.certificate, &old_crt).unwrap();
    std::fs::copy(&new.key, &old.key).unwrap();
    assert!(matches!(tls.reload().unwrap_err(), TlsError::KeyMismatch { .. }));
    std::fs::write(&old.key, b"").unwrap();
    assert!(matches!(tls.reload().unwrap_err(), TlsError::NoKey { .. }));
    std::fs::write(&old.key, b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n").unwrap();
    let message = tls.reload().unwrap_err().to_string();
    assert!(message.contains("mail.key") && !message.contains("c2VjcmV0"), "{message}");
    std::fs::write(&old.key, &old_key).unwrap();
    for rubbish in [&b""[..], b"rubbish", b"-----BEGIN CERTIFICATE-----\nAAAA\n", &old_key] {
        std::fs::write(&old.certificate, rubbish).unwrap();
        assert!(matches!(tls.reload().unwrap_err(), TlsError::NoCertificate { .. }));
    }
    std::fs::write(
        &old.certificate,
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    assert!(matches!(tls.reload().unwrap_err(), TlsError::Unusable { .. }));
    std::fs::remove_file(&old.certificate).unwrap();
    assert!(matches!(tls.reload().unwrap_err(), TlsError::Read { .. }));
    assert!(trusts(&old.der).await, "the old pair is still in use");
    assert!(!trusts(&new.der).await);

    // The whole renewal.
    std::fs::copy(&new.certificate, &old.certificate).unwrap();
    std::fs::copy(&new.key, &old.key).unwrap();
    tls.reload().unwrap();
    assert!(trusts(&new.der).await);
    assert!(!trusts(&old.der).await);
    send(&mut running, b"NOOP\r\n").await;
    assert_eq!(line(&mut running).await, "NOOP\r\n");

    // Other files.
    let moved = make_pair(directory.path(), "moved", &[HOST]);
    shared.reload_with(&moved.config()).unwrap();
    tls.reload().unwrap();
    assert!(trusts(&moved.der).await);
}

#[tokio::test]
async fn the_certificate_fits_the_name_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let make = |file: &str, names: &[&str]| make_pair(directory.path(), file, names);
    let default = make("default", &["mail.example.jp", "other.example"]);
    let net = make("net", &["*.example.net", "example.net"]);
    let org = make("org", &["pop.example.org"]);
    let named = |pair: &Pair, names: &[&str]| NamedCertificate {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        certificate: pair.certificate.clone(),
        key: pair.key.clone(),
    };
    let config = TlsConfig {
        named: vec![
            named(&net, &["*.example.net", "example.net"]),
            named(&org, &["POP.example.org"]),
        ],
        ..default.config()
    };
    let tls = Tls::load(&config).unwrap();
    let daemon = Setup::tls(TlsMode::Implicit, &tls).echo();
    for (host, pair) in [
        ("mail.example.jp", &default),
        ("other.example", &default),
        ("example.net", &net),
        ("pop.example.net", &net),
        ("Imap.Example.NET", &net),
        ("pop.example.org", &org),
    ] {
        let config = client(&[&pair.der], &[]);
        let outcome = handshake(connect(daemon.address).await, config, host).await;
        assert!(outcome.is_ok(), "{host}");
    }
    let config = client(&[&default.der, &net.der], &[]);
    // One label only, and nothing for strangers but the default.
    let outcome = handshake(connect(daemon.address).await, config, "a.b.example.net").await;
    assert!(outcome.is_err());
    for name in ["smtp.example.org", "*.example.org", "not a name", ""] {
        let config = TlsConfig { named: vec![named(&org, &[name])], ..default.config() };
        let error = Tls::load(&config).unwrap_err();
        assert!(matches!(error, TlsError::NameNotCovered { .. }), "{name}: {error}");
    }
}
