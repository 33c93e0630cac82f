//! Lines that are too long, and lines that never end.

use crate::kit::{Customer, Dress, LISTENERS, base64, house, is_pop3, session};

/// Ten thousand octets.
fn long() -> String {
    "x".repeat(10_000)
}

#[test]
fn a_name_of_ten_thousand_octets_is_one_error() {
    let house = house();
    let mut customer = Customer::new(&house);
    for (listener, dress) in LISTENERS {
        let mut talk = session(&house, listener, dress);
        if is_pop3(listener) {
            talk.expect(&format!("USER {}", long()), "-ERR Line too long");
            // Nothing of it has become a name.
            talk.expect("PASS secret", "-ERR Send USER first");
        } else {
            talk.expect(&format!("EHLO {}", long()), "500 5.5.2");
            talk.expect("MAIL FROM:<aiko@open.example>", "503 5.5.1");
            talk.expect("EHLO customer.example", "250");
            talk.expect(&format!("MAIL FROM:<{}@open.example>", long()), "500 5.5.2");
            talk.expect(&format!("RCPT TO:<{}@open.example>", long()), "500 5.5.2");
            talk.expect(&format!("VRFY {}", long()), "500 5.5.2");
        }
        talk.expect("QUIT", if is_pop3(listener) { "+OK" } else { "221" });
        assert!(talk.is_closed());
        customer.goes_on();
    }
    customer.ends(&house);
}

#[test]
fn long_authentication_is_bounded_and_one_error_each() {
    let house = house();
    for (listener, dress) in LISTENERS {
        let no = if is_pop3(listener) { "-ERR " } else { "5" };
        // As long as it may be: a name that nobody has.
        let fits = base64(format!("\0{}\0secret", &long()[..9000]));
        let too_long = base64(format!("\0{}\0secret", long()));
        let mut talk = session(&house, listener, dress);
        if !is_pop3(listener) {
            talk.expect("EHLO customer.example", "250");
        }
        let wrong = if is_pop3(listener) { "-ERR [AUTH]" } else { "535 5.7.8" };
        talk.expect(&format!("AUTH PLAIN {fits}"), wrong);
        talk.expect(&format!("AUTH PLAIN {too_long}"), no);
        let mut talk = session(&house, listener, dress);
        if !is_pop3(listener) {
            talk.expect("EHLO customer.example", "250");
        }
        let go_on = if is_pop3(listener) { "+ " } else { "334" };
        talk.expect("AUTH LOGIN", go_on);
        talk.expect(&base64("x".repeat(100_000)), no);
        talk.expect("QUIT", if is_pop3(listener) { "+OK" } else { "221" });
    }
}

#[test]
fn a_megabyte_without_an_end_is_one_error_once_it_ends() {
    let house = house();
    let mut customer = Customer::new(&house);
    let block = vec![b'A'; 64 << 10];
    for (listener, dress) in LISTENERS {
        let mut talk = session(&house, listener, dress);
        for part in 0..16 {
            talk.send_raw(&block);
            if part % 8 == 0 {
                customer.goes_on();
            }
        }
        talk.send_raw(b"\r\n");
        talk.expect_reply(if is_pop3(listener) { "-ERR Line too long" } else { "500 5.5.2" });
        talk.expect("QUIT", if is_pop3(listener) { "+OK" } else { "221" });
        assert!(talk.is_closed());
    }
    customer.ends(&house);
}

#[test]
fn a_line_that_is_never_ended_leaves_nothing_behind() {
    let house = house();
    let mut customer = Customer::new(&house);
    for (listener, dress) in LISTENERS {
        let mut talk = session(&house, listener, dress);
        talk.send_raw(b"QUIT");
        talk.send_raw(&vec![b' '; 1 << 20]);
        talk.abort();
        customer.goes_on();
    }
    customer.ends(&house);
}

#[test]
fn a_message_of_one_long_line_comes_through_to_the_octet() {
    let house = house();
    let mut talk = session(&house, "submission", Dress::Clear);
    talk.expect("EHLO customer.example", "250");
    let login = "bert@open.example";
    let plain = crate::kit::plain(login, house.customer(login).password);
    talk.expect(&format!("AUTH PLAIN {plain}"), "235");
    talk.expect(&format!("MAIL FROM:<{login}>"), "250");
    talk.expect("RCPT TO:<clara@closed.example>", "250");
    talk.expect("DATA", "354");
    talk.send(&format!("From: {login}\r\n"));
    let line = vec![b'y'; 1 << 20];
    talk.send_raw(&line);
    talk.expect("\r\n.", "250");
    let mut talk = house.client("pop3", crate::kit::HERE);
    talk.expect("USER clara@closed.example", "+OK");
    let password = house.customer("clara@closed.example").password;
    lastpost_tests::eventually(std::time::Duration::from_secs(30), "local delivery", || {
        let folder = house.maildir("clara@closed.example").join("new");
        std::fs::read_dir(folder).unwrap().next().is_some()
    });
    talk.expect(&format!("PASS {password}"), "+OK 1 ");
    talk.expect("RETR 1", "+OK");
    let fetched = talk.multiline();
    assert!(fetched.ends_with(&[b"\r\n\r\n", line.as_slice(), b"\r\n"].concat()));
}
