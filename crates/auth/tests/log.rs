//! What stands in the log. One test, alone in its program: which events are of interest to
//! anybody is decided once for all threads.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use address::AccountKey;
use auth::{
    Account, AuthConfig, Authenticator, Channel, Directory, Moment, Origin, Service, StoredHash,
};
use sasl::Secret;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tries one login after another and returns the log, everything down to trace.
fn log_of(attempts: &[(&str, &str, &str)]) -> String {
    log_after(async |auth, origin, at| {
        for (login, password, client) in attempts {
            let origin = Origin { client: client.parse().unwrap(), ..*origin };
            let _ = auth.verify(login, &Secret::from(*password), &origin, at).await;
        }
    })
}

/// Does something with an authenticator, from 192.0.2.1, and returns the log.
fn log_after(work: impl AsyncFnOnce(&Authenticator, &Origin, Moment)) -> String {
    let sink = Sink::default();
    let writer = sink.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let account = |login, disabled| {
            let key = AccountKey::parse(login, None).unwrap();
            let hash = StoredHash::parse("{PLAIN}right").unwrap();
            Account::new(key, Vec::new(), hash, PathBuf::from("/m"), disabled)
        };
        let accounts = vec![account("ann@example.net", false), account("off@example.net", true)];
        let directory = Directory::from_accounts(accounts, None).unwrap();
        let config = AuthConfig { failure_delay: Duration::ZERO, ..AuthConfig::default() };
        let auth = Authenticator::new(&config, directory).unwrap();
        let at = Moment { wall: jiff::Timestamp::UNIX_EPOCH, mono: Duration::from_secs(1) };
        let channel = Channel { service: Service::Pop3, tls: true, genuine_address: true };
        let origin = Origin { client: "192.0.2.1".parse().unwrap(), channel };
        work(&auth, &origin, at).await;
    });
    let log = sink.0.lock().unwrap().clone();
    String::from_utf8(log).unwrap()
}

#[test]
fn the_log_of_logins() {
    a_failure_is_one_stable_line_without_the_password();
    the_reason_is_in_the_log_alone();
    a_hostile_name_can_neither_forge_a_line_nor_fill_the_log();
    whatever_was_offered_the_line_is_the_same();
    successes_are_left_to_the_daemons();
    a_repeated_failure_says_so();
    a_block_and_an_attack_are_one_line_each();
}

fn a_failure_is_one_stable_line_without_the_password() {
    let log = log_of(&[("Ann@Example.net", "s3cret-guess", "::ffff:192.0.2.1")]);
    assert_eq!(
        log,
        " INFO lastpost::auth: login failed user=\"Ann@Example.net\" rip=192.0.2.1 \
         service=\"pop3\" tls=true reason=\"wrong-password\"\n"
    );
}

fn the_reason_is_in_the_log_alone() {
    let log = log_of(&[
        ("off@example.net", "right", "192.0.2.1"),
        ("nobody@example.net", "right", "2001:db8::1"),
        ("../x", "right", "192.0.2.1"),
    ]);
    let reasons: Vec<_> = log.lines().map(|line| line.rsplit_once("reason=").unwrap().1).collect();
    assert_eq!(reasons, ["\"disabled\"", "\"unknown\"", "\"malformed\""]);
    assert!(log.contains("rip=2001:db8::1 "), "{log}");
}

fn a_hostile_name_can_neither_forge_a_line_nor_fill_the_log() {
    let long = "y".repeat(100_000);
    let forged = "x\r\n INFO lastpost::auth: login failed user=\"z\" rip=203.0.113.9";
    let log = log_of(&[
        (forged, "p", "192.0.2.1"),
        ("\u{1b}[2J\u{202e}", "p", "192.0.2.1"),
        (&long, "p", "192.0.2.1"),
    ]);
    assert_eq!(log.lines().count(), 3, "{log}");
    assert!(log.len() < 1000, "{}", log.len());
    assert!(!log.contains('\u{1b}') && !log.contains('\u{202e}'));
    assert!(log.lines().all(|line| line.contains(" rip=192.0.2.1 service=")), "{log}");
}

/// An attempt with `APOP` and one that can never be right read as one with a password does.
fn whatever_was_offered_the_line_is_the_same() {
    let with_password = log_of(&[("ann@example.net", "wrong", "192.0.2.1")]);
    let with_digest = log_after(async |auth, origin, at| {
        let digest = [0x5a; 16];
        let stamp = "<1896.697170952@pop.example.net>";
        auth.verify_digest("ann@example.net", stamp, &digest, origin, at).await.unwrap_err();
    });
    assert_eq!(with_digest, with_password);
    let void = log_after(async |auth, origin, at| {
        auth.reject(Some("ann@example.net"), origin, at).await;
        auth.reject(None, origin, at).await;
    });
    let expected = with_password.replace("wrong-password", "malformed");
    assert_eq!(void, format!("{expected}{}", expected.replace("ann@example.net", "")));
}

fn successes_are_left_to_the_daemons() {
    assert_eq!(log_of(&[("ann@example.net", "right", "192.0.2.1")]), "");
}

/// What a customer's old telephone does each minute is told from guessing.
fn a_repeated_failure_says_so() {
    let old = ("ann@example.net", "old", "192.0.2.1");
    let log = log_of(&[old, old, old, ("ann@example.net", "other", "192.0.2.1")]);
    let ends: Vec<_> = log.lines().map(|line| line.ends_with(" repeated=true")).collect();
    assert_eq!(ends, [false, true, true, false], "{log}");
    assert!(log.lines().all(|line| line.contains(" reason=\"wrong-password\"")), "{log}");
}

fn a_block_and_an_attack_are_one_line_each() {
    let spraying: Vec<_> = (0..60).map(|n| format!("user{n}@example.net")).collect();
    let sprayed: Vec<_> =
        spraying.iter().map(|login| (login.as_str(), "guess", "192.0.2.9")).collect();
    let log = log_of(&sprayed);
    let blocks: Vec<_> = log.lines().filter(|line| line.contains("network blocked")).collect();
    let [block] = &blocks[..] else { panic!("{log}") };
    let start = " WARN lastpost::auth: network blocked network=192.0.2.9/32 reason=\"spraying\" \
                 failures=";
    assert!(block.starts_with(start), "{block}");
    assert!(block.ends_with(" strikes=1 seconds=600"), "{block}");
    let clients: Vec<_> = (0..60).map(|n| format!("198.51.{n}.1")).collect();
    let guesses: Vec<_> = (0..60).map(|n| format!("guess{n}")).collect();
    let hostile = "ann@example.net\u{1b}[2J\n rip=203.0.113.9";
    for (name, times) in [("Ann@Example.net", 1), (hostile, 0)] {
        let from_all: Vec<_> = clients
            .iter()
            .zip(&guesses)
            .map(|(client, guess)| (name, guess.as_str(), client.as_str()))
            .collect();
        let log = log_of(&from_all);
        let found: Vec<_> = log.lines().filter(|line| line.contains("attacked")).collect();
        assert_eq!(found.len(), times, "a name that cannot be an account's is none: {log}");
        if let [line] = &found[..] {
            let start = " WARN lastpost::auth: account attacked from many networks \
                         user=\"Ann@Example.net\" networks=";
            assert!(line.starts_with(start), "{line}");
        }
    }
}
