//! Messages that cannot be read to their end.

use std::fs::File;

use lastpost_tests::Talk;

use crate::kit::{AIKO, BERT, HERE, house, house_of, message, names, put, wait_for_sessions, wire};

/// More than the daemon and both sockets can hold, so that reading goes on while the test looks.
const LARGE: usize = 32 << 20;

fn large() -> Vec<u8> {
    let line = b"sixty-three octets and a line end make sixty-four, again, again\n";
    let mut stored = b"Subject: large\n\n".to_vec();
    while stored.len() < LARGE {
        stored.extend_from_slice(line);
    }
    stored
}

/// All octets that still come.
fn remainder(talk: &mut Talk) -> Vec<u8> {
    talk.rest().expect("the daemon hangs up")
}

/// Dovecot and Cyrus: a read error in the middle of RETR ended the message with its dot, so that
/// a stump looked whole and was then deleted.
#[test]
fn a_message_that_breaks_off_gets_no_dot() {
    let house = house();
    let stored = large();
    put(&house, AIKO, "1.m", &stored);
    for command in ["RETR 1", "TOP 1 4294967295"] {
        let mut talk = house.logged_in(AIKO, HERE);
        talk.send_raw(format!("DELE 1\r\nRSET\r\n{command}\r\n").as_bytes());
        talk.expect_reply("+OK");
        talk.expect_reply("+OK");
        talk.expect_reply("+OK");
        let mut sent = talk.octets_until(b"\r\n\r\n");
        let file = File::options().write(true).open(message(&house, AIKO, "1.m")).unwrap();
        file.set_len(LARGE as u64 / 4).unwrap();
        let end = remainder(&mut talk);
        sent.extend_from_slice(&end);
        let whole = wire(&stored);
        assert!(!sent.ends_with(b"\r\n.\r\n"), "{command}: a stump with a dot");
        assert!(sent.len() < whole.len() && whole.starts_with(&sent), "{command}");
        wait_for_sessions(&house, 0);
        // It is still there, and can be had as it now is.
        assert_eq!(names(&house, AIKO), ["1.m"]);
        std::fs::write(message(&house, AIKO, "1.m"), &stored).unwrap();
    }
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("RETR 1", "+OK");
    assert!(talk.multiline() == wire(&stored), "whole again");
}

/// The session that broke off deletes nothing, whatever it had marked before.
#[test]
fn a_message_that_breaks_off_ends_in_no_update() {
    let house = house();
    put(&house, AIKO, "1.m", b"small\n");
    put(&house, AIKO, "2.m", &large());
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("DELE 1", "+OK");
    // QUIT waits in the daemon's input already when the file breaks.
    talk.send_raw(b"RETR 2\r\nQUIT\r\n");
    talk.expect_reply("+OK");
    talk.octets_until(b"\r\n\r\n");
    let file = File::options().write(true).open(message(&house, AIKO, "2.m")).unwrap();
    file.set_len(1000).unwrap();
    let end = remainder(&mut talk);
    assert!(!end.ends_with(b"+OK Bye\r\n") && !end.ends_with(b".\r\n"));
    wait_for_sessions(&house, 0);
    assert_eq!(names(&house, AIKO), ["1.m", "2.m"]);
}

/// What cannot be opened is refused in words and costs nobody the session.
#[test]
fn a_message_that_cannot_be_opened_is_an_error_reply() {
    let house = house_of(&[b"one\n", b"two\n", b"three\n"]);
    let mut talk = house.logged_in(AIKO, HERE);
    std::fs::remove_file(message(&house, AIKO, "1.m")).unwrap();
    std::fs::remove_file(message(&house, AIKO, "2.m")).unwrap();
    std::fs::create_dir(message(&house, AIKO, "2.m")).unwrap();
    for command in ["RETR 1", "TOP 1 0", "RETR 2", "TOP 2 0"] {
        talk.expect(command, "-ERR");
    }
    talk.expect("RETR 3", "+OK");
    assert_eq!(talk.multiline(), b"three\r\n");
    talk.expect("STAT", "+OK 3 ");
    talk.expect("QUIT", "+OK");
}

/// A link to a file outside is no message, whoever put it there.
#[test]
fn a_link_out_of_the_maildir_is_not_followed() {
    let house = house_of(&[b"one\n"]);
    put(&house, BERT, "secret", b"of bert alone\n");
    let target = message(&house, BERT, "secret");
    std::os::unix::fs::symlink(&target, message(&house, AIKO, "2.m")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", message(&house, AIKO, "3.m")).unwrap();
    let mut talk = house.client("pop3", HERE);
    talk.expect(&format!("USER {AIKO}"), "+OK");
    talk.expect(&format!("PASS {}", house.customer(AIKO).password), "+OK");
    for number in 1..=3 {
        for command in [format!("RETR {number}"), format!("TOP {number} 9")] {
            if !talk.ask(&command).starts_with("+OK") {
                continue;
            }
            // TOP ends the header of a message that has nothing else.
            assert!(matches!(&*talk.multiline(), b"one\r\n" | b"one\r\n\r\n"), "{command}");
        }
    }
}

/// A file that grows while it is sent is sent as it was: nothing of the next message leaks in,
/// and LIST stays right.
#[test]
fn a_message_that_grows_is_sent_as_it_was_listed() {
    let house = house();
    let stored = large();
    put(&house, AIKO, "1.m", &stored);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("RETR 1", "+OK");
    let head = talk.octets_until(b"\r\n\r\n");
    let mut file = File::options().append(true).open(message(&house, AIKO, "1.m")).unwrap();
    std::io::Write::write_all(&mut file, b"added later\n").unwrap();
    let rest = talk.octets_until(b"\r\n.\r\n");
    assert_eq!(head.len() + rest.len(), wire(&stored).len() + b".\r\n".len());
    talk.expect("QUIT", "+OK");
}
