//! Clients that say nothing, or an octet now and then.

use std::time::Duration;

use lastpost_tests::{House, Plan, Talk, eventually};

use crate::kit::{Customer, Dress, FRIEND, HERE, LISTENERS, LOGIN, house, is_pop3, plain, session};

/// Silent connections of each kind stay open while a good session does all its work.
#[test]
fn the_silent_keep_nobody_waiting() {
    let house = house();
    let mut held: Vec<Talk> = Vec::new();
    for _ in 0..20 {
        for (listener, dress) in LISTENERS {
            // Not even a greeting is read.
            held.push(Talk::connect(house.address(listener)));
            held.push(session(&house, listener, dress));
        }
        // Half a handshake: the head of a record and no more.
        for listener in ["pop3s", "submissions"] {
            let mut talk = Talk::connect(house.address(listener));
            talk.send_raw(b"\x16\x03\x01\x02\x00\x01\x00");
            held.push(talk);
        }
    }
    let mut customer = Customer::new(&house);
    for _ in 0..10 {
        customer.goes_on();
    }
    customer.ends(&house);
    // They are all served still.
    for mut talk in held.drain(..) {
        let _ = talk.try_send_raw(b"QUIT\r\n");
        talk.abort();
    }
}

/// Between any two octets of the slow session, the good one says a whole command.
#[test]
fn an_octet_at_a_time_is_understood_and_keeps_nobody_waiting() {
    let house = house();
    let password = house.customer("bert@open.example").password;
    let mut slow = session(&house, "pop3", Dress::Clear);
    let mut good = house.logged_in(LOGIN, HERE);
    let dialogue = format!("USER bert@open.example\r\nPASS {password}\r\nSTAT\r\nQUIT\r\n");
    for octet in dialogue.as_bytes() {
        slow.send_raw(std::slice::from_ref(octet));
        good.expect("NOOP", "+OK");
    }
    for begins in ["+OK Send", "+OK 0 messages", "+OK 0 0", "+OK"] {
        slow.expect_reply(begins);
    }
    assert!(slow.is_closed());

    let mut slow = session(&house, "submission", Dress::Upgraded);
    let mut good = session(&house, "submission", Dress::Clear);
    let dialogue = format!(
        "EHLO slow.example\r\nAUTH PLAIN {}\r\nMAIL FROM:<{LOGIN}>\r\nRCPT TO:<{FRIEND}>\r\nDATA\r\n\
         From: {LOGIN}\r\n\r\n..slowly\r\n.\r\nQUIT\r\n",
        plain(LOGIN, house.customer(LOGIN).password)
    );
    for (number, octet) in dialogue.bytes().enumerate() {
        slow.send_raw(&[octet]);
        good.expect("NOOP", "250");
        // Nobody may say so little for ever; the next connection is served at once too.
        if number % 50 == 49 {
            good = session(&house, "submission", Dress::Clear);
        }
    }
    for begins in ["250", "235", "250", "250", "354", "250", "221"] {
        slow.expect_reply(begins);
    }
    assert!(slow.is_closed());
    assert!(house.wait_for_mail(1)[0].content.ends_with(b"\r\n\r\n.slowly\r\n"));
}

/// Whoever opens and says nothing, or trickles, is closed by the deadline and not before; who has
/// logged in meanwhile stays.
#[test]
fn a_deadline_ends_the_silent_and_the_trickling() {
    let house = House::start(Plan {
        pop3: "login_timeout = \"5s\"\n",
        submission: "command_timeout = \"5s\"\ndata_timeout = \"5s\"\n",
        ..Plan::default()
    });
    let mut fetching = house.logged_in(LOGIN, HERE);
    let mut sessions: Vec<(&str, Talk)> = Vec::new();
    for (listener, dress) in LISTENERS {
        sessions.push((listener, session(&house, listener, dress)));
        let mut half = session(&house, listener, dress);
        half.send_raw(b"NO");
        sessions.push((listener, half));
    }
    let mut within = session(&house, "legacy", Dress::Clear);
    within.expect("EHLO customer.example", "250");
    within.expect(&format!("AUTH PLAIN {}", plain(LOGIN, house.customer(LOGIN).password)), "235");
    within.expect(&format!("MAIL FROM:<{LOGIN}>"), "250");
    within.expect(&format!("RCPT TO:<{FRIEND}>"), "250");
    within.expect("DATA", "354");
    within.send(&format!("From: {LOGIN}\r\n\r\nnever finished"));
    sessions.push(("legacy", within));
    for (listener, mut talk) in sessions {
        let said = crate::kit::replies_until_closed(&mut talk, listener);
        if is_pop3(listener) {
            // RFC 1939 section 3: without a response.
            assert!(said.is_empty(), "{listener}: {said:?}");
        } else {
            assert!(said.len() == 1 && said[0].starts_with("421 4.4.2"), "{listener}: {said:?}");
        }
    }
    fetching.expect("NOOP", "+OK");
    fetching.expect("QUIT", "+OK");
    assert!(house.received().is_empty());
}

/// A client that asks for much and takes in nothing holds up nobody, and is let go of when it
/// leaves.
#[test]
fn a_client_that_reads_nothing_holds_up_itself_alone() {
    let house = house();
    let large =
        [b"From: <x@y.example>\n\n".as_slice(), &b"0123456789abcdef\n".repeat(200_000)].concat();
    house.deliver("bert@open.example", &large);
    let mut customer = Customer::new(&house);
    let mut deaf = house.logged_in("bert@open.example", HERE);
    for _ in 0..20 {
        // The daemon stops reading when it cannot write; what it has not read is refused then.
        deaf.send_raw(b"RETR 1\r\n");
    }
    for _ in 0..5 {
        customer.goes_on();
    }
    deaf.abort();
    let password = house.customer("bert@open.example").password;
    eventually(Duration::from_secs(30), "the maildrop to be free", || {
        let mut talk = house.client("pop3", HERE);
        talk.expect("USER bert@open.example", "+OK");
        talk.ask(&format!("PASS {password}")).starts_with("+OK 1 ")
    });
    customer.ends(&house);
}
