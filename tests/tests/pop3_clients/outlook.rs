//! Outlook and Outlook Express: what they ask before, and how they leave.

use std::time::Duration;

use lastpost_tests::eventually;

use crate::kit::{AIKO, HERE, base64, house, left, letters, listing};

/// Both probe `AUTH` with and without a blank, for a list of mechanisms.
#[test]
fn the_probe_for_mechanisms_is_answered_by_a_list() {
    let house = house();
    for probe in ["AUTH", "AUTH ", "auth", "AUTH  "] {
        let mut talk = house.client("pop3", HERE);
        let offered = listing(&mut talk, probe);
        assert!(offered.contains(&"PLAIN".to_owned()), "{probe:?}: {offered:?}");
        assert!(offered.contains(&"LOGIN".to_owned()), "{probe:?}: {offered:?}");
        // Then the usual login on the same connection.
        talk.expect(&format!("USER {AIKO}"), "+OK");
        talk.expect(&format!("PASS {}", house.customer(AIKO).password), "+OK");
        talk.expect("QUIT", "+OK");
    }
}

/// A probe is no error: three of them must not close the connection.
#[test]
fn probing_is_no_error() {
    let house = house();
    let mut talk = house.client("pop3", HERE);
    for _ in 0..20 {
        listing(&mut talk, "AUTH");
        listing(&mut talk, "CAPA");
    }
    talk.expect("AUTH NTLM", "-ERR");
    talk.expect("AUTH LOGIN", "+ ");
    talk.expect(&base64(AIKO), "+ ");
    talk.expect(&base64(house.customer(AIKO).password), "+OK");
}

/// Outlook since 2018 sends UTF8 after the login, and gives up on -ERR (Courier dca4b60).
#[test]
fn utf8_after_the_login_is_welcome() {
    let house = house();
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("UTF8", "+OK");
    let count = letters().len();
    talk.expect("STAT", &format!("+OK {count} "));
    assert_eq!(listing(&mut talk, "UIDL").len(), count);
    talk.expect("QUIT", "+OK");
}

/// It hangs up without waiting for the answer to QUIT (tpop3d.conf(5)): everything is deleted.
#[test]
fn hanging_up_behind_quit_deletes() {
    for under_tls in [false, true] {
        let house = house();
        let mut talk = house.client("pop3", HERE);
        if under_tls {
            talk.expect("STLS", "+OK");
            talk.start_tls();
        }
        talk.expect(&format!("USER {AIKO}"), "+OK");
        talk.expect(&format!("PASS {}", house.customer(AIKO).password), "+OK");
        for number in 1..=letters().len() {
            talk.expect(&format!("RETR {number}"), "+OK");
            talk.multiline();
            talk.expect(&format!("DELE {number}"), "+OK");
        }
        talk.send_raw(b"QUIT\r\n");
        talk.abort();
        eventually(Duration::from_secs(60), "the deletion", || left(&house) == 0);
    }
}

/// "Leave a copy on the server": UIDL always without an argument (MS-STANOPOP3 2.2.14), RETR of
/// what is new, and the ids of the last time must all be there again.
#[test]
fn leaving_a_copy_downloads_nothing_twice() {
    let house = house();
    let mut known: Vec<String> = Vec::new();
    for round in 0..4 {
        let mut talk = house.logged_in(AIKO, HERE);
        let ids: Vec<String> = listing(&mut talk, "UIDL")
            .iter()
            .map(|line| line.split_once(' ').unwrap().1.to_owned())
            .collect();
        let fresh = ids.iter().filter(|id| !known.contains(id)).count();
        assert_eq!(fresh, if round == 0 { letters().len() } else { 1 });
        assert!(known.iter().all(|id| ids.contains(id)), "an id is forgotten");
        for (at, id) in ids.iter().enumerate() {
            if !known.contains(id) {
                talk.expect(&format!("RETR {}", at + 1), "+OK");
                talk.multiline();
            }
        }
        talk.expect("QUIT", "+OK");
        known = ids;
        house.deliver(AIKO, b"From: <x@y.example>\n\none more\n");
    }
}

/// Outlook 2002 fetches in one session and deletes in the next, at once.
#[test]
fn two_sessions_at_once_are_let_in() {
    let house = house();
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("RETR 1", "+OK");
    talk.multiline();
    talk.expect("QUIT", "+OK");
    let mut talk = house.logged_in(AIKO, HERE);
    talk.expect("DELE 1", "+OK");
    talk.expect("QUIT", "+OK");
    assert_eq!(left(&house), letters().len() - 1);
}
