//! LOGIN-DELAY: announced by Courier and enforced by nobody; here it is what is announced.

use std::time::Duration;

use lastpost_tests::House;

use crate::kit::{AIKO, BERT, HERE, counter, house_with, listing, set_users, user};

const MINUTE: &str =
    "sessions_per_ip_max = 2000\nerrors_max = 20\n[pop3.maildrop]\nlogin_delay = \"60s\"\n";
const BURST: &str = "sessions_per_ip_max = 2000\nerrors_max = 20\n[pop3.maildrop]\nlogin_delay = \"60s\"\nlogin_burst = 3\n";

/// A whole session, or the reply that refuses it.
fn visit(house: &House, login: &str) -> Result<(), String> {
    let mut talk = house.client("pop3", HERE);
    let reply = talk.auth_plain(login, house.customer(login).password);
    if !reply.starts_with("+OK") {
        return Err(reply);
    }
    talk.expect("QUIT", "+OK");
    Ok(())
}

/// RFC 2449 section 6.5 and 8.1.1: before the delay is over, -ERR [LOGIN-DELAY]; other accounts
/// are not concerned.
#[test]
fn a_login_that_comes_too_soon_is_told_so() {
    let house = house_with(MINUTE);
    visit(&house, AIKO).unwrap();
    let reply = visit(&house, AIKO).unwrap_err();
    assert!(reply.starts_with("-ERR [LOGIN-DELAY]"), "{reply}");
    visit(&house, BERT).unwrap();
    house.clock().advance(Duration::from_secs(58));
    visit(&house, AIKO).unwrap_err();
    house.clock().advance(Duration::from_secs(2));
    visit(&house, AIKO).unwrap();
}

/// What is announced is what holds, before the login and for the account after it.
#[test]
fn the_announcement_is_true() {
    let house = house_with(MINUTE);
    let mut talk = house.client("pop3", HERE);
    let before = listing(&mut talk, "CAPA");
    assert!(before.iter().any(|line| line.starts_with("LOGIN-DELAY 60")), "{before:?}");
    talk.expect(&format!("USER {AIKO}"), "+OK");
    talk.expect(&format!("PASS {}", house.customer(AIKO).password), "+OK");
    let after = listing(&mut talk, "CAPA");
    assert!(after.iter().any(|line| line == "LOGIN-DELAY 60"), "{after:?}");
    let table =
        user(&house, AIKO, "a", "login_delay=10m") + &user(&house, BERT, "b", "login_delay=0s");
    set_users(&house, &table);
    talk.expect("QUIT", "+OK");
    let mut talk = house.client("pop3", HERE);
    let before = listing(&mut talk, "CAPA");
    assert!(
        before.iter().any(|line| line.starts_with("LOGIN-DELAY ") && line.ends_with(" USER")),
        "{before:?}"
    );
    for _ in 0..5 {
        let mut talk = house.client("pop3", HERE);
        talk.expect(&format!("USER {BERT}"), "+OK");
        talk.expect("PASS b", "+OK");
        talk.expect("QUIT", "+OK");
    }
}

/// A wrong password is told it is wrong whether the delay runs or not: nobody learns of somebody's
/// logins, and nobody can use them up.
#[test]
fn guesses_neither_use_it_up_nor_learn_of_it() {
    let house = house_with(MINUTE);
    for _ in 0..10 {
        let mut talk = house.client("pop3", HERE);
        assert!(talk.auth_plain(AIKO, "wrong").starts_with("-ERR [AUTH]"));
    }
    visit(&house, AIKO).unwrap();
    let mut talk = house.client("pop3", HERE);
    let reply = talk.auth_plain(AIKO, "wrong");
    assert!(reply.starts_with("-ERR [AUTH]"), "{reply}");
    assert_eq!(counter(&house, "pop3.logins"), 1);
}

/// Outlook 2002: RETR in one session, DELE in the next, at once. A burst lets it.
#[test]
fn a_burst_lets_outlook_come_back_at_once() {
    let house = house_with(BURST);
    for _ in 0..3 {
        visit(&house, AIKO).unwrap();
    }
    visit(&house, AIKO).unwrap_err();
    house.clock().advance(Duration::from_secs(60));
    visit(&house, AIKO).unwrap();
    visit(&house, AIKO).unwrap_err();
}

/// A login that found the maildrop in use or unreadable was none.
#[test]
fn a_login_that_came_to_nothing_does_not_count() {
    let house = house_with(MINUTE);
    let cur = house.maildir(AIKO).join("cur");
    std::fs::rename(&cur, cur.with_extension("away")).unwrap();
    std::fs::write(&cur, b"no directory").unwrap();
    for _ in 0..3 {
        let reply = visit(&house, AIKO).unwrap_err();
        assert!(reply.starts_with("-ERR [SYS/"), "{reply}");
    }
    std::fs::remove_file(&cur).unwrap();
    std::fs::rename(cur.with_extension("away"), &cur).unwrap();
    visit(&house, AIKO).unwrap();
}

/// A wall clock that jumps, as when NTP steps it, locks nobody out and lets nobody in.
#[test]
fn a_clock_that_is_set_changes_nothing() {
    let house = house_with(MINUTE);
    visit(&house, AIKO).unwrap();
    house.clock().step_wall("2031-01-01T00:00:00Z".parse().unwrap());
    visit(&house, AIKO).unwrap_err();
    house.clock().step_wall("2001-01-01T00:00:00Z".parse().unwrap());
    visit(&house, AIKO).unwrap_err();
    house.clock().advance(Duration::from_secs(60));
    visit(&house, AIKO).unwrap();
}
