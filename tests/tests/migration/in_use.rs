//! Maildrops that a customer is using.

use std::time::Duration;

use lastpost_tests::{House, Plan};

use crate::kit::{HERE, LOGIN, expect, letter, listing, message};

fn house_with_record() -> House {
    let house = House::start(Plan::default());
    let maildir = house.maildir(LOGIN);
    message(&maildir, "new/1732400001.a.mx", &letter(1));
    std::fs::write(maildir.join("dovecot-uidlist"), "3 V9 N2\n1 :1732400001.a.mx\n").unwrap();
    house
}

#[test]
fn a_session_is_waited_for() {
    let house = house_with_record();
    let mut talk = house.logged_in(LOGIN, HERE);
    std::thread::scope(|scope| {
        let import = scope
            .spawn(|| expect(&house, &["import-uidl", "--from", "dovecot", "--replace", LOGIN], 0));
        // Long enough for it to meet the session, short enough for its patience.
        std::thread::sleep(Duration::from_millis(700));
        talk.expect("QUIT", "+OK");
        import.join().unwrap();
    });
    assert_eq!(listing(&house, "UIDL"), ["1 0000000100000009"]);
}

#[test]
fn a_session_that_stays_is_reported_and_left_alone() {
    let house = house_with_record();
    let mut talk = house.logged_in(LOGIN, HERE);
    let before = talk.expect("UIDL 1", "+OK");
    let (out, _) = expect(&house, &["import-uidl", "--from", "dovecot", "--all"], 1);
    assert!(out.contains("a session has it; run this again later"), "{out}");
    let (out, _) = expect(&house, &["repair", LOGIN], 1);
    assert!(out.contains("a session has it; run this again later"), "{out}");
    assert_eq!(talk.expect("UIDL 1", "+OK"), before);
    talk.expect("RETR 1", "+OK");
    talk.multiline();
    talk.expect("QUIT", "+OK");
}
