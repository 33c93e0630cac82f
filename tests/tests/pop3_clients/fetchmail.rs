//! fetchmail: keeps by ids, deletes, retries by words, and says what happened by its status.

use std::process::Command;

use lastpost_tests::House;

use crate::kit::{
    AIKO, HERE, Way, assert_same_messages, attempt, files, folder, house, house_with, installed,
    left, letter, letters, lf, said, write_private,
};

/// Exit statuses (fetchmail(1)).
const FETCHED: i32 = 0;
const NOTHING: i32 = 1;
const AUTHENTICATION: i32 = 3;
const LOCKED: i32 = 9;

/// Runs fetchmail; each letter becomes a file of `fetched`.
fn fetchmail(house: &House, way: Way, options: &str) -> Command {
    let target = folder(house, "fetched");
    let home = folder(house, "fetchmail");
    let take = house.path("take");
    // The name is the letter's own, so that no two runs meet.
    std::fs::write(
        &take,
        format!("#!/bin/sh\nexec cat > '{}'/$$-$(date +%s%N).eml\n", target.display()),
    )
    .unwrap();
    let rc = home.join("fetchmailrc");
    let tls = match way {
        Way::Clear => "sslproto ''".to_owned(),
        Way::Stls => format!(
            "sslproto \"tls1.2+\" sslcertck sslcertfile {}",
            house.path("certificate.pem").display()
        ),
        Way::Tls => {
            format!("ssl sslcertck sslcertfile {}", house.path("certificate.pem").display())
        }
    };
    let config = format!(
        "set invisible\nset idfile {ids}\nset no bouncemail\npoll localhost proto pop3 \
         port {port} uidl no dns timeout 60\n user \"{AIKO}\" password \"{password}\" \
         mda \"/bin/sh {take}\" no rewrite {options} {tls}\n",
        ids = home.join("ids").display(),
        port = way.port(house),
        password = house.customer(AIKO).password,
        take = take.display(),
    );
    write_private(&rc, &config);
    let mut fetchmail = Command::new("fetchmail");
    fetchmail.env("HOME", &home).env("FETCHMAILHOME", &home);
    fetchmail.args(["--nodetach", "--nosyslog", "-v", "-f"]).arg(&rc);
    // Root's would be one for all.
    fetchmail.arg("--pidfile").arg(home.join("pid"));
    fetchmail
}

fn status(house: &House, way: Way, options: &str, expected: i32) -> String {
    let output = attempt(&mut fetchmail(house, way, options));
    assert_eq!(output.status.code(), Some(expected), "{options}: {}", said(&output));
    said(&output)
}

#[test]
fn fetchall_takes_every_octet_and_deletes() {
    if !installed("fetchmail") {
        return;
    }
    for way in Way::ALL {
        let house = house();
        status(&house, way, "fetchall no keep", FETCHED);
        let expected = letters().iter().map(|letter| lf(letter)).collect();
        assert_same_messages(files(&house.path("fetched")), expected);
        assert_eq!(left(&house), 0, "{way:?}");
        status(&house, way, "fetchall no keep", NOTHING);
    }
}

/// With `keep` it remembers ids: the second run downloads what is new alone.
#[test]
fn keeps_mail_and_knows_it_again() {
    if !installed("fetchmail") {
        return;
    }
    let mut house = house();
    let count = letters().len();
    status(&house, Way::Tls, "keep", FETCHED);
    assert_eq!((files(&house.path("fetched")).len(), left(&house)), (count, count));
    status(&house, Way::Tls, "keep", NOTHING);
    assert_eq!(files(&house.path("fetched")).len(), count);
    house.deliver(AIKO, &letter("later", b"later\n"));
    house.restart();
    status(&house, Way::Tls, "keep", FETCHED);
    assert_eq!((files(&house.path("fetched")).len(), left(&house)), (count + 1, count + 1));
}

/// With many old letters it looks for the first new one by `UIDL n`, halving: the order must be
/// that of arrival and the ids stable.
#[test]
fn finds_the_first_new_letter_by_halving() {
    if !installed("fetchmail") {
        return;
    }
    let house = house();
    for number in 0..100 {
        house.deliver(AIKO, &letter(&format!("old {number}"), b"old\n"));
    }
    let count = letters().len() + 100;
    status(&house, Way::Clear, "keep fastuidl 1", FETCHED);
    assert_eq!(files(&house.path("fetched")).len(), count);
    house.deliver(AIKO, &letter("new", b"new\n"));
    let log = status(&house, Way::Clear, "keep fastuidl 1", FETCHED);
    assert_eq!(files(&house.path("fetched")).len(), count + 1);
    assert!(log.contains("UIDL 1"), "{log}");
}

/// A maildrop in use is "lock busy" and not a wrong password, behind which it stops polling.
#[test]
fn a_maildrop_in_use_is_lock_busy() {
    if !installed("fetchmail") {
        return;
    }
    let house = house();
    let mut holder = house.logged_in(AIKO, HERE);
    for way in Way::ALL {
        let log = status(&house, way, "fetchall no keep", LOCKED);
        assert!(log.contains("[IN-USE]"), "{log}");
    }
    holder.expect("QUIT", "+OK");
    assert_eq!(left(&house), letters().len());
    status(&house, Way::Tls, "fetchall no keep", FETCHED);
}

#[test]
fn a_wrong_password_is_an_authentication_failure() {
    if !installed("fetchmail") {
        return;
    }
    let house = house();
    for way in Way::ALL {
        let mut command = fetchmail(&house, way, "keep");
        let rc = house.path("fetchmail/fetchmailrc");
        let text = std::fs::read_to_string(&rc).unwrap();
        write_private(&rc, &text.replace(house.customer(AIKO).password, "wrong"));
        let output = attempt(&mut command);
        assert_eq!(output.status.code(), Some(AUTHENTICATION), "{}", said(&output));
    }
}

/// A storage failure must not be taken for a wrong password either.
#[test]
fn a_maildrop_that_cannot_be_read_is_no_authentication_failure() {
    if !installed("fetchmail") {
        return;
    }
    let house = house();
    let cur = house.maildir(AIKO).join("cur");
    std::fs::rename(&cur, cur.with_extension("away")).unwrap();
    std::fs::write(&cur, b"no directory").unwrap();
    let output = attempt(&mut fetchmail(&house, Way::Tls, "fetchall no keep"));
    assert_ne!(output.status.code(), Some(FETCHED));
    assert_ne!(output.status.code(), Some(NOTHING), "an empty maildrop: {}", said(&output));
    assert!(said(&output).contains("[SYS/"), "{}", said(&output));
    assert!(files(&house.path("fetched")).is_empty());
}

/// `limit` leaves large letters where they are, which needs right sizes; `flush` removes what was
/// fetched earlier.
#[test]
fn leaves_large_letters_and_flushes_old_ones() {
    if !installed("fetchmail") {
        return;
    }
    let house = house();
    let attempted = attempt(&mut fetchmail(&house, Way::Tls, "keep limit 100000"));
    assert!(attempted.status.success(), "{}", said(&attempted));
    let large = letters().iter().filter(|letter| crate::kit::crlf(letter).len() > 100_000).count();
    assert_eq!(large, 1);
    assert_eq!(files(&house.path("fetched")).len(), letters().len() - large);
    assert_eq!(left(&house), letters().len());
}

/// LOGIN-DELAY is "come again" too, and no wrong password.
#[test]
fn a_login_that_comes_too_soon_is_lock_busy() {
    if !installed("fetchmail") {
        return;
    }
    let pop3 = "sessions_per_ip_max = 2000\n[pop3.maildrop]\nlogin_delay = \"60s\"\n";
    let house = house_with(pop3);
    status(&house, Way::Tls, "keep", FETCHED);
    let log = status(&house, Way::Tls, "keep", LOCKED);
    assert!(log.contains("[LOGIN-DELAY]"), "{log}");
    house.clock().advance(std::time::Duration::from_secs(60));
    status(&house, Way::Tls, "keep", NOTHING);
}
