//! AUTH with what is no response, or half of one.

use lastpost_tests::Talk;

use crate::kit::{AIKO, Daemon, HERE, base64, house, house_with, plain};

const INVALID: [&[u8]; 12] = [
    b"!!!!",
    b"====",
    b"=",
    b"A",
    b"AA",
    b"AAA",
    b"A===",
    b"AGFp\0a28=",
    b"\xff\xfe\xfd\xfc",
    b"AGFpa28AC2VJCMV0====",
    b"AGFpa28A c2VjcmV0",
    b"-_-_",
];

/// CVE-2025-59028 (Dovecot): invalid base64 ended the login process, and with it the logins of
/// everybody else in it.
#[test]
fn a_storm_of_invalid_base64_harms_nobody_else() {
    let house = house_with("sessions_per_ip_max = 2000\nerrors_max = 3\n");
    let mut inside = house.logged_in(AIKO, HERE);
    // Somebody else's logins are in progress all the time.
    let mut others: Vec<Talk> = (0..20)
        .map(|_| {
            let mut talk = house.client("pop3", HERE);
            talk.expect("AUTH PLAIN", "+ ");
            talk
        })
        .collect();
    for round in 0..40 {
        for (at, invalid) in INVALID.iter().enumerate() {
            let mut talk = house.client("pop3", HERE);
            if (round + at) % 2 == 0 {
                talk.send_raw(&[b"AUTH PLAIN ", *invalid, b"\r\n"].concat());
            } else {
                talk.expect("AUTH LOGIN", "+ ");
                talk.send_raw(&[*invalid, b"\r\n"].concat());
            }
            let reply = talk.reply();
            let lawful = reply.starts_with("-ERR") || reply.starts_with("+ ");
            assert!(lawful, "{}: {reply}", invalid.escape_ascii());
        }
        inside.expect("NOOP", "+OK");
    }
    for (at, talk) in others.iter_mut().enumerate() {
        let reply = talk.ask(&plain(crate::kit::BERT, "wrong"));
        assert!(reply.starts_with("-ERR [AUTH]"), "{at}: {reply}");
    }
    inside.expect("QUIT", "+OK");
    house.logged_in(AIKO, HERE).expect("QUIT", "+OK");
}

/// CVE-2017-15132 (Dovecot): each aborted exchange lost some memory until the process was full.
#[test]
fn aborted_exchanges_leak_nothing() {
    const EXCHANGES: usize = 20_000;
    const RISE_MAX_KIB: u64 = 8 << 10;
    let daemon = Daemon::start();
    let half = "A".repeat(8000);
    let abort = |times: usize| {
        let mut done = 0;
        while done < times {
            let mut talk = daemon.greeted();
            for _ in 0..100 {
                // By the star, in the middle, by nonsense, by leaving.
                let lines = format!("AUTH LOGIN\r\n*\r\nAUTH LOGIN {}\r\n*\r\n", base64(AIKO));
                if talk.try_send_raw(lines.as_bytes()).is_err() {
                    break;
                }
                let replies = (0..4).filter(|_| matches!(talk.try_line(), Ok(Some(_)))).count();
                done += 2;
                if replies < 4 {
                    break;
                }
            }
            let _ = talk.try_send_raw(format!("AUTH PLAIN\r\n{half}").as_bytes());
            talk.abort();
        }
    };
    abort(EXCHANGES / 10);
    let before = daemon.resident();
    abort(EXCHANGES);
    let after = daemon.resident();
    assert!(after < before + RISE_MAX_KIB, "{before} KiB before, {after} KiB after");
    daemon.logged_in().expect("QUIT", "+OK");
}

/// CVE-2019-10691 (Dovecot): a name that is no UTF-8 ended the authentication server.
#[test]
fn names_that_are_no_text_are_nobodys() {
    let house = house_with("sessions_per_ip_max = 2000\n");
    let names: [&[u8]; 8] = [
        b"\xff",
        b"aiko\xc0\xae",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"aiko@open.example\xe2\x82",
        b"\x80\x81\x82",
        b"aiko@open.example\xef\xbf\xbd",
        b"\xef\xbb\xbfaiko@open.example",
    ];
    let password = house.customer(AIKO).password.as_bytes();
    for name in names {
        let mut talk = house.client("pop3", HERE);
        let response = [b"\0", name, b"\0", password].concat();
        talk.expect(&format!("AUTH PLAIN {}", base64(response)), "-ERR");
        talk.expect("AUTH LOGIN", "+ ");
        let next = talk.ask(&base64(name));
        if next.starts_with("+ ") {
            talk.expect(&base64(password), "-ERR");
        }
        let mut talk = house.client("pop3", HERE);
        talk.send_raw(&[b"USER ", name, b"\r\n"].concat());
        if talk.reply().starts_with("+OK") {
            talk.send_raw(&[b"PASS ", password, b"\r\n"].concat());
            talk.expect_reply("-ERR");
        }
    }
    house.logged_in(AIKO, HERE).expect("QUIT", "+OK");
}

/// CVE-2026-33603 (Dovecot) and kin: trailing bits, padding within and blanks are not base64
/// (RFC 4648 section 3), so that one credential has one spelling.
#[test]
fn one_credential_has_one_spelling() {
    let house = house_with("sessions_per_ip_max = 2000\n");
    let right = plain(AIKO, house.customer(AIKO).password);
    let mut talk = house.client("pop3", HERE);
    talk.expect(&format!("AUTH PLAIN {right}"), "+OK");
    talk.expect("QUIT", "+OK");
    let unpadded = right.trim_end_matches('=');
    let spelt = [
        format!("{right}="),
        format!("{right}===="),
        format!("={right}"),
        format!("{}\t{}", &right[..8], &right[8..]),
        format!("{}={}", &right[..8], &right[8..]),
        format!("{unpadded}\0"),
        format!("\"{right}\""),
    ];
    for response in spelt {
        let mut talk = house.client("pop3", HERE);
        talk.expect(&format!("AUTH PLAIN {response}"), "-ERR");
        talk.expect("STAT", "-ERR");
    }
}

/// Dovecot 2.3.11: long initial responses were "Input buffer full", and split packets were read
/// as two. OAuth tokens are long.
#[test]
fn a_response_in_many_packets_is_one() {
    let house = house_with("sessions_per_ip_max = 2000\n");
    let line = format!("AUTH PLAIN {}\r\n", plain(AIKO, house.customer(AIKO).password));
    for piece in [1, 2, 7, 64] {
        let mut talk = house.client("pop3", HERE);
        for octets in line.as_bytes().chunks(piece) {
            talk.send_raw(octets);
        }
        talk.expect_reply("+OK");
        talk.expect("QUIT", "+OK");
    }
    let long = plain(&"x".repeat(8000), "secret");
    for command in [format!("AUTH PLAIN {long}"), format!("AUTH PLAIN\r\n{long}")] {
        let mut talk = house.client("pop3", HERE);
        talk.send(&command);
        let mut reply = talk.reply();
        if reply.starts_with("+ ") {
            reply = talk.reply();
        }
        assert!(reply.starts_with("-ERR [AUTH]"), "{reply}");
        // One reply, and the next command is read from its beginning.
        talk.expect("NOOP", "-ERR");
        talk.expect("QUIT", "+OK");
    }
}

/// RFC 5034 section 4: `*` gives -ERR, `=` is the empty response, AUTH after the login is refused.
#[test]
fn the_exchange_as_the_standard_has_it() {
    let house = house();
    let password = house.customer(AIKO).password;
    let mut talk = house.client("pop3", HERE);
    talk.expect("AUTH PLAIN", "+ ");
    talk.expect("*", "-ERR");
    talk.expect("AUTH PLAIN =", "-ERR");
    talk.expect("auth login", "+ ");
    talk.expect(&base64(AIKO), "+ ");
    talk.expect(&base64(password), "+OK");
    talk.expect("AUTH PLAIN", "-ERR");
    talk.expect(&format!("AUTH PLAIN {}", plain(AIKO, password)), "-ERR");
    talk.expect("STAT", "+OK 0 0");
}
