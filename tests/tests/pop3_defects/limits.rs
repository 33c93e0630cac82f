//! Lines that are too long, too odd or too many.

use lastpost_tests::Talk;

use crate::kit::{AIKO, HERE, house, house_of, put};

/// Each `lines` must bring exactly one reply, and the session goes on in step.
fn one_reply_each(talk: &mut Talk, lines: &[Vec<u8>]) {
    for line in lines {
        talk.send_raw(line);
        talk.send_raw(b"\r\nNOOP\r\n");
        let shown: String = line.escape_ascii().to_string().chars().take(60).collect();
        let reply = talk.reply();
        assert!(reply.starts_with("-ERR"), "{shown}: {reply}");
        assert!(reply.len() <= 510, "RFC 2449 section 4: {} octets", reply.len());
        let next = talk.reply();
        assert!(next.starts_with("+OK"), "{shown}: then {next}");
    }
}

/// popa3d and others: what went beyond the buffer was read as the next command. RFC 2449: a line
/// is one command, and has one reply.
#[test]
fn a_line_too_long_is_one_error() {
    let house = house_of(&[b"one\n"]);
    let mut talk = house.logged_in(AIKO, HERE);
    let mut lines = Vec::new();
    for length in [254, 255, 256, 512, 1024, 4096, 8192, 16_384, 65_536, 1 << 20] {
        lines.push(vec![b'x'; length]);
        // Words in it that would be commands.
        lines.push(b"DELE 1 ".iter().copied().cycle().take(length).collect());
    }
    one_reply_each(&mut talk, &lines);
    talk.expect("STAT", "+OK 1 5");
}

/// Outlook hangs on NUL in mail; servers in C ended the line there.
#[test]
fn a_nul_in_a_command_is_one_error_and_ends_no_line() {
    let house = house_of(&[b"one\n"]);
    let mut talk = house.logged_in(AIKO, HERE);
    let lines = [&b"DELE 1\0"[..], b"\0DELE 1", b"DELE\0 1", b"DELE 1\0 1", b"\0", b"ST\0AT"];
    one_reply_each(&mut talk, &lines.map(<[u8]>::to_vec));
    talk.expect("STAT", "+OK 1 5");
    talk.expect("RETR 1", "+OK");
    assert_eq!(talk.multiline(), b"one\r\n");
}

/// Dovecot: a colon in a command, or an empty line, ended the process by an assertion.
#[test]
fn odd_lines_are_errors() {
    let house = house_of(&[b"one\n"]);
    let mut talk = house.logged_in(AIKO, HERE);
    let lines = [
        &b""[..],
        b" ",
        b":",
        b"STAT:",
        b":STAT",
        b"A:B C:D",
        b".",
        b"..",
        b"+OK",
        b"-ERR",
        b"\xff\xff\xff\xff",
        b"\x1b[2J",
        b"%s%s%s%n",
        b"XTND XMIT",
        b"STAT\tx",
        b"DELE 1;",
        b"DELE 1,2",
        b"DELE 1-1",
        b"DELE *",
        b"DELE all",
        b"RETR",
        b"DELE",
        b"TOP",
    ];
    for lines in lines.chunks(10) {
        one_reply_each(&mut talk, &lines.iter().map(|line| line.to_vec()).collect::<Vec<_>>());
    }
    talk.expect("STAT", "+OK 1 5");
}

/// A line without its CR, and a CR without its LF, are not two lines.
#[test]
fn line_ends_are_what_they_are() {
    let house = house_of(&[b"one\n"]);
    let mut talk = house.logged_in(AIKO, HERE);
    // Bare LF is forgiven, as most servers do.
    talk.send_raw(b"NOOP\nSTAT\n");
    talk.expect_reply("+OK");
    talk.expect_reply("+OK 1 5");
    // A bare CR is an octet of the line.
    talk.send_raw(b"NOOP\rDELE 1\r\n");
    talk.expect_reply("-ERR");
    talk.expect("STAT", "+OK 1 5");
}

/// RFC 2449: replies to pipelined commands come in order, also behind one that failed.
#[test]
fn a_failed_command_ends_no_pipeline() {
    let house = house_of(&[b"one\n", b"two\n"]);
    let mut talk = house.client("pop3", HERE);
    let password = house.customer(AIKO).password;
    talk.send_raw(
        format!(
            "USER {AIKO}\r\nPASS wrong\r\nUSER {AIKO}\r\nPASS {password}\r\nRETR 9\r\nSTAT\r\n\
             RETR 2\r\nBOGUS\r\nDELE 1\r\nDELE 1\r\nLIST\r\nQUIT\r\n"
        )
        .as_bytes(),
    );
    for begins in ["+OK", "-ERR [AUTH]", "+OK", "+OK", "-ERR", "+OK 2 10", "+OK"] {
        talk.expect_reply(begins);
    }
    assert_eq!(talk.multiline(), b"two\r\n");
    for begins in ["-ERR", "+OK", "-ERR", "+OK"] {
        talk.expect_reply(begins);
    }
    assert_eq!(talk.multiline(), b"2 5\r\n");
    talk.expect_reply("+OK");
    assert!(talk.rest().unwrap().is_empty());
}

/// Stalwart, CVE-2025-61600: a parser that kept what it did not understand, without bound.
#[test]
fn a_line_without_end_is_not_kept() {
    let daemon = crate::kit::Daemon::start();
    let mut inside = daemon.logged_in();
    let mut before_login = daemon.greeted();
    let mut in_exchange = daemon.greeted();
    in_exchange.expect("AUTH PLAIN", "+ ");
    let mut in_auth = daemon.greeted();
    in_auth.send_raw(b"AUTH PLAIN ");
    let mut talks = [&mut inside, &mut before_login, &mut in_exchange, &mut in_auth];
    let before = daemon.resident();
    let block = vec![b'A'; 1 << 20];
    for _ in 0..48 {
        for talk in &mut talks {
            talk.send_raw(&block);
        }
    }
    for talk in &mut talks {
        talk.send_raw(b"\r\n");
        talk.expect_reply("-ERR");
    }
    let after = daemon.resident();
    assert!(after < before + (16 << 10), "{before} KiB before, {after} KiB after");
    inside.expect("NOOP", "+OK");
    before_login.expect("QUIT", "+OK");
}

/// CVE-2024-23185 (Dovecot) and CVE-2026-26312: huge headers and nested parts cost nothing here,
/// for nothing in a message is parsed.
#[test]
fn a_flood_of_headers_is_only_octets() {
    let house = house();
    let mut stored = Vec::new();
    for number in 0..200_000 {
        stored.extend_from_slice(format!("X-Flood-{number}: x\n").as_bytes());
    }
    stored.extend_from_slice(b"Content-Type: multipart/mixed; boundary=x\n\n");
    stored.extend_from_slice(&b"--x\nContent-Type: multipart/mixed; boundary=x\n\n".repeat(20_000));
    put(&house, AIKO, "1.m", &stored);
    put(&house, AIKO, "2.m", &[b"X: ".as_slice(), &vec![b'y'; 8 << 20]].concat());
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("TOP 1 0", "+OK");
    let header = talk.multiline();
    assert!(header.ends_with(b"boundary=x\r\n\r\n"));
    talk.expect("RETR 1", "+OK");
    assert_eq!(talk.multiline().len(), crate::kit::wire(&stored).len());
    talk.expect("RETR 2", "+OK");
    assert_eq!(talk.multiline().len(), (8 << 20) + 5);
    talk.expect("QUIT", "+OK");
}

/// Dovecot: a disconnection in the middle of LIST crashed the process.
#[test]
fn whoever_leaves_in_the_middle_of_a_listing_harms_nobody() {
    let house = house();
    for number in 0..5000 {
        put(&house, AIKO, &format!("{number:05}.m"), b"x\n");
    }
    for command in ["LIST", "UIDL", "RETR 1"] {
        for _ in 0..5 {
            let mut talk = house.logged_in(AIKO, HERE);
            talk.send_raw(format!("{command}\r\n").repeat(50).as_bytes());
            talk.expect_reply("+OK");
            talk.abort();
            crate::kit::wait_for_sessions(&house, 0);
        }
    }
    house.logged_in(AIKO, HERE).expect("STAT", "+OK 5000 15000");
}
