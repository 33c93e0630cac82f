//! The change to TLS in the middle of a session.

use lastpost_tests::{House, Talk};

use crate::kit::{AIKO, BERT, HERE, house, lines, listing, names, plain, put};

fn furnished() -> House {
    let house = house();
    put(&house, BERT, "1.m", b"of bert\n");
    house
}

fn capabilities(talk: &mut Talk) -> Vec<String> {
    listing(talk, "CAPA")
}

/// CVE-2021-33515 (Dovecot), CVE-2021-38084 (Courier), CVE-2021-38542 (James), Cyrus bug 3423:
/// what an attacker sent in clear behind STLS was obeyed under TLS, as the customer's.
#[test]
fn plaintext_behind_stls_is_dropped() {
    let house = furnished();
    let bert = plain(BERT, house.customer(BERT).password);
    let injected = [
        "NOOP\r\n".to_owned(),
        "US".to_owned(),
        format!("AUTH PLAIN {bert}\r\nDELE 1\r\nQUIT\r\n"),
        format!("USER {BERT}\r\nPASS {}\r\n", house.customer(BERT).password),
        "STLS\r\n".repeat(100),
        "x".repeat(100_000),
    ];
    for injected in injected {
        let mut talk = house.client("pop3", HERE);
        talk.send_raw(format!("STLS\r\n{injected}").as_bytes());
        talk.expect_reply("+OK");
        if talk.try_start_tls(&[]).is_err() {
            // Octets that came too late to be dropped end the connection: just as good.
            continue;
        }
        talk.expect("STAT", "-ERR");
        talk.expect(&format!("AUTH PLAIN {}", plain(AIKO, house.customer(AIKO).password)), "+OK");
        talk.expect("STAT", "+OK 0 0");
        talk.expect("QUIT", "+OK");
        assert!(talk.rest().unwrap().is_empty());
    }
    assert_eq!(names(&house, BERT), ["1.m"]);
}

/// CVE-2022-28220 (James): the first remedy missed what came in a packet of its own, while the
/// answer to STLS was on its way.
#[test]
fn plaintext_in_later_packets_is_dropped_or_fatal() {
    let house = furnished();
    let bert = plain(BERT, house.customer(BERT).password);
    for delayed in 0..20 {
        let mut talk = house.client("pop3", HERE);
        talk.send_raw(b"STLS\r\n");
        for _ in 0..delayed {
            std::thread::yield_now();
        }
        let _ = talk.try_send_raw(format!("AUTH PLAIN {bert}\r\nDELE 1\r\nQUIT\r\n").as_bytes());
        talk.expect_reply("+OK");
        // Whether the octets were dropped or taken for a bad handshake: nothing was obeyed.
        if talk.try_start_tls(&[]).is_ok() {
            talk.expect("STAT", "-ERR");
            talk.expect("QUIT", "+OK");
        }
    }
    crate::kit::wait_for_sessions(&house, 0);
    assert_eq!(names(&house, BERT), ["1.m"]);
    assert_eq!(crate::kit::counter(&house, "pop3.logins"), 0);
}

/// Stalwart 0.15: the name of USER and half a line lived on across STLS.
#[test]
fn what_was_said_in_clear_is_forgotten() {
    let house = furnished();
    let password = house.customer(BERT).password;
    let mut talk = house.client("pop3", HERE);
    talk.expect(&format!("USER {BERT}"), "+OK");
    talk.expect("STLS", "+OK");
    talk.start_tls();
    talk.expect(&format!("PASS {password}"), "-ERR");
    let mut talk = house.client("pop3", HERE);
    talk.expect("AUTH LOGIN", "+ ");
    talk.expect("STLS", "-ERR");
    talk.expect("STLS", "+OK");
    talk.start_tls();
    talk.expect(&crate::kit::base64(BERT), "-ERR");
    talk.expect("QUIT", "+OK");
}

/// Errors made in clear do not count under TLS, nor the other way round for the attacker's gain:
/// the limit holds for the connection.
#[test]
fn guesses_in_clear_and_under_tls_are_one_count() {
    let house = furnished();
    let mut talk = house.client("pop3", HERE);
    for _ in 0..2 {
        talk.expect(&format!("AUTH PLAIN {}", plain(BERT, "wrong")), "-ERR [AUTH]");
    }
    talk.expect("STLS", "+OK");
    talk.start_tls();
    let mut guesses = 0;
    loop {
        talk.send(&format!("AUTH PLAIN {}", plain(BERT, "wrong")));
        match talk.try_line() {
            Ok(Some(reply)) if reply.starts_with("-ERR [AUTH]") => guesses += 1,
            _ => break,
        }
        assert!(guesses <= 3, "the connection goes on for ever");
    }
}

/// Stalwart 0.15: STLS was announced and obeyed after the login. RFC 2595 section 4: neither.
#[test]
fn stls_is_for_before_the_login() {
    let house = furnished();
    let mut talk = house.client("pop3", HERE);
    assert!(capabilities(&mut talk).contains(&"STLS".to_owned()));
    let mut talk = house.logged_in(BERT, HERE);
    assert!(!capabilities(&mut talk).contains(&"STLS".to_owned()));
    talk.expect("STLS", "-ERR");
    talk.expect("STAT", "+OK 1 9");
}

/// Courier shares one list for both states; it says STLS where TLS is active already.
#[test]
fn stls_is_for_once() {
    let house = furnished();
    let mut talk = house.client("pop3", HERE);
    talk.expect("STLS", "+OK");
    talk.start_tls();
    assert!(!capabilities(&mut talk).contains(&"STLS".to_owned()));
    talk.expect("STLS", "-ERR");
    talk.expect("QUIT", "+OK");
    let mut talk = Talk::connect_tls(house.address("pop3s"), HERE);
    talk.expect_reply("+OK");
    talk.expect("STLS", "-ERR");
    assert!(!capabilities(&mut talk).contains(&"STLS".to_owned()));
    let argument = "STLS now";
    let mut talk = house.client("pop3", HERE);
    talk.expect(argument, "-ERR");
    talk.expect("NOOP", "-ERR");
}

/// A session that began in clear and goes on under TLS is like any other.
#[test]
fn mail_comes_whole_behind_stls() {
    let house = furnished();
    let stored = [b"Subject: x\n\n".as_slice(), &b".line of some length\n".repeat(50_000)].concat();
    put(&house, BERT, "2.m", &stored);
    let mut talk = house.client("pop3", HERE);
    talk.expect("STLS", "+OK");
    assert_eq!(talk.try_start_tls(&[b"pop3"]).unwrap().as_deref(), Some(&b"pop3"[..]));
    talk.expect(&format!("USER {BERT}"), "+OK");
    talk.expect(&format!("PASS {}", house.customer(BERT).password), "+OK");
    talk.expect("RETR 2", "+OK");
    assert!(talk.multiline() == crate::kit::wire(&stored));
    talk.expect("QUIT", "+OK");
}

/// CVE-2018-like truncation: a connection that is cut under TLS, without its closing alert and
/// without QUIT, deletes nothing.
#[test]
fn a_connection_cut_under_tls_deletes_nothing() {
    let house = furnished();
    let mut talk = house.client("pop3", HERE);
    talk.expect("STLS", "+OK");
    talk.start_tls();
    talk.expect(&format!("AUTH PLAIN {}", plain(BERT, house.customer(BERT).password)), "+OK");
    talk.expect("DELE 1", "+OK");
    talk.abort();
    crate::kit::wait_for_sessions(&house, 0);
    assert_eq!(names(&house, BERT), ["1.m"]);
}

/// The list before and after: RFC 2449 section 6 says of each capability in which state it is
/// announced; STLS is for before the login.
#[test]
fn capabilities_are_those_of_the_state() {
    let house = furnished();
    let mut talk = house.client("pop3", HERE);
    let before = capabilities(&mut talk);
    for needed in ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "STLS", "USER"] {
        assert!(before.iter().any(|line| line == needed), "{needed}: {before:?}");
    }
    assert!(before.iter().any(|line| line.starts_with("SASL PLAIN")), "{before:?}");
    let mut talk = house.logged_in(BERT, HERE);
    talk.expect("CAPA", "+OK");
    let after = lines(&talk.multiline());
    assert!(!after.iter().any(|line| line.starts_with("STLS")), "{after:?}");
}
