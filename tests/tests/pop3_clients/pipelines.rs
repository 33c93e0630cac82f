//! Clients that send many commands at once (mpop, MailKit, Evolution), and one by one by the
//! thousand (K-9).

use std::path::Path;

use lastpost_tests::House;

use crate::kit::{AIKO, BERT, HERE, crlf, house, house_with, letter, letters, listing};

/// mpop and MailKit: a hundred commands in one segment, each with its reply, in order.
#[test]
fn a_hundred_commands_in_one_segment() {
    let house = house();
    for under_tls in [false, true] {
        let mut talk = house.client("pop3", HERE);
        if under_tls {
            talk.expect("STLS", "+OK");
            talk.start_tls();
        }
        talk.expect(&format!("USER {AIKO}"), "+OK");
        talk.expect(&format!("PASS {}", house.customer(AIKO).password), "+OK");
        let count = letters().len();
        let numbers: Vec<usize> = (0..100).map(|at| at % count + 1).collect();
        let commands = numbers.iter().map(|number| format!("RETR {number}\r\n"));
        talk.send_raw(commands.collect::<String>().as_bytes());
        for number in &numbers {
            let expected = crlf(&letters()[number - 1]);
            talk.expect_reply(&format!("+OK {}", expected.len()));
            assert!(talk.multiline() == expected, "message {number}");
        }
        let commands = (1..=count).map(|number| format!("LIST {number}\r\nUIDL {number}\r\n"));
        talk.send_raw(commands.collect::<String>().as_bytes());
        for number in 1..=count {
            talk.expect_reply(&format!("+OK {number} "));
            talk.expect_reply(&format!("+OK {number} "));
        }
        talk.expect("QUIT", "+OK");
    }
}

/// A whole visit in one segment, login and QUIT with it.
#[test]
fn a_whole_session_in_one_segment() {
    let house = house();
    let password = house.customer(AIKO).password;
    let count = letters().len();
    let mut session = format!("CAPA\r\nUSER {AIKO}\r\nPASS {password}\r\nSTAT\r\n");
    for number in 1..=count {
        session += &format!("RETR {number}\r\nDELE {number}\r\n");
    }
    session += "QUIT\r\n";
    let mut talk = house.client("pop3", HERE);
    talk.send_raw(session.as_bytes());
    talk.expect_reply("+OK");
    talk.multiline();
    for _ in 0..2 {
        talk.expect_reply("+OK");
    }
    talk.expect_reply(&format!("+OK {count} "));
    for letter in letters() {
        talk.expect_reply("+OK");
        assert!(talk.multiline() == crlf(&letter));
        talk.expect_reply("+OK");
    }
    talk.expect_reply("+OK");
    assert!(talk.rest().unwrap().is_empty());
    assert_eq!(crate::kit::left(&house), 0);
}

fn fill(house: &House, count: usize) {
    let new = house.maildir(BERT).join("new");
    for number in 0..count {
        write_message(&new, number);
    }
}

fn write_message(new: &Path, number: usize) {
    std::fs::write(new.join(format!("{number:05}.k9")), letter("k9", b"x\n")).unwrap();
}

/// K-9: with more than 5000 messages of which few are new, `UIDL n` and `LIST n` one by one.
#[test]
fn five_thousand_questions_for_single_ids() {
    const MESSAGES: usize = 6000;
    let house = house_with("sessions_per_ip_max = 2000\n");
    fill(&house, MESSAGES);
    let mut talk = house.logged_in(BERT, HERE);
    // One after the other, as it does: the newest first.
    for number in (MESSAGES - 5000 + 1..=MESSAGES).rev() {
        let expected = format!("+OK {number} {:05}.k9", number - 1);
        talk.expect(&format!("UIDL {number}"), &expected);
    }
    // And what a client with pipelining makes of it.
    let storm: String =
        (1..=5000).map(|number| format!("UIDL {number}\r\nLIST {number}\r\n")).collect();
    talk.send_raw(storm.as_bytes());
    for number in 1..=5000 {
        talk.expect_reply(&format!("+OK {number} {:05}.k9", number - 1));
        talk.expect_reply(&format!("+OK {number} "));
    }
    assert_eq!(listing(&mut talk, "UIDL").len(), MESSAGES);
    talk.expect("QUIT", "+OK");
}

/// Many questions at once and no hurry to read: the daemon stops reading, not serving.
#[test]
fn a_client_that_asks_faster_than_it_reads_loses_nothing() {
    let house = house();
    let mut talk = house.logged_in(AIKO, HERE);
    let count = letters().len();
    let asked = 400;
    let writer = format!("RETR {count}\r\n").repeat(asked);
    talk.send_raw(writer.as_bytes());
    house.fetch(BERT, HERE);
    let expected = crlf(&letters()[count - 1]);
    for _ in 0..asked {
        talk.expect_reply("+OK");
        assert_eq!(talk.multiline().len(), expected.len());
    }
    talk.expect("QUIT", "+OK");
}
