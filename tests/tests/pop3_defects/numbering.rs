//! Which number is which message.

use crate::kit::{AIKO, HERE, house, house_of, listing, names, put};

const THREE: [&[u8]; 3] = [b"one\n", b"two two\n", b"three three\n"];

/// Stalwart 0.15: STAT, LIST and UIDL went on showing what was deleted.
#[test]
fn deleted_messages_are_in_no_listing() {
    let house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("STAT", "+OK 3 27");
    talk.expect("DELE 2", "+OK");
    talk.expect("STAT", "+OK 2 18");
    assert_eq!(listing(&mut talk, "LIST"), ["1 5", "3 13"]);
    assert_eq!(listing(&mut talk, "UIDL"), ["1 1.m", "3 3.m"]);
}

/// Stalwart 0.15: RETR of a deleted message sent it.
#[test]
fn a_deleted_message_is_nowhere() {
    let house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("DELE 2", "+OK");
    for command in ["RETR 2", "TOP 2 1", "DELE 2", "LIST 2", "UIDL 2"] {
        talk.expect(command, "-ERR");
    }
    talk.expect("RSET", "+OK");
    talk.expect("LIST 2", "+OK 2 9");
}

/// Stalwart 0.15: message 0 was message 1, so that `DELE 0` deleted it.
#[test]
fn message_zero_is_none() {
    let house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    for zero in ["0", "00", "-0", "+0", "-1", "4", "0x1", "1 ", " 1"] {
        for command in ["DELE", "RETR"] {
            let reply = talk.ask(&format!("{command} {zero}"));
            if zero.trim() == "1" {
                // A stray space is forgiven.
                assert!(reply.starts_with("+OK") || reply.starts_with("-ERR"), "{reply}");
                if command == "RETR" && reply.starts_with("+OK") {
                    talk.multiline();
                }
                talk.expect("RSET", "+OK");
                continue;
            }
            assert!(reply.starts_with("-ERR"), "{command} {zero:?}: {reply}");
        }
        for command in ["LIST 0", "UIDL 0", "TOP 0 0"] {
            talk.expect(command, "-ERR");
        }
    }
    talk.expect("QUIT", "+OK");
    assert_eq!(names(&house, AIKO), ["1.m", "2.m", "3.m"]);
}

/// Courier, after its conversion to C++ in 2026: LIST and UIDL numbered anew after DELE, so that
/// the next DELE met another message.
#[test]
fn numbers_never_shift() {
    let house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("DELE 1", "+OK");
    assert_eq!(listing(&mut talk, "LIST"), ["2 9", "3 13"]);
    talk.expect("UIDL 2", "+OK 2 2.m");
    talk.expect("DELE 2", "+OK");
    assert_eq!(listing(&mut talk, "UIDL"), ["3 3.m"]);
    talk.expect("RETR 3", "+OK 13");
    assert_eq!(talk.multiline(), b"three three\r\n");
    talk.expect("QUIT", "+OK");
    assert_eq!(names(&house, AIKO), ["3.m"]);
}

/// Dovecot until 2026-04: DELE, RSET, DELE lost count.
#[test]
fn rset_takes_every_mark_back_however_often() {
    let house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    for _ in 0..200 {
        talk.expect("DELE 1", "+OK");
        talk.expect("DELE 3", "+OK");
        talk.expect("STAT", "+OK 1 9");
        talk.expect("RSET", "+OK");
        talk.expect("STAT", "+OK 3 27");
    }
    talk.expect("DELE 1", "+OK");
    talk.expect("QUIT", "+OK");
    assert_eq!(names(&house, AIKO), ["2.m", "3.m"]);
}

/// Old servers wrapped at 32 bits: message 4294967297 was the first.
#[test]
fn numbers_beyond_every_integer_are_nobodys() {
    let house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    for number in [
        "4294967297",
        "4294967298",
        "18446744073709551617",
        "18446744073709551618",
        "340282366920938463463374607431768211457",
        &"9".repeat(240),
    ] {
        for command in ["LIST", "UIDL", "DELE", "RETR"] {
            talk.expect(&format!("{command} {number}"), "-ERR");
        }
    }
    talk.expect("STAT", "+OK 3 27");
    talk.expect("QUIT", "+OK");
    assert_eq!(names(&house, AIKO).len(), 3);
}

/// Dovecot: UIDL on an empty maildrop crashed. RFC 1939: an empty listing is a listing.
#[test]
fn an_empty_maildrop_has_empty_listings() {
    let house = house();
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("STAT", "+OK 0 0");
    for command in ["LIST", "UIDL"] {
        assert!(listing(&mut talk, command).is_empty());
        talk.expect(&format!("{command} 1"), "-ERR");
    }
    talk.expect("QUIT", "+OK");
}

/// The same when everything is deleted within the session.
#[test]
fn a_maildrop_that_was_emptied_has_empty_listings() {
    let house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    for number in 1..=3 {
        talk.expect(&format!("DELE {number}"), "+OK");
    }
    talk.expect("STAT", "+OK 0 0");
    assert!(listing(&mut talk, "LIST").is_empty() && listing(&mut talk, "UIDL").is_empty());
    talk.expect("QUIT", "+OK");
    assert!(names(&house, AIKO).is_empty());
}

/// What is delivered while a session lasts is for the next one: no number comes or goes.
#[test]
fn mail_that_arrives_meanwhile_changes_nothing() {
    let house = house_of(&THREE);
    let mut talk = house.logged_in(AIKO, HERE);
    put(&house, AIKO, "0.early", b"sorts before the others\n");
    house.deliver(AIKO, b"sorts behind the others\n");
    assert_eq!(listing(&mut talk, "UIDL"), ["1 1.m", "2 2.m", "3 3.m"]);
    talk.expect("DELE 1", "+OK");
    talk.expect("QUIT", "+OK");
    let left = names(&house, AIKO);
    assert!(left.contains(&"0.early".to_owned()) && !left.contains(&"1.m".to_owned()));
    assert_eq!(left.len(), 4);
}

/// Stalwart 0.15: ids were uidvalidity and uid without anything between, so that two could meet;
/// cyrus-imapd issue 374: ids used again made Outlook skip mail; qmail: names longer than 70.
#[test]
fn ids_are_short_printable_unique_and_stay() {
    let house = house();
    let long = "1000000001.".to_owned() + &"x".repeat(180);
    let odd = ["1.a b", "1.a\u{e9}", "1.\u{7f}", "1.tab\t", "1", "1.", "11", &long];
    for name in odd {
        put(&house, AIKO, name, b"Subject: x\n\nx\n");
    }
    put(&house, AIKO, &format!("{long}y"), b"Subject: y\n\ny\n");
    let mut talk = house.logged_in(AIKO, HERE);
    let first = listing(&mut talk, "UIDL");
    let mut ids: Vec<&str> = first.iter().map(|line| line.split_once(' ').unwrap().1).collect();
    for id in &ids {
        let printable = id.bytes().all(|octet| (0x21..=0x7e).contains(&octet));
        assert!((1..=70).contains(&id.len()) && printable, "{id:?}");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), odd.len() + 1);
    // Without QUIT; and again when the memory is lost.
    talk.abort();
    crate::kit::wait_for_sessions(&house, 0);
    let mut talk = house.logged_in(AIKO, HERE);
    assert_eq!(listing(&mut talk, "UIDL"), first);
    talk.expect("QUIT", "+OK");
    std::fs::remove_file(house.maildir(AIKO).join("lastpost-state")).unwrap();
    let mut talk = house.logged_in(AIKO, HERE);
    assert_eq!(listing(&mut talk, "UIDL"), first);
}
