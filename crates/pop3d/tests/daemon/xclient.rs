//! XCLIENT: a proxy names its client, and is believed only where it is ours.

use std::sync::Arc;
use std::time::Duration;

use crate::counting::Counting;
use crate::kit::{Client, Setup, eventually};

/// Proxies are trusted on this host, and customers' networks are in the documentation's blocks.
fn setup() -> Setup {
    let mut setup = Setup::aiko(&[b"x\n"]);
    setup.config.protocol.xclient_networks = vec!["127.0.0.1/32".parse().unwrap()];
    setup.config.errors_max = 20;
    setup
}

fn told(setup: &mut Setup) -> Arc<Counting> {
    let counting = Arc::new(Counting::default());
    setup.observers = vec![Arc::<Counting>::clone(&counting)];
    counting
}

fn expect_refused_in_clear(client: &mut Client) {
    client.ask("USER aiko", "-ERR Login without encryption is refused");
    client.ask("AUTH PLAIN AGFpa28Ac2VjcmV0", "-ERR Login without encryption is refused");
}

#[test]
fn the_policy_for_cleartext_is_the_named_clients() {
    let mut setup = setup();
    setup.config.cleartext_networks = vec!["192.0.2.0/24".parse().unwrap()];
    let told = told(&mut setup);
    let daemon = setup.start();
    // The proxy is on this host; its client is not.
    let mut client = daemon.greeted();
    client.ask("XCLIENT ADDR=198.51.100.7 PORT=4711", "+OK");
    expect_refused_in_clear(&mut client);
    let mut client = daemon.greeted();
    client.ask("XCLIENT ADDR=192.0.2.7 PORT=4711", "+OK");
    client.log_in("aiko", "secret");
    client.ask("QUIT", "+OK");
    // In IPv6 clothes, the same.
    let mut client = daemon.greeted();
    client.ask("XCLIENT ADDR=::ffff:192.0.2.8", "+OK");
    client.log_in("aiko", "secret");
    assert_eq!(told.told(), ["aiko 192.0.2.7 false", "aiko 192.0.2.8 false"]);
}

#[test]
fn a_proxy_that_says_nothing_is_nobody() {
    let daemon = setup().start();
    // Loopback may log in in clear; a proxy on it that does not say for whom may not.
    let mut client = daemon.greeted();
    expect_refused_in_clear(&mut client);
    let mut client = daemon.greeted();
    client.ask("XCLIENT SESSION=abc", "+OK");
    expect_refused_in_clear(&mut client);
    // From elsewhere on this host it is no proxy.
    let mut client = daemon.greeted_from("127.0.0.9");
    client.log_in("aiko", "secret");
}

#[test]
fn what_protects_the_clients_side_is_what_counts() {
    let mut setup = setup();
    let told = told(&mut setup);
    let daemon = setup.start();
    let mut client = daemon.greeted();
    client.ask("XCLIENT ADDR=198.51.100.7 CLIENT-TRANSPORT=TLSv1.3", "+OK");
    client.log_in("aiko", "secret");
    client.ask("QUIT", "+OK");
    // TLS on this side does nothing for a client in clear on the other.
    let mut client = daemon.connect_tls();
    client.expect("+OK");
    client.ask("XCLIENT ADDR=198.51.100.7 CLIENT-TRANSPORT=insecure", "+OK");
    expect_refused_in_clear(&mut client);
    client.ask("STLS", "-ERR");
    // Not said: this side counts.
    let mut client = daemon.connect_tls();
    client.expect("+OK");
    client.ask("XCLIENT ADDR=198.51.100.8", "+OK");
    client.log_in("aiko", "secret");
    assert_eq!(told.told(), ["aiko 198.51.100.7 true", "aiko 198.51.100.8 true"]);
}

#[test]
fn nobody_else_is_believed() {
    let mut setup = setup();
    setup.config.protocol.xclient_networks = vec!["192.0.2.0/24".parse().unwrap()];
    let told = told(&mut setup);
    let daemon = setup.start();
    let mut client = daemon.greeted();
    client.ask("XCLIENT ADDR=192.0.2.7", "-ERR Not supported");
    client.ask("XOIP 192.0.2.7", "-ERR Not supported");
    client.log_in("aiko", "secret");
    assert_eq!(told.told(), ["aiko 127.0.0.1 false"]);
}

#[test]
fn a_proxy_is_believed_once_and_not_after_the_login() {
    let mut setup = setup();
    let told = told(&mut setup);
    let daemon = setup.start();
    let mut client = daemon.connect_tls();
    client.expect("+OK");
    client.ask("XCLIENT ADDR=198.51.100.7", "+OK");
    // Whoever speaks now may be the client itself.
    client.ask("XCLIENT ADDR=198.51.100.9", "-ERR");
    client.log_in("aiko", "secret");
    client.ask("XCLIENT ADDR=198.51.100.9", "-ERR");
    // One that is in the proxies' network itself does not get a second try by it.
    let mut client = daemon.greeted();
    client.ask("XCLIENT ADDR=127.0.0.1", "+OK");
    client.ask("XCLIENT ADDR=198.51.100.9", "-ERR");
    assert_eq!(told.told(), ["aiko 198.51.100.7 true"]);
}

#[test]
fn malformed_facts_change_nothing() {
    let daemon = setup().start();
    let mut client = daemon.greeted();
    for bad in ["ADDR", "ADDR=localhost", "ADDR=192.0.2.1 PORT=0", "ADDR=1.2.3.4.5"] {
        client.ask(&format!("XCLIENT {bad}"), "-ERR");
    }
    expect_refused_in_clear(&mut client);
    client.ask("XCLIENT ADDR=127.0.0.8", "+OK");
    client.log_in("aiko", "secret");
    client.ask("QUIT", "+OK");
    // In one segment with what the client sends.
    let mut client = daemon.greeted();
    client.send("XCLIENT ADDR=127.0.0.8\r\nUSER aiko\r\nPASS secret\r\nSTAT\r\n");
    for _ in 0..3 {
        client.expect("+OK");
    }
    client.expect("+OK 1 3");
}

#[test]
fn a_user_before_it_is_forgotten() {
    let daemon = setup().start();
    let mut client = daemon.connect_tls();
    client.expect("+OK");
    client.ask("USER aiko", "+OK");
    client.ask("XCLIENT ADDR=198.51.100.7", "+OK");
    client.ask("PASS secret", "-ERR");
    client.log_in("aiko", "secret");
}

#[test]
fn sessions_are_counted_for_the_named_client() {
    let mut setup = setup();
    setup.config.sessions_per_ip_max = 2;
    let daemon = setup.start();
    let named = |last: u8| {
        let mut client = daemon.greeted();
        client.send(format!("XCLIENT ADDR=192.0.2.{last}\r\n"));
        client
    };
    // Far more than two from the proxy, each for somebody else.
    let mut held: Vec<_> = (1..=6).map(named).collect();
    for client in &mut held {
        client.expect("+OK");
    }
    let mut second = named(1);
    second.expect("+OK");
    let mut third = named(1);
    third.expect("-ERR [SYS/TEMP] Too many sessions");
    third.expect_closed();
    drop(second);
    eventually("a free seat", || daemon.pop3d.gate().counts().sessions == 6);
    named(1).expect("+OK");
    drop(held);
    eventually("all gone", || daemon.pop3d.gate().counts().sessions == 0);
}

#[test]
fn a_takeover_names_both_clients() {
    let mut setup = setup();
    setup.config.maildrop.takeover_after = Duration::from_millis(200);
    let daemon = setup.start();
    let at = |last: u8| {
        let mut client = daemon.greeted();
        client.ask(&format!("XCLIENT ADDR=192.0.2.{last} CLIENT-TRANSPORT=TLS"), "+OK");
        client.log_in("aiko", "secret");
        client
    };
    let mut first = at(1);
    std::thread::sleep(Duration::from_millis(250));
    let mut second = at(2);
    first.expect_closed();
    second.ask("STAT", "+OK 1 3");
    assert_eq!(daemon.pop3d.statistics().taken_over, 1);
}

#[test]
fn behind_a_proxy_header_it_is_the_headers_client_that_must_be_trusted() {
    let mut setup = setup();
    setup.config.listen[0].proxy_protocol = true;
    setup.config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let daemon = setup.start();
    // The balancer says who connects: a customer, who is no proxy of ours.
    let mut client = daemon.connect();
    client.send("PROXY TCP4 192.0.2.7 10.0.0.1 5000 110\r\n");
    client.expect("+OK");
    client.ask("XCLIENT ADDR=127.0.0.8", "-ERR Not supported");
    // And one that is.
    let mut client = daemon.connect();
    client.send("PROXY TCP4 127.0.0.1 10.0.0.1 5000 110\r\n");
    client.expect("+OK");
    client.ask("XCLIENT ADDR=127.0.0.8", "+OK");
    client.log_in("aiko", "secret");
}
