//! Programs that poll: which words make them come again, and which make them give up.

use lastpost_tests::Talk;

use crate::kit::{AIKO, BERT, HERE, house, house_with, letters, plain};

/// What fetchmail 6.3 and 6.4 take for "come again" at the login (pop3.c); any other -ERR is a
/// wrong password to it, behind which it stops polling.
fn means_come_again(reply: &str) -> bool {
    let lower = reply.to_lowercase();
    reply.contains("[IN-USE]")
        || reply.contains("[LOGIN-DELAY]")
        || lower.contains("lock") && !lower.contains("clock")
        || lower.contains("wait")
        || lower.contains("service") && lower.contains("unavailable")
}

#[test]
fn a_maildrop_in_use_means_come_again() {
    let house = house();
    let _holder = house.logged_in(AIKO, HERE);
    let password = house.customer(AIKO).password;
    let mut talk = house.client("pop3", HERE);
    talk.expect(&format!("USER {AIKO}"), "+OK");
    let reply = talk.ask(&format!("PASS {password}"));
    assert!(reply.starts_with("-ERR [IN-USE]") && means_come_again(&reply), "{reply}");
    let reply = talk.auth_plain(AIKO, password);
    assert!(reply.starts_with("-ERR [IN-USE]") && means_come_again(&reply), "{reply}");
}

#[test]
fn a_wrong_password_does_not() {
    let house = house();
    let mut talk = house.client("pop3", HERE);
    talk.expect(&format!("USER {AIKO}"), "+OK");
    let reply = talk.ask("PASS wrong");
    assert!(reply.starts_with("-ERR [AUTH]") && !means_come_again(&reply), "{reply}");
}

/// A fault of ours must not stop anybody's polling either.
#[test]
fn a_maildrop_that_cannot_be_read_has_a_code_of_its_own() {
    let house = house();
    let cur = house.maildir(AIKO).join("cur");
    std::fs::rename(&cur, cur.with_extension("away")).unwrap();
    std::fs::write(&cur, b"no directory").unwrap();
    let mut talk = house.client("pop3", HERE);
    let reply = talk.auth_plain(AIKO, house.customer(AIKO).password);
    assert!(reply.starts_with("-ERR [SYS/"), "{reply}");
    assert!(!reply.contains("[AUTH]"), "{reply}");
}

/// Turned away for want of room: a code, and no greeting that a client would answer.
#[test]
fn too_many_sessions_are_told_to_come_again() {
    let house = house_with("sessions_per_ip_max = 3\n");
    let held: Vec<Talk> = (0..3).map(|_| house.client("pop3", HERE)).collect();
    let mut talk = Talk::connect(house.address("pop3"));
    talk.expect_reply("-ERR [SYS/TEMP]");
    assert!(talk.is_closed());
    drop(held);
}

/// A crashed client comes back within a second, before its old session is noticed to be dead:
/// the lock is given up as soon as the connection is.
#[test]
fn a_client_that_comes_back_at_once_is_let_in() {
    let house = house();
    for _ in 0..20 {
        let mut talk = house.logged_in(AIKO, HERE);
        talk.expect("RETR 1", "+OK");
        talk.abort();
        let mut talk = house.client("pop3", HERE);
        talk.expect(&format!("AUTH PLAIN {}", plain(AIKO, house.customer(AIKO).password)), "+OK");
        talk.expect("QUIT", "+OK");
    }
}

/// Somebody else's maildrop in use keeps nobody out.
#[test]
fn a_maildrop_in_use_is_its_owners_business() {
    let house = house();
    let mut holder = house.logged_in(AIKO, HERE);
    for _ in 0..20 {
        house.fetch(BERT, HERE);
    }
    holder.expect("STAT", &format!("+OK {} ", letters().len()));
}

/// fetchmail reads CAPA in pieces and looks for words in them, STAT with `%d`, and tries LAST.
#[test]
fn what_fetchmail_reads_loosely_is_plain_enough() {
    let house = house();
    let mut talk = house.logged_in(AIKO, HERE);
    let stat = talk.ask("STAT");
    let numbers: Vec<&str> = stat.strip_prefix("+OK ").unwrap().split(' ').collect();
    assert_eq!(numbers.len(), 2, "{stat}");
    assert!(numbers.iter().all(|number| number.bytes().all(|digit| digit.is_ascii_digit())));
    let last = talk.ask("LAST");
    assert!(last.starts_with("-ERR") || last == "+OK 0", "{last}");
    talk.expect("TOP 1 99999999", "+OK");
    let top = talk.multiline();
    talk.expect("RETR 1", "+OK");
    assert_eq!(talk.multiline(), top);
}
