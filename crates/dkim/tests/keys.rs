//! Key files, their records and the configuration.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use address::Domain;
use dkim::{DkimConfig, DkimError, DkimKey, KeyType, Signer, generate};

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn config(file: &Path) -> DkimConfig {
    let key = DkimKey {
        domain: "example.net".into(),
        selector: "s1".into(),
        file: file.to_owned(),
        subdomains: true,
    };
    DkimConfig { key: vec![key], ..DkimConfig::default() }
}

#[test]
fn a_new_key_is_for_its_owner_alone_and_replaces_none() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key.pem");
    let record = generate(&domain("example.net"), "s1", KeyType::Rsa2048, &file).unwrap();
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(record.text.starts_with("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"));
    assert_eq!(record.strings().count(), 2);

    let before = std::fs::read(&file).unwrap();
    let error = generate(&domain("example.net"), "s1", KeyType::Ed25519, &file).unwrap_err();
    assert!(error.to_string().contains("cannot write the new key: File exists"), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), before);

    let signer = Signer::load(&config(&file)).unwrap();
    assert_eq!(signer.records(), [record]);
    assert!(signer.warnings().is_empty());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    signer.reload().unwrap();
    assert!(signer.warnings()[0].contains("key.pem: every user of this machine can read"));
}

#[test]
fn a_reload_takes_the_new_key_and_a_broken_one_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key.pem");
    let first = generate(&domain("example.net"), "s1", KeyType::Ed25519, &file).unwrap();
    let signer = Signer::load(&config(&file)).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(signer.reload().unwrap_err().to_string().contains("cannot read the key"));
    assert_eq!(signer.records(), [first]);
    let second = generate(&domain("example.net"), "s1", KeyType::Ed25519, &file).unwrap();
    signer.reload().unwrap();
    assert_eq!(signer.records(), [second]);
}

#[test]
fn the_files_of_openssl_are_read() {
    let directory = tempfile::tempdir().unwrap();
    for (name, arguments, kind) in [
        (
            "pkcs8.pem",
            &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..],
            "rsa",
        ),
        ("pkcs1.pem", &["genrsa", "-traditional", "2048"], "rsa"),
        ("ed25519.pem", &["genpkey", "-algorithm", "ED25519"], "ed25519"),
    ] {
        let made = Command::new("openssl").args(arguments).output();
        let Ok(made) = made else {
            eprintln!("skipped: there is no openssl here");
            return;
        };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let file = directory.path().join(name);
        std::fs::write(&file, &made.stdout).unwrap();
        let signer = Signer::load(&config(&file)).unwrap_or_else(|e| panic!("{e}"));
        let text = &signer.records()[0].text;
        assert!(text.starts_with(&format!("v=DKIM1; k={kind}; p=")), "{text}");
        // The public half is what openssl makes of the private one.
        let public =
            Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&file).output().unwrap();
        let pem = String::from_utf8(public.stdout).unwrap();
        let expected: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let key = text.split("p=").nth(1).unwrap();
        // An Ed25519 record holds the bare key (RFC 8463 section 4), the last 32 octets.
        let expected = if kind == "rsa" { expected.as_str() } else { &expected[16..] };
        assert!(key == expected, "{key} {expected}");
    }
}

#[test]
fn what_is_no_key_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key.pem");
    let refused = |content: &[u8]| {
        std::fs::write(&file, content).unwrap();
        let error = Signer::load(&config(&file)).unwrap_err();
        assert!(matches!(error, DkimError::Key { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains("key.pem: "), "{message}");
        assert!(message.contains("expected one private key in PEM"), "{message}");
        message
    };
    refused(b"");
    refused(b"hello");
    refused(&vec![b'x'; 100_000]);
    refused(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    refused(b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n");
    refused(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let small = Command::new("openssl").args(["genrsa", "1024"]).output();
    if let Ok(small) = small {
        let message = refused(&small.stdout);
        assert!(message.contains("TooSmall"), "{message}");
    }
    std::fs::remove_file(&file).unwrap();
    let error = Signer::load(&config(&file)).unwrap_err();
    assert!(matches!(error, DkimError::File { .. }), "{error}");
}

fn wrong(change: impl FnOnce(&mut DkimConfig)) -> String {
    let mut config = config(Path::new("/nowhere"));
    config.check().unwrap();
    change(&mut config);
    config.check().unwrap_err().to_string()
}

#[test]
fn a_mistake_names_its_key() {
    assert!(wrong(|c| c.key[0].domain = "example".into()).starts_with("dkim.key[0].domain: "));
    assert!(wrong(|c| c.key[0].selector = "a b".into()).starts_with("dkim.key[0].selector: "));
    assert!(wrong(|c| c.key[0].selector = "a;d=x".into()).contains("\"a;d=x\" is no selector"));
    assert!(wrong(|c| c.key[0].selector = "a..b".into()).contains("is no selector"));
    assert!(wrong(|c| c.key[0].file = "".into()).starts_with("dkim.key[0].file: it is empty"));
    assert!(wrong(|c| c.key.push(c.key[0].clone())).contains("has another key \"s1\""));
    let three = |c: &mut DkimConfig| {
        for selector in ["s2", "s3"] {
            c.key.push(DkimKey { selector: selector.into(), ..c.key[0].clone() });
        }
    };
    assert!(wrong(three).contains("dkim.key[2].domain: example.net has 3 keys"));
    assert!(wrong(|c| c.oversign.remove(0).clear()).contains("From is missing"));
    assert!(wrong(|c| c.headers.push("Received".into())).contains("changes on the way"));
    assert!(wrong(|c| c.headers.push("subject".into())).contains("subject stands twice"));
    assert!(wrong(|c| c.headers.push("a b".into())).contains("is no field"));
    assert!(wrong(|c| c.headers.push("a:b".into())).contains("is no field"));
    let soon = Some(std::time::Duration::from_secs(60));
    assert!(wrong(|c| c.expire_after = soon).contains("at least \"1h\""));
}

#[test]
fn the_section_reads_as_documented() {
    let text = "expire_after = \"336h\"\n\
                [[key]]\ndomain = \"example.net\"\nselector = \"s1\"\nfile = \"k.pem\"\n";
    let config: DkimConfig = toml::from_str(text).unwrap();
    assert!(config.key[0].subdomains);
    assert_eq!(config.expire_after, Some(std::time::Duration::from_secs(14 * 24 * 3600)));
    let moved = config.relative_to(Path::new("/etc/lastpost"));
    assert_eq!(moved.key[0].file, Path::new("/etc/lastpost/k.pem"));
    assert!(toml::from_str::<DkimConfig>("keys = []").is_err());
    assert_eq!(toml::from_str::<DkimConfig>("").unwrap(), DkimConfig::default());
}
