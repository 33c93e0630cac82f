//! What is counted, stuffed and cut.

use lastpost_tests::Talk;

use crate::kit::{AIKO, HERE, house_of, lines, listing, wire};

const HEADER: &[u8] = b"From: <x@y.example>\nSubject: ten lines\n\n";

fn ten_lines() -> Vec<u8> {
    let body: String = (1..=10).map(|number| format!("line {number}\n")).collect();
    [HEADER, body.as_bytes()].concat()
}

fn top(talk: &mut Talk, lines: &str) -> Vec<u8> {
    talk.expect(&format!("TOP 1 {lines}"), "+OK");
    talk.multiline()
}

/// Stalwart 0.15: TOP counted the lines of the header too, and its test said so.
#[test]
fn top_counts_the_lines_of_the_body() {
    let house = house_of(&[&ten_lines()]);
    let mut talk = house.logged_in(AIKO, HERE);
    let header = wire(HEADER);
    let whole = wire(&ten_lines());
    for wanted in 0..=10 {
        let body: String = (1..=wanted).map(|number| format!("line {number}\r\n")).collect();
        let expected = [&header, body.as_bytes()].concat();
        assert_eq!(top(&mut talk, &wanted.to_string()), expected, "TOP 1 {wanted}");
    }
    assert_eq!(top(&mut talk, "11"), whole);
}

/// Stalwart 0.15: `TOP m 0` sent the whole message.
#[test]
fn top_of_no_lines_is_the_header_and_its_blank_line() {
    let house = house_of(&[&ten_lines(), b"Subject: no body\n", b"Subject: blank line only\n\n"]);
    let mut talk = house.logged_in(AIKO, HERE);
    for number in [b"TOP 1 0", b"TOP 2 0", b"TOP 3 0"] {
        talk.expect(std::str::from_utf8(number).unwrap(), "+OK");
        let sent = talk.multiline();
        let shown = String::from_utf8_lossy(&sent).into_owned();
        assert!(!shown.contains("line 1"), "{shown}");
    }
    assert_eq!(top(&mut talk, "0"), wire(HEADER));
}

/// Cyrus 3.x: `TOP 1 4294967294` became -2, and memory was read that nobody had written.
#[test]
fn top_with_a_huge_count_sends_the_message_and_no_more() {
    let house = house_of(&[&ten_lines()]);
    let mut talk = house.logged_in(AIKO, HERE);
    let counts = [
        "2147483647",
        "2147483648",
        "4294967294",
        "4294967295",
        "4294967296",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999999999",
        "00000000000000000000000000000010",
    ];
    for count in counts {
        assert_eq!(top(&mut talk, count), wire(&ten_lines()), "TOP 1 {count}");
    }
    for bad in ["TOP 1 -1", "TOP 1 -2", "TOP 1 +1", "TOP 1 1.5", "TOP 1 0x1", "TOP 1", "TOP"] {
        talk.expect(bad, "-ERR");
    }
    talk.expect("NOOP", "+OK");
}

/// Stalwart 0.15: the CR that was added when sending was not counted, and sizes were 32 bits.
#[test]
fn every_size_is_that_of_what_is_sent() {
    let stored: [&[u8]; 9] = [
        b"",
        b"\n",
        b"x",
        b"Subject: lf\n\nbody\n",
        b"Subject: crlf\r\n\r\nbody\r\n",
        b"Subject: mixed\r\n\nbody\n\r\n",
        b"Subject: no end\n\nbody",
        b".\n..\n...\n",
        b"Subject: bare cr\n\na\rb\r\rc\r\r\n",
    ];
    let house = house_of(&stored);
    let mut talk = house.logged_in(AIKO, HERE);
    let listed = listing(&mut talk, "LIST");
    let mut total = 0;
    for (at, line) in listed.iter().enumerate() {
        let number = at + 1;
        let size: usize = line.split(' ').nth(1).unwrap().parse().unwrap();
        talk.expect(&format!("LIST {number}"), &format!("+OK {number} {size}"));
        talk.expect(&format!("RETR {number}"), "+OK");
        let sent = talk.multiline();
        assert_eq!(sent.len(), size, "message {number}: {}", sent.escape_ascii());
        total += size;
    }
    assert_eq!(listed.len(), stored.len());
    talk.expect("STAT", &format!("+OK {} {total}", stored.len()));
}

/// Dovecot 2.3, Stalwart, Courier: a dot that is the first octet of the message was not doubled.
#[test]
fn a_dot_in_front_of_everything_is_doubled() {
    for stored in [&b".first\n"[..], b".", b".\n", b"..\n.\n", b".\r\n.\r\n"] {
        let house = house_of(&[stored]);
        let mut talk = house.logged_in(AIKO, HERE);
        for command in ["RETR 1", "TOP 1 100"] {
            talk.expect(command, "+OK");
            let sent = talk.octets_until(b"\r\n.\r\n");
            assert!(sent.starts_with(b".."), "{command}: {}", sent.escape_ascii());
            // Nothing is left behind that a client would take for a reply.
            talk.expect("NOOP", "+OK");
        }
        talk.expect("RETR 1", "+OK");
        assert_eq!(talk.multiline(), wire(stored));
    }
}

/// CVE-2001-0996 (Entrust and others): lines of one dot ended the message in the middle.
#[test]
fn a_message_of_dots_arrives_whole() {
    let mut stored = b"Subject: dots\n\n".to_vec();
    for number in 0..20_000 {
        stored.extend_from_slice(&b"....."[..number % 6]);
        stored.push(b'\n');
    }
    let house = house_of(&[&stored]);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("RETR 1", "+OK");
    let sent = talk.multiline();
    assert_eq!(sent.len(), wire(&stored).len());
    assert!(sent == wire(&stored));
    talk.expect("STAT", &format!("+OK 1 {}", sent.len()));
}

/// popa3d and Courier: a NUL in a message cut its line, or the message (`%s`).
#[test]
fn nuls_and_all_other_octets_pass() {
    let mut stored = b"Subject: all octets\n\n".to_vec();
    stored.extend((0..=255_u8).filter(|&octet| octet != b'\n' && octet != b'\r'));
    stored.extend_from_slice(b"\na\0b\0\0\n\0\nend\n");
    let house = house_of(&[&stored]);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("RETR 1", "+OK");
    assert_eq!(talk.multiline(), wire(&stored));
}

/// qmail-pop3d: a blank line more at the end of each message.
#[test]
fn no_line_is_added_at_the_end() {
    let house = house_of(&[b"Subject: x\n\nend\n", b"Subject: x\n\nend", b"Subject: x\n\nend\n\n"]);
    let mut talk = house.logged_in(AIKO, HERE);
    for (number, end) in [(1, "end\r\n"), (2, "end\r\n"), (3, "end\r\n\r\n")] {
        talk.expect(&format!("RETR {number}"), "+OK");
        assert_eq!(talk.multiline(), format!("Subject: x\r\n\r\n{end}").as_bytes());
    }
}

/// Dovecot: what a file name says of the size (`,W=`) was believed for ever, so that LIST and
/// RETR disagreed for ever.
#[test]
fn a_name_that_lies_about_its_size_is_found_out() {
    let house = crate::kit::house();
    let stored = b"Subject: x\n\nfour lines\n";
    let sizes = ["1", "0", "999999", "18446744073709551615", "-1", "24x"];
    for (at, size) in sizes.iter().enumerate() {
        crate::kit::put(&house, AIKO, &format!("{at}.m,S=1,W={size}"), stored);
    }
    let mut talk = house.logged_in(AIKO, HERE);
    for number in 1..=sizes.len() {
        talk.expect(&format!("RETR {number}"), "+OK");
        assert_eq!(talk.multiline(), wire(stored), "what is sent is what lies there");
    }
    talk.expect("QUIT", "+OK");
    let mut talk = house.logged_in(AIKO, HERE);
    let size = wire(stored).len();
    let expected: Vec<String> = (1..=sizes.len()).map(|n| format!("{n} {size}")).collect();
    assert_eq!(listing(&mut talk, "LIST"), expected);
}

/// Cyrus: a `.CRLF` split across packets confused clients, so it must end a reply in any case.
#[test]
fn every_multi_line_answer_ends_with_one_dot() {
    let house = house_of(&[&ten_lines()]);
    let mut talk = house.logged_in(AIKO, HERE);
    for command in ["LIST", "UIDL", "RETR 1", "TOP 1 3", "CAPA"] {
        talk.expect(command, "+OK");
        let sent = talk.octets_until(b"\r\n.\r\n");
        let text = lines(&sent);
        assert_eq!(text.iter().filter(|line| *line == ".").count(), 1, "{command}: {text:?}");
        talk.expect("NOOP", "+OK");
    }
}
