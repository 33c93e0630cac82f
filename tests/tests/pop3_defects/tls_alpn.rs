//! Which TLS clients are for this service, and what half a handshake may cost.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use lastpost_tests::Talk;

use crate::kit::{AIKO, HERE, house, house_with, wait_for_sessions};

/// ALPACA (USENIX Security 2021): a browser's request was sent to a mail server that has the
/// same certificate. A client that names protocols must name this one.
#[test]
fn a_client_of_another_protocol_is_refused_in_the_handshake() {
    let house = house();
    let offers: [&[&[u8]]; 5] =
        [&[b"http/1.1"], &[b"h2", b"http/1.1"], &[b"imap"], &[b"POP3"], &[b"pop3s", b"smtp"]];
    for offer in offers {
        let mut talk = Talk::connect(house.address("pop3s"));
        assert!(talk.try_start_tls(offer).is_err(), "{offer:?}");
        let mut talk = house.client("pop3", HERE);
        talk.expect("STLS", "+OK");
        assert!(talk.try_start_tls(offer).is_err(), "{offer:?} behind STLS");
    }
    wait_for_sessions(&house, 0);
}

/// RFC 7301: who names the right one among others gets it; who names none is served all the same.
#[test]
fn the_right_protocol_or_none_is_served() {
    let house = house();
    let offers: [&[&[u8]]; 3] = [&[b"pop3"], &[b"imap", b"pop3", b"http/1.1"], &[]];
    for offer in offers {
        let expected = (!offer.is_empty()).then_some(&b"pop3"[..]);
        let mut talk = Talk::connect(house.address("pop3s"));
        assert_eq!(talk.try_start_tls(offer).unwrap().as_deref(), expected);
        talk.expect_reply("+OK");
        talk.expect(&format!("USER {AIKO}"), "+OK");
        talk.expect(&format!("PASS {}", house.customer(AIKO).password), "+OK");
        talk.expect("QUIT", "+OK");
    }
}

/// ALPACA again: nothing that a request contains comes back in a reply, in clear or under TLS.
#[test]
fn no_reply_repeats_what_was_sent() {
    let house = house();
    let script = "<script>alert(1)</script>";
    for line in [
        format!("GET /{script} HTTP/1.1"),
        script.to_owned(),
        format!("USER {script}"),
        format!("AUTH {script}"),
        format!("RETR {script}"),
        format!("LANG {script}"),
        format!("XCLIENT ADDR={script}"),
        format!("APOP {script} {script}"),
    ] {
        let mut talk = Talk::connect_tls(house.address("pop3s"), HERE);
        talk.expect_reply("+OK");
        talk.send(&line);
        talk.send_raw(format!("Host: {script}\r\n\r\n").as_bytes());
        talk.finish_sending();
        let said = talk.rest().unwrap();
        let said = String::from_utf8(said).unwrap();
        assert!(!said.contains("script"), "{line}: {said}");
    }
}

/// Dovecot 2.2.13: handshakes that were never finished held their processes for ever.
#[test]
fn handshakes_that_never_end_are_ended() {
    let house = house_with("sessions_per_ip_max = 2000\nlogin_timeout = \"5s\"\n");
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let mut held: Vec<TcpStream> = Vec::new();
    for number in 0..200 {
        let listener = if number % 2 == 0 { "pop3s" } else { "pop3" };
        let mut socket = TcpStream::connect(house.address(listener)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        if listener == "pop3" {
            socket.write_all(b"STLS\r\n").unwrap();
        }
        match number % 3 {
            0 => socket.write_all(hello).unwrap(),
            1 => socket.write_all(&hello[..1]).unwrap(),
            _ => {}
        }
        held.push(socket);
    }
    // Others are served meanwhile, on both ports.
    let mut talk = Talk::connect_tls(house.address("pop3s"), HERE);
    talk.expect_reply("+OK");
    house.logged_in(AIKO, HERE).expect("QUIT", "+OK");
    talk.expect("QUIT", "+OK");
    for mut socket in held {
        let mut said = Vec::new();
        match socket.read_to_end(&mut said) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("still open: {error}"),
        }
    }
    wait_for_sessions(&house, 0);
}

/// What is no handshake at all ends the connection, and says nothing in clear on the TLS port.
#[test]
fn a_client_in_clear_learns_nothing_on_the_tls_port() {
    let house = house();
    for sent in [&b"CAPA\r\nQUIT\r\n"[..], b"GET / HTTP/1.0\r\n\r\n", b"\0\0\0\0", b"\x16\x03"] {
        let mut talk = Talk::connect(house.address("pop3s"));
        talk.send_raw(sent);
        talk.finish_sending();
        let said = talk.rest().unwrap();
        assert!(!said.windows(3).any(|octets| octets == b"+OK"), "{}", said.escape_ascii());
    }
    wait_for_sessions(&house, 0);
}
