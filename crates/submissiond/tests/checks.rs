//! Limits and filters: who is asked when, and what becomes of a message that they do not pass.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use address::AccountKey;
use auth::{Clock as _, SystemClock};
use kit::{ANNAS_PASSWORD, Checks, Daemon, LEGACY, Plan, RECEIVING, start_plan};
use spool::Origin;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

const TEXT: &str = "From: anna@example.net\r\n\r\nHi\r\n";

async fn limited(limits: &'static str) -> Daemon {
    let checks = Some(Checks { limits, filter: String::new() });
    start_plan(Plan { checks, ..Plan::new(LEGACY) }).await
}

#[tokio::test]
async fn a_suspended_account_is_told_after_the_right_password_and_at_mail() {
    let daemon = limited("").await;
    let limits = daemon.limits.clone().unwrap();
    let anna = AccountKey::parse("anna@example.net", None).unwrap();
    let mut before = daemon.anna().await;
    let now = || SystemClock::new().now();
    limits.suspend(&anna, "spam", now()).await.unwrap();
    before.expect("MAIL FROM:<anna@example.net>", "525 5.7.13").await;
    let mut client = daemon.legacy().await;
    client.expect(kit::WRONG_PASSWORD, "535 5.7.8").await;
    client.expect(ANNAS_PASSWORD, "525 5.7.13").await;
    client.expect("MAIL FROM:<anna@example.net>", "530 5.7.0").await;
    limits.resume(&anna, now()).await.unwrap();
    client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
    let reply = client.submit("anna@example.net", &["x@example.org"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
}

#[tokio::test]
async fn what_is_beyond_a_limit_is_held_or_put_off() {
    let daemon = limited("account = { messages_per_hour = 2, action = \"hold\" }").await;
    let mut client = daemon.anna().await;
    for _ in 0..3 {
        let reply = client.submit("anna@example.net", &["x@example.org"], TEXT).await;
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
    }
    let entries = daemon.spool.list(spool::Filter::default()).await;
    let held: Vec<_> = entries.iter().filter_map(|entry| entry.review.as_deref()).collect();
    assert_eq!(held.len(), 1, "{entries:?}");
    assert!(held[0].starts_with("limit "), "{held:?}");
    assert_eq!(entries.iter().filter(|entry| entry.held).count(), 1, "{entries:?}");
    // What is held is tried by nobody. The customer is told of it, by a report of ours.
    let queued = daemon.queued().await;
    let submitted = queued.iter().filter(|one| matches!(one.origin, Origin::Submitted { .. }));
    assert_eq!(submitted.count(), 2);

    let daemon = limited("account = { messages_per_hour = 1, action = \"defer\" }").await;
    let mut client = daemon.anna().await;
    let reply = client.submit("anna@example.net", &["x@example.org"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    client.expect("MAIL FROM:<anna@example.net>", "450 4.7.1").await;
}

#[tokio::test]
async fn a_message_that_is_refused_does_not_count() {
    let daemon = limited("account = { messages_per_hour = 1, action = \"defer\" }").await;
    let mut client = daemon.anna().await;
    for text in ["From: boss@example.net\r\n\r\nHi\r\n", "Subject: none\r\n\r\nHi\r\n"] {
        let reply = client.submit("anna@example.net", &["x@example.org"], text).await;
        assert!(reply.starts_with("55"), "{reply}");
    }
    let reply = client.submit("anna@example.net", &["x@example.org"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
}

/// A policy service that answers by the recipient or the stage, and notes what it was asked.
async fn policy() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut question = String::new();
                while stream.read_line(&mut question).await.unwrap_or(0) > 0 {
                    if !question.ends_with("\n\n") {
                        continue;
                    }
                    let action = match () {
                        () if question.contains("recipient=no@") => "REJECT 5.7.1 Not to him",
                        () if question.contains("recipient=late@") => "DEFER 4.7.1 Not yet",
                        () => "DUNNO",
                    };
                    let answer = format!("action={action}\n\n");
                    log.lock().unwrap().push(std::mem::take(&mut question));
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, asked)
}

async fn filtered(listeners: &str, filter: String) -> Daemon {
    let checks = Some(Checks { limits: "", filter });
    let config = format!("{listeners}filters = [\"service\"]\n");
    start_plan(Plan { checks, ..Plan::new(config) }).await
}

#[tokio::test]
async fn a_policy_service_is_told_who_and_decides() {
    let (address, asked) = policy().await;
    let filter = format!(
        "[[policy]]\nname = \"service\"\naddress = \"{address}\"\nat = [\"mail\", \"rcpt\"]\n"
    );
    let daemon = filtered(LEGACY, filter.clone()).await;
    let mut client = daemon.anna().await;
    client.expect("MAIL FROM:<anna@example.net> SIZE=100", "250 2.1.0").await;
    client.expect("RCPT TO:<no@example.org>", "554 5.7.1 Not to him").await;
    client.expect("RCPT TO:<late@example.org>", "450 4.7.1 Not yet").await;
    client.expect("RCPT TO:<x@example.org>", "250 2.1.5").await;
    client.expect("DATA", "354 ").await;
    client.expect(&format!("{TEXT}."), "250 2.0.0").await;
    assert_eq!(daemon.queued().await[0].recipients(), ["x@example.org"]);
    let asked = asked.lock().unwrap().join("");
    for words in
        ["protocol_state=MAIL\n", "protocol_state=RCPT\n", "sasl_username=anna@example.net"]
    {
        assert!(asked.contains(words), "{words}: {asked}");
    }
    for words in ["client_address=127.0.0.1\n", "helo_name=client\n", "size=100\n"] {
        assert!(asked.contains(words), "{words}: {asked}");
    }

    // Mail from elsewhere is asked about too.
    let daemon = filtered(RECEIVING, filter).await;
    let mut client = daemon.legacy().await;
    let reply = client.submit("stranger@example.org", &["ben@example.net"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
}

#[tokio::test]
async fn a_filter_that_is_not_there_puts_off_or_is_passed_over_as_configured() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for (kind, at) in [("milter", ""), ("policy", "at = [\"mail\"]\n")] {
        for (on_failure, reply) in [("defer", "451 4.7.1"), ("accept", "250 2.1.0")] {
            let filter = format!(
                "[[{kind}]]\nname = \"service\"\naddress = \"{address}\"\n\
                 on_failure = \"{on_failure}\"\n{at}"
            );
            let daemon = filtered(LEGACY, filter).await;
            let mut client = daemon.anna().await;
            client.expect("MAIL FROM:<anna@example.net>", reply).await;
            client.expect("NOOP", "250 2.0.0").await;
        }
    }
}
