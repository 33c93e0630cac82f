//! Octets that are no protocol at all.

use std::time::Duration;

use lastpost_tests::{House, Plan, Talk, eventually};

use crate::kit::{Customer, Dress, HERE, LISTENERS, LOGIN, house, is_pop3, noise, session};
use crate::kit::{is_reply, replies_until_closed};

#[test]
fn noise_is_answered_line_by_line_or_the_session_ends() {
    let house = house();
    let mut customer = Customer::new(&house);
    for (listener, dress) in LISTENERS {
        for seed in 0..8 {
            let mut talk = session(&house, listener, dress);
            // The daemon may close before all of it is sent.
            let _ = talk.try_send_raw(&noise(seed, 40_000));
            let _ = talk.try_send_raw(b"\r\n\r\nQUIT\r\n");
            let replies = replies_until_closed(&mut talk, listener);
            let accepted = replies.iter().filter(|line| line.starts_with(['2', '+']));
            // Nothing but the farewell can have been understood.
            assert!(accepted.count() <= 1, "{listener} {dress:?} seed {seed}: {replies:?}");
        }
        customer.goes_on();
    }
    customer.ends(&house);
}

#[test]
fn noise_where_a_handshake_belongs_ends_the_connection() {
    let house = house();
    let mut customer = Customer::new(&house);
    for listener in ["pop3s", "submissions"] {
        for seed in 0..8 {
            let mut talk = Talk::connect(house.address(listener));
            let _ = talk.try_send_raw(&noise(seed, 4_000));
            assert!(talk.is_closed(), "{listener} seed {seed}");
        }
        // A plain client on the port for TLS.
        let mut talk = Talk::connect(house.address(listener));
        let _ = talk.try_send_raw(b"EHLO customer.example\r\nUSER aiko\r\n");
        assert!(talk.is_closed(), "{listener}");
    }
    for (listener, ask) in [("pop3", "STLS"), ("legacy", "STARTTLS"), ("submission", "STARTTLS")] {
        for seed in 0..8 {
            let mut talk = session(&house, listener, Dress::Clear);
            talk.send(ask);
            let _ = talk.reply();
            let _ = talk.try_send_raw(&noise(seed, 4_000));
            assert!(talk.is_closed(), "{listener} seed {seed}");
        }
        customer.goes_on();
    }
    customer.ends(&house);
}

#[test]
fn noise_after_the_login_harms_the_session_alone() {
    let house = house();
    let password = house.customer(LOGIN).password;
    house.deliver(LOGIN, b"From: <x@y.example>\n\nprecious\n");
    for seed in 100..110 {
        let mut talk = house.logged_in(LOGIN, HERE);
        let _ = talk.try_send_raw(&noise(seed, 40_000));
        talk.abort();
        // The lock goes with the session.
        eventually(Duration::from_secs(30), "the maildrop to be free", || {
            let mut talk = house.client("pop3", HERE);
            talk.send(&format!("USER {LOGIN}"));
            talk.reply();
            let reply = talk.ask(&format!("PASS {password}"));
            let free = reply.starts_with("+OK");
            assert!(free || reply.starts_with("-ERR [IN-USE]"), "{reply}");
            free
        });
    }
    let mut talk = house.logged_in(LOGIN, HERE);
    talk.expect("STAT", "+OK 1 ");
}

#[test]
fn noise_within_a_message_is_mail_or_refused() {
    let house = house();
    let mut customer = Customer::new(&house);
    for (listener, dress) in LISTENERS.into_iter().filter(|(listener, _)| !is_pop3(listener)) {
        let mut talk = session(&house, listener, dress);
        talk.expect("EHLO customer.example", "250");
        let password = house.customer("bert@open.example").password;
        let plain = crate::kit::plain("bert@open.example", password);
        talk.expect(&format!("AUTH PLAIN {plain}"), "235");
        for seed in 0..4 {
            talk.expect("MAIL FROM:<bert@open.example>", "250");
            talk.expect("RCPT TO:<clara@closed.example>", "250");
            talk.expect("DATA", "354");
            talk.send_raw(b"From: bert@open.example\r\n\r\n");
            // As a binary file comes: some lone CR is in it.
            talk.send_raw(&noise(seed, 40_000));
            talk.send_raw(b"\r\n.\r\n");
            talk.expect_reply("550 5.5.2");
            talk.expect("NOOP", "250");
        }
        talk.expect("QUIT", "221");
    }
    customer.goes_on();
    customer.ends(&house);
    assert!(
        std::fs::read_dir(house.maildir("clara@closed.example").join("new"))
            .unwrap()
            .next()
            .is_none()
    );
}

/// `NO` + octet + `OP`: a control or 8-bit octet within a line is never a second command, never
/// closes anything, and is never repeated.
#[test]
fn every_odd_octet_within_a_line_is_one_error() {
    let house = House::start(Plan {
        pop3: "errors_max = 255\n",
        submission: "errors_max = 1000\n",
        ..Plan::default()
    });
    for (listener, dress) in LISTENERS {
        let mut talk = session(&house, listener, dress);
        // POP3 takes a bare LF for the end of a line.
        let odd =
            (0..=31_u8).chain(127..=255).filter(|&octet| octet != b'\n' || !is_pop3(listener));
        for octet in odd {
            talk.send_raw(&[b'N', b'O', octet, b'O', b'P', b'\r', b'\n']);
            let reply = talk.reply();
            let refused = reply.starts_with(['5', '-']);
            assert!(refused && is_reply(listener, &reply), "{listener} {octet:#04x}: {reply:?}");
        }
        talk.expect("QUIT", if is_pop3(listener) { "+OK" } else { "221" });
        assert!(talk.is_closed());
    }
}

#[test]
fn a_nul_cuts_no_name_short() {
    let house = house();
    let password = house.customer(LOGIN).password;
    let mut talk = session(&house, "pop3", Dress::Clear);
    talk.send_raw(format!("USER {LOGIN}\0x\r\nPASS {password}\r\n").as_bytes());
    talk.expect_reply("+OK");
    talk.expect_reply("-ERR [AUTH]");
    talk.send_raw(format!("USER {LOGIN}\r\nPASS {password}\0x\r\n").as_bytes());
    talk.expect_reply("+OK");
    talk.expect_reply("-ERR [AUTH]");
    let mut talk = session(&house, "submission", Dress::Clear);
    talk.expect("EHLO customer.example", "250");
    for (login, password) in [(format!("{LOGIN}\0x"), password), (LOGIN.to_owned(), "\0")] {
        let reply = talk.ask(&format!("AUTH PLAIN {}", crate::kit::plain(&login, password)));
        assert!(reply.starts_with('5'), "{reply}");
    }
    talk.send_raw(b"MAIL FROM:<aiko@open.example\0>\r\n");
    talk.expect_reply("50");
}
