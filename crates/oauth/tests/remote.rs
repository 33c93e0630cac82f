//! Keys behind a URL: renewed, asked for once when one is unknown, kept when the issuer is down.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::TokenError;
use common::{Asked, Issuer, Signer, config, set};

fn asked(url: &str) -> Asked {
    Asked::new(&config(&format!("[keys]\nurl = \"{url}\"\n")))
}

const INVALID: Result<String, TokenError> = Err(TokenError::Invalid);
const UNAVAILABLE: Result<String, TokenError> = Err(TokenError::Unavailable);

#[tokio::test]
async fn keys_are_fetched_when_they_are_needed_and_rotate() {
    let (first, second) = (Signer::new("ES256"), Signer::new("ES256"));
    let issuer = Issuer::start(Some((200, set(&[first.jwk("1")])))).await;
    let asked = asked(&issuer.url);
    assert!(asked.login(&first.good("1")).await.is_ok());
    assert!(asked.login(&first.good("1")).await.is_ok());
    assert_eq!(issuer.asked(), 1);
    issuer.say(Some((200, set(&[first.jwk("1"), second.jwk("2")]))));
    // Too soon after the last request.
    assert_eq!(asked.login(&second.good("2")).await, INVALID);
    assert_eq!(issuer.asked(), 1);
    asked.clock.advance(Duration::from_secs(30));
    assert!(asked.login(&second.good("2")).await.is_ok());
    assert!(asked.login(&first.good("1")).await.is_ok());
    assert_eq!(issuer.asked(), 2);
    // The old key is withdrawn.
    issuer.say(Some((200, set(&[second.jwk("2")]))));
    asked.clock.advance(Duration::from_secs(30));
    assert_eq!(asked.login(&first.good("3")).await, INVALID);
    assert_eq!(asked.login(&first.good("1")).await, INVALID);
    assert_eq!(issuer.asked(), 3);
    // Whoever reloads does not wait for the interval.
    issuer.say(Some((500, String::new())));
    assert!(asked.verifier.reload().await.unwrap_err().contains("500"));
    issuer.say(Some((200, set(&[first.jwk("1")]))));
    asked.verifier.reload().await.unwrap();
    assert!(asked.login(&first.good("1")).await.is_ok());
    assert_eq!(issuer.asked(), 5);
}

#[tokio::test]
async fn unknown_keys_cost_the_issuer_one_request_in_an_interval() {
    let (known, stranger) = (Signer::new("EdDSA"), Signer::new("EdDSA"));
    let issuer = Issuer::start(Some((200, set(&[known.jwk("1")])))).await;
    let asked = Arc::new(asked(&issuer.url));
    let tokens: Vec<_> = (0..200).map(|id| stranger.good(&format!("x{id}"))).collect();
    let tasks: Vec<_> = { tokens.into_iter() }
        .map(|token| {
            let asked = Arc::clone(&asked);
            tokio::spawn(async move { asked.login(&token).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), INVALID);
    }
    assert_eq!(issuer.asked(), 1);
    assert!(asked.login(&known.good("1")).await.is_ok());
    for _ in 0..5 {
        asked.clock.advance(Duration::from_secs(31));
        for id in ["a", "b", "c"] {
            assert_eq!(asked.login(&stranger.good(id)).await, INVALID);
        }
    }
    assert_eq!(issuer.asked(), 6);
}

#[tokio::test]
async fn the_last_good_keys_stay_when_the_issuer_is_down() {
    let (first, second) = (Signer::new("EdDSA"), Signer::new("EdDSA"));
    let issuer = Issuer::start(Some((200, set(&[first.jwk("1")])))).await;
    let asked = asked(&issuer.url);
    assert!(asked.login(&first.good("1")).await.is_ok());
    for (status, body) in [
        (500, "down".to_owned()),
        (302, String::new()),
        (404, "<html>".to_owned()),
        (200, "<html>".to_owned()),
        (200, r#"{"keys":[]}"#.to_owned()),
        (200, format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(300_000))),
    ] {
        issuer.say(Some((status, body)));
        asked.clock.advance(Duration::from_secs(60));
        // Perhaps it is the issuer's new one: nobody can say.
        assert_eq!(asked.login(&second.good("2")).await, UNAVAILABLE, "{status}");
        assert!(asked.login(&first.good("1")).await.is_ok(), "{status}");
    }
    assert_eq!(issuer.asked(), 7);
    issuer.say(Some((200, set(&[first.jwk("1"), second.jwk("2")]))));
    asked.clock.advance(Duration::from_secs(60));
    assert!(asked.login(&second.good("2")).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_is_down_at_the_start_is_waited_for() {
    let signer = Signer::new("EdDSA");
    let issuer = Issuer::start(Some((503, String::new()))).await;
    let asked = asked(&issuer.url);
    let task = tokio::spawn(Arc::clone(&asked.verifier).keep_fresh());
    common::until(async || issuer.asked() >= 1).await;
    assert_eq!(asked.login(&signer.good("1")).await, UNAVAILABLE);
    issuer.say(Some((200, set(&[signer.jwk("1")]))));
    asked.clock.advance(Duration::from_secs(60));
    assert!(asked.login(&signer.good("1")).await.is_ok());
    // What is no token is none, whether or not the issuer is there.
    assert_eq!(asked.login("x").await, INVALID);
    task.abort();
}

#[tokio::test]
async fn keys_are_renewed_in_the_background() {
    let (first, second) = (Signer::new("EdDSA"), Signer::new("EdDSA"));
    let issuer = Issuer::start(Some((200, set(&[first.jwk("1")])))).await;
    let table = format!(
        "[keys]\nurl = \"{}\"\nrefresh_every = \"1s\"\nrefresh_least = \"1s\"\n",
        issuer.url
    );
    let asked = Asked::new(&config(&table));
    let task = tokio::spawn(Arc::clone(&asked.verifier).keep_fresh());
    common::until(async || asked.login(&first.good("1")).await.is_ok()).await;
    issuer.say(Some((200, set(&[second.jwk("2")]))));
    // Nobody asks for a new key; the old one goes all the same.
    common::until(async || {
        asked.clock.advance(Duration::from_secs(2));
        asked.login(&first.good("1")).await == INVALID
    })
    .await;
    task.abort();
}

#[tokio::test]
async fn a_silent_issuer_costs_its_timeout_once() {
    let (known, stranger) = (Signer::new("EdDSA"), Signer::new("EdDSA"));
    let issuer = Issuer::start(Some((200, set(&[known.jwk("1")])))).await;
    let table = format!("[keys]\nurl = \"{}\"\ntimeout = \"1s\"\n", issuer.url);
    let asked = Asked::new(&config(&table));
    assert!(asked.login(&known.good("1")).await.is_ok());
    issuer.say(None);
    asked.clock.advance(Duration::from_secs(60));
    let begun = Instant::now();
    assert_eq!(asked.login(&stranger.good("2")).await, UNAVAILABLE);
    assert!(begun.elapsed() >= Duration::from_millis(900));
    let begun = Instant::now();
    for _ in 0..50 {
        assert_eq!(asked.login(&stranger.good("2")).await, UNAVAILABLE);
        assert!(asked.login(&known.good("1")).await.is_ok());
    }
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert_eq!(issuer.asked(), 2);
}

/// The process that the next test stops: it serves the keys in a variable.
#[test]
#[ignore = "a part of another test, which starts it"]
fn issuer_process() {
    let Ok(keys) = std::env::var("ISSUER_KEYS") else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let issuer = Issuer::start(Some((200, keys))).await;
        println!("\nurl={}", issuer.url);
        tokio::time::sleep(Duration::from_secs(120)).await;
    });
}

/// A process that does not outlive its test, stopped or not.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn an_issuer_that_is_stopped_in_its_tracks() {
    use std::io::BufRead as _;
    let signer = Signer::new("EdDSA");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "issuer_process", "--ignored", "--nocapture"])
        .env("ISSUER_KEYS", set(&[signer.jwk("1")]))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Ended(child);
    let lines = std::io::BufReader::new(child.0.stdout.take().unwrap()).lines();
    let url = { lines }.find_map(|line| line.unwrap().strip_prefix("url=").map(str::to_owned));
    let table = format!("[keys]\nurl = \"{}\"\ntimeout = \"1s\"\n", url.unwrap());
    let asked = Asked::new(&config(&table));
    assert!(asked.login(&signer.good("1")).await.is_ok());
    let process = rustix::process::Pid::from_child(&child.0);
    rustix::process::kill_process(process, rustix::process::Signal::STOP).unwrap();
    asked.clock.advance(Duration::from_secs(60));
    let begun = Instant::now();
    assert_eq!(asked.login(&signer.good("2")).await, UNAVAILABLE);
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert!(asked.login(&signer.good("1")).await.is_ok());
    rustix::process::kill_process(process, rustix::process::Signal::CONT).unwrap();
    asked.clock.advance(Duration::from_secs(60));
    assert_eq!(asked.login(&signer.good("2")).await, INVALID, "it answers again");
}
