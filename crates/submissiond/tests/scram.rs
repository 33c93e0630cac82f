//! A login that shows no password, in clear, through the whole daemon: SCRAM-SHA-256 (RFC 7677)
//! with a client of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use auth::{AuthConfig, SaslConfig};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use kit::{Client, Daemon, LEGACY, Plan, start_plan};
use sha2::{Digest, Sha256};

type Key = [u8; 32];

fn hmac(key: &[u8], text: &[u8]) -> Key {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text);
    mac.finalize().into_bytes().into()
}

fn xor(mut one: Key, other: &Key) -> Key {
    one.iter_mut().zip(other).for_each(|(one, other)| *one ^= other);
    one
}

/// RFC 5802 section 2.2: `Hi`.
fn salted(password: &[u8], salt: &[u8], rounds: u32) -> Key {
    let mut last = hmac(password, &[salt, &1_u32.to_be_bytes()].concat());
    let mut salted = last;
    for _ in 1..rounds {
        last = hmac(password, &last);
        salted = xor(salted, &last);
    }
    salted
}

/// The messages of the client after the first, and the server's signature.
struct Answers {
    proof: String,
    signature: String,
}

/// What answers the server's first message.
fn answers(client_first: &str, server_first: &str, password: &[u8]) -> Answers {
    let mut fields = server_first.split(',');
    let nonce = fields.next().unwrap().strip_prefix("r=").unwrap();
    let salt = STANDARD.decode(fields.next().unwrap().strip_prefix("s=").unwrap()).unwrap();
    let rounds = fields.next().unwrap().strip_prefix("i=").unwrap().parse().unwrap();
    let without_proof = format!("c=biws,r={nonce}");
    let exchange = format!("{client_first},{server_first},{without_proof}");
    let salted = salted(password, &salt, rounds);
    let client_key = hmac(&salted, b"Client Key");
    let stored_key: Key = Sha256::digest(client_key).into();
    let proof = xor(client_key, &hmac(&stored_key, exchange.as_bytes()));
    let signature = hmac(&hmac(&salted, b"Server Key"), exchange.as_bytes());
    Answers {
        proof: format!("{without_proof},p={}", STANDARD.encode(proof)),
        signature: format!("v={}", STANDARD.encode(signature)),
    }
}

/// Says what the server asks for until its verdict; the last reply.
async fn log_in(client: &mut Client, login: &str, password: &str) -> String {
    let first = format!("n={login},r=fyko+d2lbbFgONRv9qkxdawL");
    let reply =
        client.say(&format!("AUTH SCRAM-SHA-256 {}", STANDARD.encode(format!("n,,{first}")))).await;
    let server_first = challenge(&reply);
    assert!(server_first.starts_with("r=fyko+d2lbbFgONRv9qkxdawL"), "{server_first}");
    let answers = answers(&first, &server_first, password.as_bytes());
    let reply = client.say(&STANDARD.encode(answers.proof)).await;
    if !reply.starts_with("334 ") {
        return reply;
    }
    assert_eq!(challenge(&reply), answers.signature);
    // Nothing more is said; then comes the verdict.
    client.say("").await
}

fn challenge(reply: &str) -> String {
    let text = reply.strip_prefix("334 ").unwrap_or_else(|| panic!("{reply}"));
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}

/// Passwords may not come in clear; SCRAM may.
async fn daemon() -> Daemon {
    let mechanisms = ["SCRAM-SHA-256", "PLAIN", "LOGIN"].map(str::to_owned).into();
    let sasl = SaslConfig { mechanisms, scram_iterations: 4096, ..SaslConfig::default() };
    let config = AuthConfig { sasl, ..AuthConfig::default() };
    let authenticator = Some(kit::authenticator(config, kit::the_usual()));
    let listener = format!("cleartext_auth_networks = []\n{LEGACY}");
    start_plan(Plan { authenticator, ..Plan::new(listener) }).await
}

#[tokio::test]
async fn a_login_without_a_password_on_its_way() {
    let daemon = daemon().await;
    let mut client = daemon.legacy().await;
    client.expect(kit::ANNAS_PASSWORD, "534 5.7.9").await;
    let reply = log_in(&mut client, "anna@example.net", "secret").await;
    assert!(reply.starts_with("235 2.7.0"), "{reply}");
    let text = "From: anna@example.net\r\n\r\nHi\r\n";
    let reply = client.submit("anna@example.net", &["x@example.org"], text).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let queued = daemon.queued().await;
    assert!(queued[0].text().contains(" with ESMTPA id "), "{}", queued[0].text());
    assert_eq!(daemon.observer.statistics().logins, 1);
}

#[tokio::test]
async fn wrong_and_unknown_get_the_same_answers() {
    let daemon = daemon().await;
    for (login, password) in [("anna@example.net", "wrong"), ("nobody@example.net", "secret")] {
        let mut client = daemon.legacy().await;
        let reply = log_in(&mut client, login, password).await;
        assert_eq!(reply, "535 5.7.8 Authentication failed: wrong user name or password");
        client.expect("MAIL FROM:<anna@example.net>", "530 5.7.0").await;
    }
    assert_eq!(daemon.observer.statistics().logins_denied, 2);
}

/// A proof is for one exchange: neither the next one nor one that was given up takes it.
#[tokio::test]
async fn what_was_overheard_is_of_no_use() {
    let daemon = daemon().await;
    let first = "n=anna@example.net,r=fyko+d2lbbFgONRv9qkxdawL";
    let begin = format!("AUTH SCRAM-SHA-256 {}", STANDARD.encode(format!("n,,{first}")));
    let mut client = daemon.legacy().await;
    let overheard = answers(first, &challenge(&client.say(&begin).await), b"secret").proof;
    client.expect("*", "501 5.7.0").await;
    // As a first message, as a proof, and without any exchange.
    let proof = STANDARD.encode(&overheard);
    for attempt in [vec!["AUTH SCRAM-SHA-256", &proof], vec![&*begin, &proof]] {
        client.say(attempt[0]).await;
        let reply = client.say(attempt[1]).await;
        assert!(reply.starts_with("501 ") || reply.starts_with("535 "), "{reply}");
    }
    client.expect("MAIL FROM:<anna@example.net>", "530 5.7.0").await;
    client.expect(&proof, "500 5.5.2").await;
    assert_eq!(daemon.observer.statistics().logins, 0);
}
