//! Proxies that name their clients (`XCLIENT`), and what goes by the client's address then.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[allow(dead_code)]
mod kit;

use kit::{ANNAS_PASSWORD, Client, Daemon, LEGACY, Says, start};
use spool::Origin;

const TRUSTING: &str = "cleartext_auth_networks = [\"192.0.2.0/24\"]\nsessions_per_ip_max = 2\n\
                        [protocol]\nxclient_networks = [\"127.0.0.0/8\"]\n";

async fn proxied() -> Daemon {
    start(&format!("{TRUSTING}{LEGACY}")).await
}

/// A connection of the proxy that has said EHLO, and has named its client.
async fn named(daemon: &Daemon, attributes: &str) -> Client {
    let mut client = daemon.legacy().await;
    client.expect(&format!("XCLIENT {attributes}"), "220 mail.example.net").await;
    client
}

#[tokio::test]
async fn the_address_is_the_clients_in_all_that_follows() {
    let daemon = proxied().await;
    let mut client = named(&daemon, "ADDR=192.0.2.7 PORT=4711 HELO=pc.example PROTO=ESMTP").await;
    // From there, a password may come in clear.
    assert!(client.say("EHLO proxy").await.contains("AUTH PLAIN LOGIN"));
    client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
    let text = "From: anna@example.net\r\n\r\nHi\r\n";
    let reply = client.submit("anna@example.net", &["x@example.org"], text).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let queued = daemon.queued().await;
    let Origin::Submitted { client, .. } = &queued[0].origin else { panic!() };
    assert_eq!(client.to_string(), "192.0.2.7");
    let text = queued[0].text();
    assert!(text.starts_with("Received: from pc.example ([192.0.2.7])"), "{text}");
}

#[tokio::test]
async fn nothing_of_before_counts() {
    let daemon = proxied().await;
    daemon.steered.say(Says::AllowAnna { recipients_max: None });
    let mut client = daemon.legacy().await;
    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
    client.expect("XCLIENT ADDR=192.0.2.7", "503 5.5.1").await;
    client.expect("RSET", "250").await;
    client.expect("XCLIENT ADDR=192.0.2.7", "220").await;
    client.expect("MAIL FROM:<anna@example.net>", "503 5.5.1").await;
    client.say("EHLO proxy").await;
    client.expect("MAIL FROM:<anna@example.net>", "250 2.1.0").await;
}

#[tokio::test]
async fn a_client_that_is_not_named_is_nobody() {
    let daemon = proxied().await;
    // The proxy's own address would be in no network that may send passwords in clear.
    let mut client = daemon.legacy().await;
    client.expect(ANNAS_PASSWORD, "538 5.7.11").await;
    for attributes in ["ADDR=[UNAVAILABLE]", "ADDR=[TEMPUNAVAIL]", "HELO=x"] {
        client.expect(&format!("XCLIENT {attributes}"), "220").await;
        assert!(!client.say("EHLO proxy").await.contains("AUTH"), "{attributes}");
    }
    // What was believed once is not believed for the next client.
    client.expect("XCLIENT ADDR=192.0.2.7", "220").await;
    assert!(client.say("EHLO proxy").await.contains("AUTH"));
    client.expect("XCLIENT ADDR=198.51.100.7", "220").await;
    assert!(!client.say("EHLO proxy").await.contains("AUTH"));
}

#[tokio::test]
async fn sessions_are_counted_where_the_client_is() {
    let daemon = proxied().await;
    let mut first = named(&daemon, "ADDR=192.0.2.7").await;
    let _second = named(&daemon, "ADDR=192.0.2.7").await;
    let mut third = daemon.legacy().await;
    assert_eq!(
        third.say("XCLIENT ADDR=192.0.2.7").await,
        "421 4.3.2 Too many sessions, try again later"
    );
    assert!(third.is_closed().await);
    // One that goes makes room.
    first.expect("QUIT", "221").await;
    assert!(first.is_closed().await);
    let _fourth = named(&daemon, "ADDR=192.0.2.7").await;
    let _other = named(&daemon, "ADDR=192.0.2.8").await;
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let config = TRUSTING.replace("127.0.0.0/8", "198.51.100.0/24");
    let daemon = start(&format!("{config}{LEGACY}")).await;
    let mut client = daemon.client("legacy").await;
    client.reply().await;
    assert!(!client.say("EHLO client").await.contains("XCLIENT"));
    let reply = client.say("XCLIENT ADDR=192.0.2.7").await;
    assert!(reply.starts_with('5'), "{reply}");
    client.expect(ANNAS_PASSWORD, "538 5.7.11").await;
}

#[tokio::test]
async fn a_claimed_login_is_no_login() {
    let daemon = proxied().await;
    let mut client = named(&daemon, "ADDR=192.0.2.7 LOGIN=anna@example.net").await;
    client.say("EHLO proxy").await;
    client.expect("MAIL FROM:<anna@example.net>", "530 5.7.0").await;
}

#[tokio::test]
async fn a_listener_may_believe_a_proxy_that_took_the_password() {
    let daemon = start(&format!("{TRUSTING}{LEGACY}xclient_login = true\n")).await;
    let mut client = named(&daemon, "ADDR=192.0.2.7 LOGIN=Anna@example.net").await;
    client.expect("MAIL FROM:<anna@example.net>", "503 5.5.1").await;
    client.say("EHLO proxy").await;
    client.expect("MAIL FROM:<ben@example.net>", "550 5.7.1").await;
    let text = "From: anna@example.net\r\n\r\nHi\r\n";
    let reply = client.submit("anna@example.net", &["x@example.org"], text).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    // The next client of the same connection is somebody else.
    client.expect("XCLIENT ADDR=192.0.2.8 LOGIN=[UNAVAILABLE]", "220").await;
    client.say("EHLO proxy").await;
    client.expect("MAIL FROM:<anna@example.net>", "530 5.7.0").await;
    client.expect("XCLIENT LOGIN=nobody@example.net", "535 5.7.8").await;
    assert!(client.is_closed().await);
    let queued = daemon.queued().await;
    let Origin::Submitted { account, client, .. } = &queued[0].origin else { panic!() };
    assert_eq!((account.as_str(), &*client.to_string()), ("anna@example.net", "192.0.2.7"));
}
