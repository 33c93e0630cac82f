//! Whose mail is whose.

use std::sync::Arc;

use lastpost_tests::{House, Talk};

use crate::kit::{AIKO, BERT, CLARA, HERE, PATIENCE, house, plain, put, set_users, user};

const ALL: [&str; 3] = [AIKO, BERT, CLARA];

fn furnished() -> House {
    let house = house();
    for login in ALL {
        put(&house, login, "1.m", format!("To: <{login}>\n\nfor you alone\n").as_bytes());
    }
    house
}

fn assert_own_mail(talk: &mut Talk, login: &str) {
    talk.expect("RETR 1", "+OK");
    let expected = format!("To: <{login}>\r\n\r\nfor you alone\r\n");
    assert_eq!(talk.multiline(), expected.as_bytes(), "{login}");
}

/// CVE-2025-30189 (Dovecot 2.4.0): all users had one key in the cache of logins, so that a later
/// one was given the first one's maildrop.
#[test]
fn a_remembered_login_opens_no_other_maildrop() {
    let house = furnished();
    for round in 0..5 {
        for at in 0..ALL.len() {
            let login = ALL[(at + round) % ALL.len()];
            let mut talk = house.logged_in(login, HERE);
            assert_own_mail(&mut talk, login);
            talk.expect("QUIT", "+OK");
        }
        // With somebody else's password, which is remembered too.
        for (login, other) in [(AIKO, BERT), (BERT, CLARA), (CLARA, AIKO)] {
            let mut talk = house.client("pop3", HERE);
            talk.expect(&format!("USER {login}"), "+OK");
            let password = house.customer(other).password;
            talk.expect(&format!("PASS {password}"), "-ERR [AUTH]");
        }
    }
}

/// The same where passwords are equal, as initial passwords are.
#[test]
fn equal_passwords_open_different_maildrops() {
    let house = furnished();
    let table: String = ALL.iter().map(|login| user(&house, login, "changeme", "")).collect();
    set_users(&house, &table);
    for _ in 0..3 {
        for login in ALL {
            let mut talk = house.client("pop3", HERE);
            talk.expect(&format!("AUTH PLAIN {}", plain(login, "changeme")), "+OK");
            assert_own_mail(&mut talk, login);
            talk.expect("QUIT", "+OK");
        }
    }
}

/// The same when many log in at once, and on connections that tried another name before.
#[test]
fn logins_at_the_same_moment_are_not_mixed_up() {
    let house = Arc::new(furnished());
    let threads: Vec<_> = ALL
        .into_iter()
        .map(|login| {
            let house = Arc::clone(&house);
            std::thread::spawn(move || {
                let others: Vec<&str> = ALL.into_iter().filter(|other| *other != login).collect();
                for round in 0..40 {
                    let mut talk = house.client("pop3", HERE);
                    let other = others[round % 2];
                    talk.expect(&format!("AUTH PLAIN {}", plain(other, "wrong")), "-ERR [AUTH]");
                    let password = house.customer(login).password;
                    talk.expect(&format!("AUTH PLAIN {}", plain(login, password)), "+OK");
                    assert_own_mail(&mut talk, login);
                    talk.expect("QUIT", "+OK");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Pipelined sessions of several accounts, each of which marks and quits: no mark and no octet
/// of a reply goes to a neighbour.
#[test]
fn interleaved_sessions_keep_their_own_marks() {
    let house = furnished();
    for login in ALL {
        put(&house, login, "2.m", b"Subject: second\n\nx\n");
    }
    let mut talks: Vec<(&str, Talk)> =
        ALL.into_iter().map(|login| (login, house.logged_in(login, HERE))).collect();
    for (at, (_, talk)) in talks.iter_mut().enumerate() {
        if at != 1 {
            talk.expect("DELE 2", "+OK");
        }
    }
    for (at, (login, talk)) in talks.iter_mut().enumerate() {
        talk.expect("STAT", if at == 1 { "+OK 2 " } else { "+OK 1 " });
        assert_own_mail(talk, login);
    }
    for (_, talk) in &mut talks {
        talk.expect("QUIT", "+OK");
    }
    let left = |login| crate::kit::names(&house, login).len();
    assert_eq!(ALL.map(left), [1, 2, 1]);
}

/// CVE-2019-3814 and CVE-2026-27855 (Dovecot): who somebody is comes from this login, never from
/// an earlier one on the connection or an exchange that was broken off.
#[test]
fn half_an_exchange_counts_for_no_other() {
    let house = furnished();
    let (aiko, bert) = (house.customer(AIKO).password, house.customer(BERT).password);
    let mut talk = house.client("pop3", HERE);
    talk.expect(&format!("USER {BERT}"), "+OK");
    talk.expect("AUTH LOGIN", "+ ");
    talk.expect(&crate::kit::base64(BERT), "+ ");
    talk.expect("*", "-ERR");
    // Bert's name is on the line twice; the password goes with neither.
    talk.expect(&format!("PASS {bert}"), "-ERR");
    talk.expect(&format!("AUTH PLAIN {}", plain(AIKO, aiko)), "+OK");
    assert_own_mail(&mut talk, AIKO);
}

/// A session that ends in any way gives its maildrop back, and to the next login alone.
#[test]
fn the_next_connection_starts_from_nothing() {
    let house = furnished();
    for _ in 0..20 {
        let talk = house.logged_in(BERT, HERE);
        talk.abort();
        let mut talk = house.client("pop3", HERE);
        for command in ["STAT", "RETR 1", "UIDL"] {
            let reply = talk.ask(command);
            assert!(reply.starts_with("-ERR"), "{reply}");
        }
    }
    lastpost_tests::eventually(PATIENCE, "the maildrop to be free", || {
        let mut talk = house.client("pop3", HERE);
        let password = house.customer(BERT).password;
        talk.auth_plain(BERT, password).starts_with("+OK")
    });
}
