//! What goes wrong half-way: clients that go, disks that refuse, answers that are lost.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use kit::{LEGACY, Plan, Says, start, start_plan};
use spool::Size;

const TEXT: &str = "From: anna@example.net\r\n\r\nHi\r\n";

/// A text that does not fit into memory.
fn large() -> String {
    TEXT.to_owned() + &("x".repeat(998) + "\r\n").repeat(2000)
}

/// A daemon whose messages go to files of their own from 4 KiB on.
async fn with_files() -> kit::Daemon {
    let spool = Box::new(|config: &mut spool::SpoolConfig| config.inline_max = Size::kib(4));
    start_plan(Plan { spool, ..Plan::new(LEGACY) }).await
}

#[tokio::test]
async fn a_client_that_goes_leaves_nothing_behind() {
    let daemon = with_files().await;
    daemon.steered.say(Says::AllowAnna { recipients_max: None });
    for (count, text) in ["", "From: anna", TEXT, &large()].into_iter().enumerate() {
        let mut client = daemon.legacy().await;
        client.begin("anna@example.net", &["x@example.org"]).await;
        client.send(text).await;
        drop(client);
        daemon.steered.settlements(2 * count + 1).await;
        let mut client = daemon.legacy().await;
        client.expect("MAIL FROM:<anna@example.net>", "250").await;
        client.expect("RCPT TO:<x@example.org>", "250").await;
        client.send(format!("BDAT {}\r\n{text}", text.len() + 1)).await;
        drop(client);
        daemon.steered.settlements(2 * count + 2).await;
    }
    assert!(daemon.steered.settlements(8).await.iter().all(|settled| !settled.accepted));
    assert!(daemon.queued().await.is_empty());
    let files = || std::fs::read_dir(daemon.spool_directory().join("big")).unwrap().count();
    kit::eventually(|| files() == 0).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_made_puts_the_message_off_and_not_the_session() {
    let daemon = with_files().await;
    let big = daemon.spool_directory().join("big");
    std::fs::rename(&big, big.with_extension("away")).unwrap();
    let mut client = daemon.anna().await;
    let reply = client.submit("anna@example.net", &["x@example.org"], large()).await;
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    // A small message needs none.
    let reply = client.submit("anna@example.net", &["x@example.org"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    std::fs::rename(big.with_extension("away"), &big).unwrap();
    let reply = client.submit("anna@example.net", &["x@example.org"], large()).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert_eq!(daemon.queued().await.len(), 2);
}

#[tokio::test]
async fn a_queue_that_is_full_at_the_end_of_a_message_says_so() {
    let spool = Box::new(|config: &mut spool::SpoolConfig| config.messages_max = 2);
    let daemon = start_plan(Plan { spool, ..Plan::new(LEGACY) }).await;
    let mut late = daemon.anna().await;
    late.begin("anna@example.net", &["x@example.org"]).await;
    let mut client = daemon.anna().await;
    for _ in 0..2 {
        let reply = client.submit("anna@example.net", &["x@example.org"], TEXT).await;
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
    }
    late.send(TEXT).await;
    late.expect(".", "452 4.3.1").await;
    late.expect("NOOP", "250 2.0.0").await;
    client.expect("MAIL FROM:<anna@example.net>", "250").await;
    client.expect("RCPT TO:<x@example.org>", "250").await;
    client.expect("DATA", "452 4.3.1").await;
    assert_eq!(daemon.queued().await.len(), 2);
}

#[tokio::test]
async fn after_a_refused_message_nothing_of_its_envelope_is_left() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    let forged = "From: boss@example.net\r\n\r\nHi\r\n";
    // Pipelined behind the end: neither sender nor recipient may be carried over.
    let end = format!("{forged}.\r\nDATA\r\nRCPT TO:<y@example.org>\r\nNOOP\r\n");
    client.begin("anna@example.net", &["x@example.org"]).await;
    client.send(end).await;
    for expected in ["550 5.7.1", "503 5.5.1", "503 5.5.1", "250 2.0.0"] {
        let reply = client.reply().await;
        assert!(reply.starts_with(expected), "{expected}: {reply}");
    }
    assert!(daemon.queued().await.is_empty());
}

#[tokio::test]
async fn transactions_in_one_piece_are_taken_in_order() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    let one = |n: usize| {
        format!(
            "MAIL FROM:<anna@example.net>\r\nRCPT TO:<x{n}@example.org>\r\nDATA\r\n\
             From: anna@example.net\r\nSubject: {n}\r\n\r\n{n}\r\n.\r\n"
        )
    };
    client.send((0..50).map(one).collect::<String>()).await;
    for _ in 0..50 {
        for expected in ["250 2.1.0", "250 2.1.5", "354 ", "250 2.0.0"] {
            let reply = client.reply().await;
            assert!(reply.starts_with(expected), "{expected}: {reply}");
        }
    }
    let queued = daemon.queued().await;
    assert_eq!(queued.len(), 50);
    for (n, message) in queued.iter().enumerate() {
        assert_eq!(message.recipients(), [format!("x{n}@example.org")]);
        let text = message.text();
        assert!(text.contains(&format!("\r\nSubject: {n}\r\n")), "{text}");
        assert!(text.ends_with(&format!("\r\n\r\n{n}\r\n")), "{text}");
    }
}

#[tokio::test]
async fn thousands_of_recipients_are_one_message() {
    let daemon = start(&format!("recipients_max = 3000\n{LEGACY}")).await;
    let mut client = daemon.anna().await;
    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
    let many: String = (0..3001).map(|n| format!("RCPT TO:<x{n}@example.org>\r\n")).collect();
    client.send(&many).await;
    for _ in 0..3000 {
        assert!(client.reply().await.starts_with("250 2.1.5"));
    }
    assert!(client.reply().await.starts_with("452 4.5.3"));
    client.expect("DATA", "354 ").await;
    client.send(TEXT).await;
    client.expect(".", "250 2.0.0").await;
    assert_eq!(daemon.queued().await[0].envelope.recipients.len(), 3000);
}

#[tokio::test]
async fn lines_of_64_kib_are_no_harm() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    let long = "x".repeat(64 * 1024);
    client.expect(&format!("NOOP {long}"), "500 5.5.2").await;
    client.expect(&format!("MAIL FROM:<{long}@example.net>"), "500 5.5.2").await;
    client.expect(&format!("AUTH PLAIN {long}"), "5").await;
    // In a message, the line is the author's business.
    let text = format!("From: anna@example.net\r\nX-Long: {long}\r\n\r\n{long}\r\n");
    let reply = client.submit("anna@example.net", &["x@example.org"], &text).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert!(daemon.queued().await[0].text().ends_with(&format!("\r\n\r\n{long}\r\n")));
}

#[tokio::test]
async fn what_a_reply_shows_is_configured() {
    let config = "[protocol]\nshow_queue_id = false\n\
                  refusal_note = \"Help: https://help.example.net\"\n";
    let daemon = start(&format!("{config}{LEGACY}")).await;
    let mut client = daemon.anna().await;
    let reply = client.submit("anna@example.net", &["x@example.org"], TEXT).await;
    assert_eq!(reply, "250 2.0.0 Accepted");
    let reply = client.say("MAIL FROM:<ben@example.net>").await;
    let last = reply.lines().last().unwrap();
    assert_eq!(last, "550 5.7.1 Help: https://help.example.net", "{reply}");
    client.expect("MAIL FROM:<anna@example.net>", "250").await;
    let reply = client.say("RCPT TO:<typo@example.net>").await;
    assert!(reply.ends_with("550 5.1.1 Help: https://help.example.net"), "{reply}");
}
