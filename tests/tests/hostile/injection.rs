//! Commands in clear that would like to be taken for commands under TLS (CVE-2011-0411,
//! CVE-2021-33515 and their kin).

use lastpost_tests::Talk;

use crate::kit::{Customer, Dress, FRIEND, LOGIN, house, plain, session};

#[test]
fn what_follows_starttls_in_clear_counts_for_nothing() {
    let house = house();
    let customer = Customer::new(&house);
    let password = house.customer("bert@open.example").password;
    let login = plain("bert@open.example", password);
    for listener in ["legacy", "submission"] {
        for injected in [
            "NOOP\r\n".to_owned(),
            "X".to_owned(),
            "EHLO mallory\r\nMAIL FROM:<mallory@elsewhere.example>\r\n".to_owned(),
            format!(
                "EHLO mallory\r\nAUTH PLAIN {login}\r\nMAIL FROM:<bert@open.example>\r\n\
                 RCPT TO:<{FRIEND}>\r\nDATA\r\nFrom: bert@open.example\r\n\r\ninjected\r\n.\r\n"
            ),
        ] {
            let mut talk = session(&house, listener, Dress::Clear);
            talk.expect("EHLO customer.example", "250");
            talk.send_raw(format!("STARTTLS\r\n{injected}").as_bytes());
            // Nothing may follow STARTTLS: neither in clear nor under TLS is it obeyed.
            talk.expect_reply("554 5.5.1");
            assert!(talk.is_closed(), "{listener} {injected:?}");
        }
    }
    customer.ends(&house);
    assert!(house.received().iter().all(|mail| !mail.content.ends_with(b"injected\r\n")));
}

#[test]
fn what_follows_stls_in_clear_counts_for_nothing() {
    let house = house();
    let password = house.customer("bert@open.example").password;
    let good = house.customer(LOGIN).password;
    house.deliver("bert@open.example", b"From: <x@y.example>\n\nkeep me\n");
    for injected in [
        "NOOP\r\n".to_owned(),
        "X".to_owned(),
        "USER mallory\r\nPASS x\r\n".to_owned(),
        format!("USER bert@open.example\r\nPASS {password}\r\nDELE 1\r\nQUIT\r\n"),
        format!("AUTH PLAIN {}\r\nDELE 1\r\n", plain("bert@open.example", password)),
    ] {
        let mut talk = session(&house, "pop3", Dress::Clear);
        talk.send_raw(format!("STLS\r\n{injected}").as_bytes());
        talk.expect_reply("+OK");
        talk.start_tls();
        // The first reply under TLS is that to the first command under TLS.
        talk.expect("CAPA", "+OK");
        let capabilities = String::from_utf8(talk.multiline()).unwrap();
        assert!(capabilities.contains("SASL PLAIN LOGIN") && !capabilities.contains("STLS"));
        talk.expect(&format!("AUTH PLAIN {}", plain(LOGIN, good)), "+OK 0 messages");
        talk.expect("QUIT", "+OK");
        assert!(talk.is_closed());
    }
    house.logged_in("bert@open.example", crate::kit::HERE).expect("STAT", "+OK 1 ");
}

/// In a packet of its own, where the handshake belongs: that is no handshake.
#[test]
fn what_follows_the_consent_in_clear_ends_the_connection() {
    let house = house();
    let customer = Customer::new(&house);
    for (listener, ask) in [("pop3", "STLS"), ("legacy", "STARTTLS"), ("submission", "STARTTLS")] {
        let mut talk: Talk = session(&house, listener, Dress::Clear);
        talk.send(ask);
        let consent = talk.reply();
        assert!(consent.starts_with("+OK") || consent.starts_with("220"), "{consent}");
        let _ = talk.try_send_raw(b"NOOP\r\nQUIT\r\n");
        // At most a TLS alert comes, and no reply.
        while let Ok(Some(line)) = talk.try_line() {
            assert!(!line.starts_with("+OK") && !line.starts_with('2'), "{listener}: {line}");
        }
    }
    customer.ends(&house);
}

/// What was said before TLS is forgotten: name, login and transaction.
#[test]
fn nothing_that_was_said_in_clear_lasts() {
    let house = house();
    let password = house.customer(LOGIN).password;
    let mut talk = session(&house, "legacy", Dress::Clear);
    talk.expect("EHLO customer.example", "250");
    talk.expect(&format!("AUTH PLAIN {}", plain(LOGIN, password)), "235");
    talk.expect(&format!("MAIL FROM:<{LOGIN}>"), "250");
    talk.expect(&format!("RCPT TO:<{FRIEND}>"), "250");
    talk.expect("STARTTLS", "220");
    talk.start_tls();
    talk.expect("DATA", "503 5.5.1");
    talk.expect(&format!("MAIL FROM:<{LOGIN}>"), "503 5.5.1");
    talk.expect("EHLO customer.example", "250");
    talk.expect(&format!("MAIL FROM:<{LOGIN}>"), "530 5.7.0");
    talk.expect("QUIT", "221");

    let mut talk = session(&house, "pop3", Dress::Clear);
    talk.expect(&format!("USER {LOGIN}"), "+OK");
    talk.expect("STLS", "+OK");
    talk.start_tls();
    talk.expect(&format!("PASS {password}"), "-ERR Send USER first");
    talk.expect("QUIT", "+OK");
}
