//! AUTH: exchanges whole, in pieces, broken off, and many at once.

use std::sync::Arc;
use std::thread;

use crate::counting::Counting;
use crate::kit::{Daemon, Setup, eventually};

/// `NUL aiko NUL secret`.
const PLAIN: &str = "AGFpa28Ac2VjcmV0";
/// `aiko`.
const AIKO: &str = "YWlrbw==";
/// `secret`.
const SECRET: &str = "c2VjcmV0";

fn house() -> (Daemon, Arc<Counting>) {
    let mut setup = Setup::aiko(&[b"x\n"]);
    let told = Arc::new(Counting::default());
    setup.observers = vec![Arc::<Counting>::clone(&told)];
    setup.config.errors_max = 20;
    (setup.start(), told)
}

#[test]
fn every_way_in_is_a_login() {
    let (daemon, told) = house();
    for lines in [
        &[("AUTH PLAIN", "+ "), (PLAIN, "+OK 1 messages")][..],
        &[("auth login", "+ VXNlcm5hbWU6"), (AIKO, "+ UGFzc3dvcmQ6"), (SECRET, "+OK 1 messages")],
        &[("AUTH LOGIN YWlrbw==", "+ UGFzc3dvcmQ6"), (SECRET, "+OK 1 messages")],
        &[("AUTH PLAIN AGFpa28Ac2VjcmV0", "+OK 1 messages")],
    ] {
        let mut client = daemon.greeted();
        for (line, reply) in lines {
            client.ask(line, reply);
        }
        client.ask("STAT", "+OK 1 3");
        client.ask("QUIT", "+OK");
        client.expect_closed();
    }
    assert_eq!(told.told(), ["aiko 127.0.0.1 false"; 4]);
    assert_eq!(daemon.pop3d.statistics().logins, 4);
}

#[test]
fn an_exchange_ends_with_its_last_line() {
    let (daemon, told) = house();
    let mut client = daemon.greeted();
    for (line, reply) in [
        // Each time the line behind it is a command again.
        (AIKO, "-ERR Unknown command"),
        ("*", "-ERR Authentication cancelled"),
        ("AGFp", "-ERR The response is malformed"),
        ("AGFpa28Ad3Jvbmc=", "-ERR [AUTH]"),
        ("!", "-ERR The response is not valid base64"),
    ] {
        if line != AIKO {
            client.ask("AUTH PLAIN", "+ ");
        }
        client.ask(line, reply);
        client.ask("NOOP", "-ERR Log in first");
    }
    // A name of an exchange that was broken off is no name for the next, nor for PASS.
    client.ask("AUTH LOGIN", "+ VXNlcm5hbWU6");
    client.ask(AIKO, "+ UGFzc3dvcmQ6");
    client.ask("*", "-ERR");
    client.ask("PASS secret", "-ERR Send USER first");
    client.ask("AUTH LOGIN", "+ VXNlcm5hbWU6");
    client.ask(SECRET, "+ UGFzc3dvcmQ6");
    client.ask(SECRET, "-ERR [AUTH]");
    assert!(told.told().is_empty());
    client.ask(&format!("AUTH PLAIN {PLAIN}"), "+OK");
    client.ask("AUTH PLAIN", "-ERR Not after the login");
    client.ask("STAT", "+OK 1 3");
}

#[test]
fn what_is_sent_ahead_is_the_response() {
    let (daemon, _) = house();
    let mut client = daemon.greeted();
    client.send(format!("AUTH PLAIN\r\n{PLAIN}\r\nSTAT\r\nQUIT\r\n"));
    for reply in ["+ ", "+OK 1 messages", "+OK 1 3", "+OK"] {
        client.expect(reply);
    }
    client.expect_closed();
    // Octet by octet, and a whole session at once.
    let mut client = daemon.greeted();
    let ahead = format!("AUTH LOGIN\r\n{AIKO}\r\n{SECRET}\r\nUIDL\r\nQUIT\r\n");
    for octet in ahead.as_bytes() {
        client.send([*octet]);
    }
    for reply in ["+ VXNlcm5hbWU6", "+ UGFzc3dvcmQ6", "+OK", "+OK", "1 ", ".", "+OK"] {
        client.expect(reply);
    }
    client.expect_closed();
}

#[test]
fn nothing_of_an_exchange_goes_into_tls() {
    let (daemon, _) = house();
    let mut client = daemon.greeted();
    client.ask("AUTH LOGIN", "+ VXNlcm5hbWU6");
    client.ask(AIKO, "+ UGFzc3dvcmQ6");
    client.ask("*", "-ERR");
    client.send(format!("STLS\r\nAUTH LOGIN\r\n{AIKO}\r\n"));
    client.expect("+OK Begin TLS");
    let mut secure = daemon.secure(client, &[]).unwrap();
    secure.ask(SECRET, "-ERR Unknown command");
    secure.ask("AUTH LOGIN", "+ VXNlcm5hbWU6");
    secure.ask(AIKO, "+ UGFzc3dvcmQ6");
    secure.ask(SECRET, "+OK 1 messages");
}

#[test]
fn long_messages_are_taken_and_longer_ones_refused() {
    let (daemon, _) = house();
    let mut client = daemon.greeted();
    let long = "QUFB".repeat(3072);
    client.ask(&format!("AUTH PLAIN {long}"), "-ERR The response is malformed");
    client.ask("AUTH PLAIN", "+ ");
    client.ask(&long, "-ERR The response is malformed");
    client.ask("AUTH PLAIN", "+ ");
    client.ask(&format!("{long}QUFB"), "-ERR Response too long");
    client.ask("AUTH PLAIN", "+ ");
    client.ask(&long.repeat(4), "-ERR Line too long");
    client.ask(&format!("AUTH PLAIN {PLAIN}"), "+OK");
}

#[test]
fn exchanges_of_many_clients_do_not_mix() {
    let mut setup = Setup::new();
    for number in 0..8 {
        setup.account(&format!("user{number}"), &format!("secret{number}"));
    }
    setup.config.errors_max = 100;
    let daemon = setup.start();
    thread::scope(|scope| {
        for number in 0..8 {
            let daemon = &daemon;
            scope.spawn(move || {
                let encoded = |text: String| {
                    let mut line = Vec::new();
                    sasl::encode(text.as_bytes(), &mut line);
                    String::from_utf8(line).unwrap()
                };
                for round in 0..20 {
                    let mut client = daemon.greeted();
                    client.ask("AUTH LOGIN", "+ ");
                    client.ask(&encoded(format!("user{number}")), "+ ");
                    if round % 4 == 3 {
                        // Its neighbour's password is wrong for it.
                        client.ask(&encoded(format!("secret{}", number ^ 1)), "-ERR [AUTH]");
                        continue;
                    }
                    client.ask(&encoded(format!("secret{number}")), "+OK 0 messages");
                    client.ask("QUIT", "+OK");
                }
            });
        }
    });
    assert_eq!(daemon.pop3d.statistics().logins, 8 * 15);
}

#[test]
fn clients_that_leave_in_the_middle_are_gone() {
    let (daemon, told) = house();
    for _ in 0..50 {
        let mut client = daemon.greeted();
        client.ask("AUTH LOGIN", "+ ");
        client.send(AIKO);
        drop(client);
        let mut client = daemon.greeted();
        client.send(format!("AUTH LOGIN\r\n{AIKO}\r\n{SECRET}\r\n"));
        drop(client);
    }
    eventually("all sessions gone", || daemon.pop3d.gate().counts().sessions == 0);
    let before = told.told().len();
    let mut client = daemon.greeted();
    client.ask(&format!("AUTH PLAIN {PLAIN}"), "+OK");
    assert_eq!(told.told().len(), before + 1);
}
