//! What the world gets: the body as it came in, to the octet, under a signature that holds; and a
//! client that its provider alone can name.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use address::{AccountKey, Domain};
use dkim::{DkimConfig, DkimKey, KeyType, Signer};
use jiff::Timestamp;
use kit::{LEGACY, Plan, start_plan};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use submissiond::{ClientShown, HeaderConfig, HeaderOptions};

const HEADER: &str = "From: Anna <anna@example.net>\r\nTo: x@example.org\r\nBcc: y@example.org\r\n\
                      Subject: a  b\r\n";

/// A key for `example.net`. Ed25519 signs the same text always in the same way.
fn signer(directory: &std::path::Path) -> Signer {
    let file = directory.join("dkim.pem");
    let domain = Domain::parse("example.net").unwrap();
    dkim::generate(&domain, "s1", KeyType::Ed25519, &file).unwrap();
    let key =
        DkimKey { domain: domain.to_string(), selector: "s1".to_owned(), file, subdomains: true };
    Signer::load(&DkimConfig { key: vec![key], ..DkimConfig::default() }).unwrap()
}

/// Signature, rest of the header and body of a stored message.
fn parts(text: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let end = text.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let header = &text[..end + 2];
    let signed = header.windows(11).position(|window| window == b"\r\nReceived:").unwrap() + 2;
    (&header[..signed], &header[signed..], &text[end + 4..])
}

fn assert_signed(signer: &Signer, text: &[u8]) {
    let (signature, header, body) = parts(text);
    let field = String::from_utf8(signature.to_vec()).unwrap();
    assert!(field.starts_with("DKIM-Signature: v=1; a=ed25519-sha256;"), "{field}");
    let at: i64 = field.split("\tt=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
    let mut again = signer.begin(&Domain::parse("example.net").unwrap()).unwrap();
    again.body(body);
    let expected = again.finish(header, Timestamp::from_second(at).unwrap()).unwrap();
    assert_eq!(field, String::from_utf8(expected).unwrap());
}

fn stuffed(text: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::new();
    for line in text.split_inclusive(|&octet| octet == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    stuffed
}

fn bodies() -> Vec<Vec<u8>> {
    let line = prop_oneof![
        Just(String::new()),
        Just(".".to_owned()),
        Just("..".to_owned()),
        "[ -~\u{fc}\t]{0,60}",
        "[ \t]{0,5}",
        "[a-z]{900}",
    ];
    let lines = proptest::collection::vec(line, 0..30);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut bodies: Vec<Vec<u8>> = (0..40)
        .map(|_| {
            let lines = lines.new_tree(&mut runner).unwrap().current();
            lines.iter().flat_map(|line| format!("{line}\r\n").into_bytes()).collect()
        })
        .collect();
    bodies.push(b"0123456789 abcdef \r\n".repeat(20_000));
    bodies
}

#[tokio::test]
async fn no_octet_of_a_body_changes_and_the_signature_holds() {
    let directory = tempfile::tempdir().unwrap();
    let signer = signer(directory.path());
    let plan = Plan { signer: Some(signer.clone()), ..Plan::new(LEGACY) };
    let daemon = start_plan(plan).await;
    let mut client = daemon.anna().await;
    let bodies = bodies();
    for (number, body) in bodies.iter().enumerate() {
        if number % 2 == 0 {
            let text = [HEADER.as_bytes(), b"\r\n", &stuffed(body)].concat();
            let reply = client.submit("anna@example.net", &["x@example.org"], text).await;
            assert!(reply.starts_with("250 2.0.0"), "{reply}");
            continue;
        }
        // The same in chunks, cut anywhere.
        client.expect("MAIL FROM:<anna@example.net> BODY=8BITMIME", "250 ").await;
        client.expect("RCPT TO:<x@example.org>", "250 ").await;
        let text = [HEADER.as_bytes(), b"\r\n", body].concat();
        let cut = number * 7 % text.len();
        for (chunk, last) in [(&text[..cut], ""), (&text[cut..], " LAST")] {
            let command = format!("BDAT {}{last}\r\n", chunk.len());
            client.send([command.as_bytes(), chunk].concat()).await;
            let reply = client.reply().await;
            assert!(reply.starts_with("250 2.0.0"), "{reply}");
        }
    }
    let queued = daemon.queued().await;
    assert_eq!(queued.len(), bodies.len());
    for (message, body) in queued.iter().zip(&bodies) {
        let (_, header, stored) = parts(&message.text);
        assert!(stored == body, "{:?}", String::from_utf8_lossy(body));
        assert!(!header.windows(4).any(|window| window == b"Bcc:"));
        assert_signed(&signer, &message.text);
    }
}

#[tokio::test]
async fn one_of_binary_octets_is_signed_too() {
    let directory = tempfile::tempdir().unwrap();
    let signer = signer(directory.path());
    let plan = Plan { signer: Some(signer.clone()), ..Plan::new(LEGACY) };
    let daemon = start_plan(plan).await;
    let mut client = daemon.anna().await;
    let binary = [HEADER.as_bytes(), b"\r\n", b"\0\r\n \n \r x \t\r\n\r\n"].concat();
    client.expect("MAIL FROM:<anna@example.net> BODY=BINARYMIME", "250 ").await;
    client.expect("RCPT TO:<x@example.org>", "250 ").await;
    client.send(format!("BDAT {} LAST\r\n", binary.len())).await;
    client.send(&binary).await;
    assert!(client.reply().await.starts_with("250 2.0.0"));
    let queued = daemon.queued().await;
    assert_signed(&signer, &queued[0].text);
    assert!(queued[0].text.ends_with(b"\r\n\r\n\0\r\n \n \r x \t\r\n\r\n"));
}

#[tokio::test]
async fn a_token_leads_back_to_the_customer() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("token.key");
    std::fs::write(&key, [9; 64]).unwrap();
    let config = HeaderConfig {
        client: ClientShown::Token,
        client_key_file: Some(key),
        ..HeaderConfig::default()
    };
    let header = HeaderOptions::load(&config).unwrap();
    let daemon = start_plan(Plan { header: header.clone(), ..Plan::new(LEGACY) }).await;
    let mut client = daemon.anna().await;
    for _ in 0..2 {
        let text = format!("{HEADER}\r\nhello\r\n");
        client.submit("anna@example.net", &["x@example.org"], text).await;
    }
    let queued = daemon.queued().await;
    let accounts = ["ben@example.net", "anna@example.net"];
    let accounts = accounts.map(|name| AccountKey::parse(name, None).unwrap());
    let mut tokens = Vec::new();
    for message in &queued {
        let text = message.text();
        assert!(!text.contains("127.0.0.1"), "{text}");
        let between = |begin: &str, end: [char; 2]| {
            let rest = text.split(begin).nth(1).unwrap();
            rest.split(end).next().unwrap().to_owned()
        };
        let (id, token) = (between(" id ", [';', '\r']), between("(client ", [')', '\r']));
        let (account, address) = header.find_client(&id, &token, accounts.iter()).unwrap();
        assert_eq!((account.as_str(), address.is_loopback()), ("anna@example.net", true));
        assert!(header.find_client(&id, &token, accounts[..1].iter()).is_none());
        assert!(text.contains("\r\n\tfor <x@example.org>"), "{text}");
        tokens.push(token);
    }
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1]);
}
