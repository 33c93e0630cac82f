//! The example of RFC 8463 appendix A, and what a signature says.

use aws_lc_rs::signature::{RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};

use super::*;
use crate::{KeyType, Signer};

const HEADER: &str = "From: Joe SixPack <joe@football.example.com>\r\n\
    To: Suzie Q <suzie@shopping.example.net>\r\n\
    Subject: Is dinner ready?\r\n\
    Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
    Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n";
const BODY: &str = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
const BODY_HASH: &str = "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=";

/// The appendix gives the seed; PKCS#8 has it behind a fixed beginning (RFC 8410).
const ED25519: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";
const ED25519_FIELD: &str = " v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n \
    d=football.example.com; i=@football.example.com;\r\n \
    q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n \
    subject : date : message-id : from : subject : date;\r\n \
    bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=";
const ED25519_SIGNATURE: &str =
    "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==";

/// RSA of 1024 bits, with which nothing is signed any more: the signature is verified.
const RSA_PUBLIC: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qh\
    dR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5\
    QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";
const RSA_FIELD: &str = " v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n \
    d=football.example.com; i=@football.example.com;\r\n \
    q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n \
    date : message-id : from : subject : date;\r\n \
    bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=";
const RSA_SIGNATURE: &str = "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4B\
    wcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2JzdA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNc\
    UxZQ4FADY+8=";

fn covering(oversign: &[&str], headers: &[&str]) -> Covered {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let config =
        DkimConfig { oversign: names(oversign), headers: names(headers), ..DkimConfig::default() };
    Covered::new(&config)
}

/// What is signed in the example, which oversigns at the end of `h=`.
fn example_text(field: &str) -> Vec<u8> {
    let names = ["from", "to", "subject", "date", "message-id"];
    let covered = covering(&[], &names);
    let (named, mut text) = select(HEADER.as_bytes(), &covered).unwrap();
    assert_eq!(named, names);
    relaxed_field(b"DKIM-Signature", field.as_bytes(), &mut text);
    text
}

#[test]
fn the_ed25519_example_is_signed_as_in_the_rfc() {
    let key = Key::from_pem("football.example.com", "brisbane", ED25519.as_bytes()).unwrap();
    let signature = key.sign(&example_text(ED25519_FIELD)).unwrap();
    assert_eq!(STANDARD.encode(signature), ED25519_SIGNATURE);
    let record = key.record().unwrap();
    assert_eq!(record.name, "brisbane._domainkey.football.example.com");
    assert_eq!(record.text, "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
}

#[test]
fn the_rsa_example_is_what_the_rfc_signed() {
    let public = STANDARD.decode(RSA_PUBLIC).unwrap();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, public);
    let signature = STANDARD.decode(RSA_SIGNATURE).unwrap();
    key.verify(&example_text(RSA_FIELD), &signature).unwrap();
    assert!(key.verify(&example_text(ED25519_FIELD), &signature).is_err());
}

fn signing(covered: Covered) -> Signing {
    let key = Key::from_pem("example.com", "brisbane", ED25519.as_bytes()).unwrap();
    let author = Domain::parse("football.example.com").unwrap();
    Signing::new(vec![Arc::new(key)], author, Arc::new(covered))
}

fn signed(covered: Covered, header: &str) -> String {
    let mut signing = signing(covered);
    for octet in BODY.as_bytes().chunks(1) {
        signing.body(octet);
    }
    let at = Timestamp::from_second(1_528_637_909).unwrap();
    String::from_utf8(signing.finish(header.as_bytes(), at).unwrap()).unwrap()
}

#[test]
fn the_field_says_what_was_signed() {
    let config = DkimConfig {
        expire_after: Some(Duration::from_secs(14 * 24 * 3600)),
        identity: true,
        ..DkimConfig::default()
    };
    let field = signed(Covered::new(&config), HEADER);
    let begin = format!(
        "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n\
         \td=example.com; s=brisbane;\r\n\
         \tt=1528637909; x=1529847509;\r\n\
         \ti=@football.example.com;\r\n\
         \th=From:From:Reply-To:To:To:Cc:Subject:Subject:Date:Date:Message-ID;\r\n\
         \tbh={BODY_HASH};\r\n\
         \tb="
    );
    assert!(field.starts_with(&begin), "{field}");
    assert!(field.ends_with("\r\n") && !field.contains("\r\n\r\n"), "{field}");
    assert!(field.split("\r\n").all(|line| line.len() <= 78), "{field}");
    let plain = signed(covering(&["From"], &[]), HEADER);
    assert!(!plain.contains("x=15") && !plain.contains("i=@"), "{plain}");
}

#[test]
fn of_several_fields_the_last_comes_first() {
    let covered = covering(&["From"], &["X", "Subject"]);
    let header = b"X: 1\r\nFROM : a@b.example\r\nX:\r\n\t2 \r\nY: 5\r\nx:3\r\nno field\r\n\r\n";
    let (names, text) = select(header, &covered).unwrap();
    assert_eq!(names, ["From", "From", "X", "X", "X"]);
    assert_eq!(text, b"from:a@b.example\r\nx:3\r\nx:2\r\nx:1\r\n");
    let error = select(b"Subject: x\r\n", &covered).unwrap_err();
    assert!(matches!(error, DkimError::NoFrom));
    assert!(signing(covering(&["From"], &[])).finish(b"", Timestamp::UNIX_EPOCH).is_err());
}

#[test]
fn a_long_list_is_folded() {
    let header = format!("From: a@b.example\r\n{}", "Resent-Message-ID: <x>\r\n".repeat(40));
    let field = signed(covering(&["From"], &["Resent-Message-ID"]), &header);
    assert_eq!(field.matches("Resent-Message-ID").count(), 40);
    assert!(field.split("\r\n").all(|line| line.len() <= 78), "{field}");
}

#[test]
fn the_nearest_key_signs() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = DkimConfig::default();
    for (domain, selector, kind, subdomains) in [
        ("example.net", "rsa", KeyType::Rsa2048, true),
        ("example.net", "ed", KeyType::Ed25519, true),
        ("news.example.net", "news", KeyType::Ed25519, false),
        ("xn--bcher-kva.example", "b", KeyType::Ed25519, true),
    ] {
        let file = directory.path().join(format!("{selector}.pem"));
        let parsed = Domain::parse(domain).unwrap();
        let record = crate::generate(&parsed, selector, kind, &file).unwrap();
        assert!(record.name.starts_with(&format!("{selector}._domainkey.")));
        let domain = domain.to_owned();
        config.key.push(crate::DkimKey { domain, selector: selector.into(), file, subdomains });
    }
    let signer = Signer::load(&config).unwrap();
    assert_eq!((signer.len(), signer.warnings().len()), (4, 0));
    let selectors = |domain: &str| -> Vec<String> {
        let signing = signer.begin(&Domain::parse(domain).unwrap());
        signing.iter().flat_map(|s| &s.keys).map(|key| key.selector.clone()).collect()
    };
    assert_eq!(selectors("example.net"), ["rsa", "ed"]);
    assert_eq!(selectors("EXAMPLE.net"), ["rsa", "ed"]);
    assert_eq!(selectors("a.b.example.net"), ["rsa", "ed"]);
    assert_eq!(selectors("news.example.net"), ["news"]);
    assert_eq!(selectors("a.news.example.net"), ["rsa", "ed"], "news is for itself alone");
    assert_eq!(selectors("bücher.example"), ["b"]);
    assert_eq!(selectors("notexample.net"), [""; 0]);
    assert_eq!(selectors("net.example"), [""; 0]);
    let shown = format!("{signer:?}");
    assert!(shown.contains("rsa of example.net for rsa-sha256"), "{shown}");
}
