//! mpop: pipelines of commands, and a memory of ids.

use std::process::Command;

use lastpost_tests::House;

use crate::kit::{
    AIKO, Way, assert_same_messages, attempt, files, folder, house, installed, left, letter,
    letters, lf, run, said, write_private,
};

/// Runs mpop on an account whose mail goes to `fetched/new`; `more` are lines of its own file.
fn mpop(house: &House, way: Way, more: &str) -> Command {
    let target = folder(house, "fetched");
    maildrop::create(&target).unwrap();
    let rc = house.path("mpoprc");
    let config = format!(
        "defaults\ntls {tls}\ntls_starttls {stls}\ntls_trust_file {cert}\naccount a\n\
         host localhost\nport {port}\nuser {AIKO}\npassword \"{password}\"\n\
         received_header off\nuidls_file {uidls}\ndelivery maildir {target}\n{more}",
        tls = if way == Way::Clear { "off" } else { "on" },
        stls = if way == Way::Stls { "on" } else { "off" },
        cert = house.path("certificate.pem").display(),
        port = way.port(house),
        password = house.customer(AIKO).password,
        uidls = house.path("uidls").display(),
        target = target.display(),
    );
    let config = match way {
        Way::Clear => config
            .replace(&format!("tls_trust_file {}\n", house.path("certificate.pem").display()), ""),
        _ => config,
    };
    write_private(&rc, &config);
    let mut mpop = Command::new("mpop");
    mpop.arg("-C").arg(&rc).args(["-q", "a"]);
    mpop
}

#[test]
fn fetches_every_octet_and_deletes() {
    if !installed("mpop") {
        return;
    }
    for way in [Way::Stls, Way::Tls] {
        for pipelining in ["auto", "on", "off"] {
            let house = house();
            run(&mut mpop(&house, way, &format!("keep off\npipelining {pipelining}\n")));
            let expected = letters().iter().map(|letter| lf(letter)).collect();
            assert_same_messages(files(&house.path("fetched/new")), expected);
            assert_eq!(left(&house), 0, "{way:?} {pipelining}");
        }
    }
}

/// Leaves mail on the server: the second run downloads what is new and nothing else.
#[test]
fn keeps_mail_and_knows_it_again() {
    if !installed("mpop") {
        return;
    }
    let mut house = house();
    for round in 0..3 {
        let expected = letters().len() + round;
        run(&mut mpop(&house, Way::Tls, "keep on\n"));
        assert_eq!(files(&house.path("fetched/new")).len(), expected, "round {round}");
        assert_eq!(left(&house), expected);
        house.deliver(AIKO, &letter(&format!("later {round}"), b"later\n"));
        // Ids outlive the daemon.
        house.restart();
    }
}

#[test]
fn a_hundred_letters_in_flight() {
    if !installed("mpop") {
        return;
    }
    let house = house();
    let mut expected: Vec<Vec<u8>> = letters().iter().map(|letter| lf(letter)).collect();
    for number in 0..300 {
        let letter = letter(&format!("number {number}"), format!("text {number}\n").as_bytes());
        house.deliver(AIKO, &letter);
        expected.push(letter);
    }
    run(&mut mpop(&house, Way::Stls, "keep off\npipelining on\n"));
    assert_same_messages(files(&house.path("fetched/new")), expected);
    assert_eq!(left(&house), 0);
}

/// Each mechanism that it knows and we offer.
#[test]
fn logs_in_by_each_mechanism() {
    if !installed("mpop") {
        return;
    }
    for mechanism in ["on", "user", "plain", "login"] {
        let house = house();
        run(&mut mpop(&house, Way::Tls, &format!("auth {mechanism}\nkeep on\n")));
        assert_eq!(files(&house.path("fetched/new")).len(), letters().len(), "{mechanism}");
    }
}

/// It takes every refusal at the login for a wrong password; but nothing is lost, and the next
/// run fetches all.
#[test]
fn a_maildrop_in_use_is_put_off() {
    if !installed("mpop") {
        return;
    }
    let house = house();
    let mut holder = house.logged_in(AIKO, crate::kit::HERE);
    let output = attempt(&mut mpop(&house, Way::Tls, "keep off\n"));
    assert!(!output.status.success());
    assert_eq!(left(&house), letters().len(), "{}", said(&output));
    holder.expect("QUIT", "+OK");
    run(&mut mpop(&house, Way::Tls, "keep off\n"));
    assert_eq!(files(&house.path("fetched/new")).len(), letters().len());
}
