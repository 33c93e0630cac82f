//! Addresses without a domain: completed where it is certain whose they are, refused elsewhere
//! (RFC 6409 section 4.2).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use kit::{LEGACY, RECEIVING, Says, start};

const TEXT: &str = "From: anna@example.net\r\n\r\nHi\r\n";

#[tokio::test]
async fn ones_own_address_and_mailboxes_here_are_completed() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    let reply = client.submit("anna", &["ben", "meier"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let queued = daemon.queued().await;
    assert_eq!(queued[0].envelope.sender.to_string(), "<anna@example.net>");
    assert_eq!(queued[0].recipients(), ["ben@example.net", "meier@example.net"]);
}

#[tokio::test]
async fn nobody_elses() {
    let daemon = start(LEGACY).await;
    let mut client = daemon.anna().await;
    client.expect("MAIL FROM:<ben>", "554 5.1.8").await;
    client.expect("MAIL FROM:<nobody>", "554 5.1.8").await;
    client.expect("MAIL FROM:<anna>", "250 2.1.0").await;
    client.expect("RCPT TO:<nobody>", "554 5.1.3").await;
    client.expect("RCPT TO:<postmaster>", "250 2.1.5").await;

    // By another authority, the permit's account decides.
    daemon.steered.say(Says::AllowAnna { recipients_max: None });
    let mut client = daemon.legacy().await;
    client.expect("MAIL FROM:<ben>", "554 5.1.8").await;
    client.expect("MAIL FROM:<anna>", "250 2.1.0").await;
}

#[tokio::test]
async fn where_it_is_switched_off_none_is() {
    let daemon = start(&format!("[protocol]\ncomplete_addresses = false\n{RECEIVING}")).await;
    let mut client = daemon.anna().await;
    client.expect("MAIL FROM:<anna>", "554 5.1.8").await;
    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
    client.expect("RCPT TO:<ben>", "554 5.1.3").await;
    let mut client = daemon.legacy().await;
    client.expect("MAIL FROM:<stranger>", "554 5.1.8").await;
}
