//! The login: what it promises, and what it opens.

use lastpost_tests::House;

use crate::kit::{AIKO, BERT, HERE, house, house_of, names, plain, put, set_users, user};

/// Puts something else where a folder of the Maildir was: it cannot be read, not even by root.
fn break_folder(house: &House, folder: &str) {
    let folder = house.maildir(AIKO).join(folder);
    std::fs::rename(&folder, folder.with_extension("away")).unwrap();
    std::fs::write(&folder, b"no directory").unwrap();
}

fn mend_folder(house: &House, folder: &str) {
    let folder = house.maildir(AIKO).join(folder);
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(folder.with_extension("away"), &folder).unwrap();
}

/// Dovecot without `pop3_lock_session`: +OK came before the maildrop was opened, and a failure
/// answered the next command. Thunderbird forgets all ids when STAT says 0, or UIDL names a part.
#[test]
fn a_maildrop_that_cannot_be_read_refuses_the_login() {
    for folder in ["new", "cur"] {
        let house = house_of(&[b"one\n", b"two\n"]);
        std::fs::rename(
            house.maildir(AIKO).join("new/2.m"),
            house.maildir(AIKO).join("cur/2.m:2,S"),
        )
        .unwrap();
        for known in [false, true] {
            if known {
                // Also when the state file would know the messages.
                house.logged_in(AIKO, HERE).expect("QUIT", "+OK");
            }
            break_folder(&house, folder);
            for by_auth in [false, true] {
                let password = house.customer(AIKO).password;
                let mut talk = house.client("pop3", HERE);
                let reply = if by_auth {
                    talk.auth_plain(AIKO, password)
                } else {
                    talk.expect(&format!("USER {AIKO}"), "+OK");
                    talk.ask(&format!("PASS {password}"))
                };
                assert!(reply.starts_with("-ERR [SYS/"), "{folder}: {reply}");
                // No half-open session behind it.
                for command in ["STAT", "LIST", "UIDL", "RETR 1"] {
                    talk.expect(command, "-ERR");
                    let mut next = house.client("pop3", HERE);
                    next.expect(&format!("USER {AIKO}"), "+OK");
                    next.expect(&format!("PASS {password}"), "-ERR [SYS/");
                    talk = next;
                }
            }
            mend_folder(&house, folder);
            house.logged_in(AIKO, HERE).expect("STAT", "+OK 2 10");
        }
    }
}

/// RFC 1939 section 4: the lock comes before +OK, and a refusal leaves none behind.
#[test]
fn a_maildrop_in_use_refuses_the_login_and_keeps_nothing() {
    let house = house_of(&[b"one\n"]);
    let mut first = house.logged_in(AIKO, HERE);
    let mut second = house.client("pop3", HERE);
    second.expect(&format!("USER {AIKO}"), "+OK");
    second.expect(&format!("PASS {}", house.customer(AIKO).password), "-ERR [IN-USE]");
    second.expect("STAT", "-ERR");
    first.expect("STAT", "+OK 1 5");
    first.expect("QUIT", "+OK");
    // On the same connection.
    second.expect(&format!("USER {AIKO}"), "+OK");
    second.expect(&format!("PASS {}", house.customer(AIKO).password), "+OK");
    second.expect("STAT", "+OK 1 5");
}

/// Stalwart 0.15 refused a password with a space in it; popa3d cut it at 127 octets; others
/// trimmed it.
#[test]
fn a_password_is_the_rest_of_the_line() {
    let house = house();
    let passwords = [
        "two words",
        " leading",
        "trailing ",
        "  two  each  ",
        " ",
        "tab\tinside",
        "p\u{e4}ssw\u{f6}rd",
        "a:b:c",
        "100% sure%u",
        &"x".repeat(240),
    ];
    for password in passwords {
        set_users(&house, &user(&house, AIKO, password, ""));
        let mut talk = house.client("pop3", HERE);
        talk.expect(&format!("USER {AIKO}"), "+OK");
        talk.expect(&format!("PASS {password}"), "+OK");
        talk.expect("QUIT", "+OK");
        let mut talk = house.client("pop3", HERE);
        talk.expect(&format!("AUTH PLAIN {}", plain(AIKO, password)), "+OK");
        talk.expect("QUIT", "+OK");
        if password.len() < 200 {
            // Neither more of it nor less.
            for wrong in [format!("{password} "), format!(" {password}"), "two".to_owned()] {
                let mut talk = house.client("pop3", HERE);
                talk.expect(&format!("USER {AIKO}"), "+OK");
                talk.expect(&format!("PASS {wrong}"), "-ERR [AUTH]");
            }
        }
    }
}

/// RFC 3206: AUTH-RESP-CODE promises the code for every failure of credentials, and for them
/// alone. A program that reads another -ERR as a wrong password stops polling (fetchmail).
#[test]
fn every_wrong_credential_has_the_code() {
    let house = house();
    let password = house.customer(AIKO).password;
    for line in [
        "AUTH PLAIN ".to_owned() + &plain(AIKO, "wrong"),
        "AUTH PLAIN ".to_owned() + &plain("nobody", "wrong"),
        "AUTH PLAIN ".to_owned() + &plain("", password),
        "AUTH PLAIN ".to_owned() + &plain(AIKO, ""),
        "AUTH PLAIN ".to_owned() + &crate::kit::base64(format!("{BERT}\0{AIKO}\0{password}")),
    ] {
        let mut talk = house.client("pop3", HERE);
        talk.expect(&line, "-ERR [AUTH]");
    }
    let mut talk = house.client("pop3", HERE);
    for password in ["wrong", "", " "] {
        talk.expect(&format!("USER {AIKO}"), "+OK");
        talk.expect(&format!("PASS {password}"), "-ERR [AUTH]");
    }
    for bad in ["PASS x", "AUTH XYZZY", "STAT", "AUTH PLAIN !!!"] {
        let mut talk = house.client("pop3", HERE);
        let reply = talk.expect(bad, "-ERR");
        assert!(!reply.contains("[AUTH]"), "{bad}: {reply}");
    }
}

/// A name and password that were right once are not right for ever: changed, locked, removed.
#[test]
fn a_login_that_was_right_before_is_checked_again() {
    let house = house_of(&[b"one\n"]);
    let old = house.customer(AIKO).password;
    for _ in 0..3 {
        house.logged_in(AIKO, HERE).expect("QUIT", "+OK");
    }
    let refused = |password: &str| {
        let mut talk = house.client("pop3", HERE);
        talk.expect(&format!("USER {AIKO}"), "+OK");
        talk.expect(&format!("PASS {password}"), "-ERR [AUTH]");
    };
    set_users(&house, &user(&house, AIKO, "new password", ""));
    refused(old);
    let table = user(&house, AIKO, "new password", "");
    set_users(&house, &table.replace(":{", ":!{"));
    refused("new password");
    set_users(&house, &user(&house, BERT, "b", ""));
    refused("new password");
    refused(old);
    assert_eq!(names(&house, AIKO), ["1.m"]);
}

/// A second USER replaces the first; PASS goes with the last one and is used up by it.
#[test]
fn a_password_goes_with_the_name_before_it() {
    let house = house();
    put(&house, BERT, "1.m", b"for bert\n");
    let (aiko, bert) = (house.customer(AIKO).password, house.customer(BERT).password);
    let mut talk = house.client("pop3", HERE);
    talk.expect(&format!("USER {AIKO}"), "+OK");
    talk.expect(&format!("USER {BERT}"), "+OK");
    talk.expect(&format!("PASS {aiko}"), "-ERR [AUTH]");
    // The name is gone with the attempt.
    talk.expect(&format!("PASS {bert}"), "-ERR");
    talk.expect(&format!("USER {BERT}"), "+OK");
    talk.expect(&format!("PASS {bert}"), "+OK");
    talk.expect("STAT", "+OK 1 10");
    for again in [format!("USER {AIKO}"), format!("PASS {aiko}"), "AUTH PLAIN".to_owned()] {
        talk.expect(&again, "-ERR");
    }
    talk.expect("STAT", "+OK 1 10");
}
