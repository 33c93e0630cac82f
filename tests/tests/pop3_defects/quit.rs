//! When messages are removed, and what is said of it.

use std::path::Path;

use lastpost_tests::{House, eventually};

use crate::kit::{
    AIKO, HERE, PATIENCE, house, house_of, message, names, put, wait_for_sessions, wire,
};

const THREE: [&[u8]; 3] = [b"one\n", b"two two\n", b"three three\n"];

/// Makes a message that nobody can remove, not even root: a directory with something in it.
fn make_irremovable(file: &Path) {
    std::fs::remove_file(file).unwrap();
    std::fs::create_dir(file).unwrap();
    std::fs::write(file.join("inside"), b"x").unwrap();
}

/// Courier: +OK was sent before the first file was removed.
#[test]
fn what_is_deleted_is_gone_when_quit_is_answered() {
    let house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("DELE 1", "+OK");
    talk.expect("DELE 3", "+OK");
    assert_eq!(names(&house, AIKO), ["1.m", "2.m", "3.m"], "not before QUIT");
    talk.expect("QUIT", "+OK");
    assert_eq!(names(&house, AIKO), ["2.m"], "at once");
}

/// Courier and Cyrus: +OK even if a message could not be removed.
#[test]
fn quit_says_that_something_was_left() {
    let house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    for number in 1..=3 {
        talk.expect(&format!("DELE {number}"), "+OK");
    }
    make_irremovable(&message(&house, AIKO, "2.m"));
    let reply = talk.expect("QUIT", "-ERR");
    assert!(reply.contains("not removed"), "{reply}");
    assert!(talk.is_closed());
    // The others went all the same, and the maildrop is free again.
    assert!(!message(&house, AIKO, "1.m").exists() && !message(&house, AIKO, "3.m").exists());
    std::fs::remove_dir_all(message(&house, AIKO, "2.m")).unwrap();
    house.logged_in(AIKO, HERE).expect("STAT", "+OK 0 0");
}

/// RFC 1939 section 6: a message that another program removed is removed.
#[test]
fn what_somebody_else_removed_is_no_failure() {
    let house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("DELE 2", "+OK");
    std::fs::remove_file(message(&house, AIKO, "2.m")).unwrap();
    talk.expect("QUIT", "+OK");
    assert_eq!(names(&house, AIKO), ["1.m", "3.m"]);
}

/// A message that an IMAP server moved from `new` to `cur` and marked meanwhile goes too.
#[test]
fn what_was_renamed_meanwhile_is_removed_too() {
    let house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("DELE 2", "+OK");
    let seen = house.maildir(AIKO).join("cur/2.m:2,S");
    std::fs::rename(message(&house, AIKO, "2.m"), seen).unwrap();
    talk.expect("QUIT", "+OK");
    assert_eq!(names(&house, AIKO), ["1.m", "3.m"]);
}

/// tpop3d's manual: Outlook closes its connection right behind QUIT. Everything is deleted
/// nevertheless.
#[test]
fn a_client_that_hangs_up_behind_quit_has_quit() {
    for reset in [false, true] {
        let house = house_of(&THREE);
        let mut talk = house.logged_in(AIKO, HERE);
        talk.expect("RETR 1", "+OK");
        talk.multiline();
        talk.expect("DELE 1", "+OK");
        talk.expect("DELE 2", "+OK");
        talk.send_raw(b"QUIT\r\n");
        if reset {
            // Both ends at once; the answer meets a closed door.
            talk.abort();
        } else {
            drop(talk);
        }
        eventually(PATIENCE, "the deletion", || names(&house, AIKO) == ["3.m"]);
        wait_for_sessions(&house, 0);
        house.logged_in(AIKO, HERE).expect("STAT", "+OK 1 13");
    }
}

/// Dovecot: what was only retrieved was removed without QUIT. RFC 1939 section 6: nothing is.
#[test]
fn whoever_leaves_without_quit_keeps_everything() {
    let house = house_of(&THREE);
    for way in 0..6 {
        let mut talk = house.logged_in(AIKO, HERE);
        for number in 1..=3 {
            talk.expect(&format!("RETR {number}"), "+OK");
            talk.multiline();
            talk.expect(&format!("DELE {number}"), "+OK");
        }
        match way {
            0 => drop(talk),
            1 => talk.abort(),
            2 => {
                talk.send_raw(b"QUIT");
                drop(talk);
            }
            3 => {
                talk.finish_sending();
                assert!(talk.is_closed());
            }
            4 => {
                talk.send_raw(b"QUIT now\r\nQUITE\r\n");
                talk.finish_sending();
                talk.rest().unwrap();
            }
            _ => {
                // Thrown out for nonsense.
                talk.send_raw(&b"X\r\n".repeat(100));
                talk.finish_sending();
                talk.rest().unwrap();
            }
        }
        wait_for_sessions(&house, 0);
        assert_eq!(names(&house, AIKO).len(), 3, "way {way}");
    }
}

/// The daemon that stops removes nothing that no QUIT confirmed.
#[test]
fn a_stop_of_the_daemon_is_no_quit() {
    let mut house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("DELE 1", "+OK");
    house.restart();
    assert!(talk.is_closed());
    assert_eq!(names(&house, AIKO).len(), 3);
    house.logged_in(AIKO, HERE).expect("STAT", "+OK 3 27");
}

/// QUIT before the login is no UPDATE state.
#[test]
fn quit_before_the_login_removes_nothing() {
    let house = house_of(&THREE);
    let mut talk = house.client("pop3", HERE);
    talk.send_raw(b"DELE 1\r\nQUIT\r\n");
    talk.expect_reply("-ERR");
    talk.expect_reply("+OK");
    assert!(talk.is_closed());
    assert_eq!(names(&house, AIKO).len(), 3);
}

/// Commands behind QUIT are nobody's: neither obeyed nor answered.
#[test]
fn nothing_counts_behind_quit() {
    let house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.send_raw(b"DELE 1\r\nQUIT\r\nDELE 2\r\nQUIT\r\nNOOP\r\n");
    talk.expect_reply("+OK");
    talk.expect_reply("+OK");
    assert!(talk.rest().unwrap().is_empty());
    assert_eq!(names(&house, AIKO), ["2.m", "3.m"]);
}

/// Some clients are back before QUIT is answered to the end: the lock is free by then.
#[test]
fn the_next_session_may_begin_when_quit_is_answered() {
    let house = house_of(&THREE);
    for _ in 0..50 {
        let mut talk = house.logged_in(AIKO, HERE);
        talk.expect("QUIT", "+OK");
    }
}

/// A maildrop that became read-only in between: the messages stay, and the client hears of it.
#[test]
fn a_maildrop_that_vanished_is_reported() {
    let house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("DELE 1", "+OK");
    replace_by_file(&house, "new");
    talk.expect("QUIT", "-ERR");
    let kept = house.maildir(AIKO).join("new.away/1.m");
    assert_eq!(std::fs::read(kept).unwrap(), THREE[0]);
}

fn replace_by_file(house: &House, folder: &str) {
    let folder = house.maildir(AIKO).join(folder);
    std::fs::rename(&folder, folder.with_extension("away")).unwrap();
    std::fs::write(&folder, b"no directory").unwrap();
}

/// A thousand deletions are one QUIT; each of the files goes, no other.
#[test]
fn a_thousand_deletions_in_one_session() {
    let house = house();
    for number in 0..1000 {
        put(&house, AIKO, &format!("{number:04}.m"), format!("message {number}\n").as_bytes());
    }
    let mut talk = house.logged_in(AIKO, HERE);
    let odd = (1..=1000).step_by(2).map(|number| format!("DELE {number}\r\n"));
    talk.send_raw(odd.collect::<String>().as_bytes());
    for _ in 0..500 {
        talk.expect_reply("+OK");
    }
    talk.expect("QUIT", "+OK");
    let left = names(&house, AIKO);
    assert_eq!(left.len(), 500);
    assert!(left.iter().all(|name| name[..4].parse::<u32>().unwrap() % 2 == 1));
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("RETR 1", "+OK");
    assert_eq!(talk.multiline(), wire(b"message 1\n"));
}
