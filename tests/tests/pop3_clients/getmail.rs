//! getmail6: duplicate ids are a broken server to it; long lines are raised to a mebibyte.

use std::process::Command;

use lastpost_tests::House;

use crate::kit::{
    AIKO, HERE, Way, assert_same_messages, attempt, files, folder, house, installed, left, letter,
    letters, lf, run, said, write_private,
};

fn getmail(house: &House, way: Way, delete: bool) -> Command {
    let target = folder(house, "fetched");
    let take = house.path("take");
    let name = "\"$$-$(date +%s%N).eml\"";
    // It misses the end of a child that ends before it has begun to wait for it, and then waits
    // for minutes.
    let line = format!("#!/bin/sh\ncat > '{}'/{name} && sleep 0.3\n", target.display());
    write_private(&take, &line);
    let state = folder(house, "getmail");
    let kind = if way == Way::Tls { "SimplePOP3SSLRetriever" } else { "SimplePOP3Retriever" };
    let trust = match way {
        Way::Tls => format!("ca_certs = {}\n", house.path("certificate.pem").display()),
        _ => String::new(),
    };
    let config = format!(
        "[retriever]\ntype = {kind}\nserver = localhost\nport = {port}\nusername = {AIKO}\n\
         password = {password}\n{trust}[destination]\ntype = MDA_external\npath = /bin/sh\n\
         arguments = (\"{take}\",)\nallow_root_commands = true\n[options]\nread_all = false\ndelete = {delete}\ndelivered_to = false\n\
         received = false\nverbose = 2\n",
        port = way.port(house),
        password = house.customer(AIKO).password,
        take = take.display(),
    );
    write_private(&state.join("getmailrc"), &config);
    let mut getmail = Command::new("getmail");
    getmail.arg(format!("--getmaildir={}", state.display())).arg("--rcfile=getmailrc");
    getmail
}

#[test]
fn fetches_every_octet_and_deletes() {
    if !installed("getmail") {
        return;
    }
    for way in [Way::Clear, Way::Tls] {
        let house = house();
        house.deliver(AIKO, &letter("longer", &[vec![b'z'; 500_000], b"\n".to_vec()].concat()));
        run(&mut getmail(&house, way, true));
        let mut expected: Vec<_> = letters().iter().map(|letter| lf(letter)).collect();
        expected.push(letter("longer", &[vec![b'z'; 500_000], b"\n".to_vec()].concat()));
        assert_same_messages(files(&house.path("fetched")), expected);
        assert_eq!(left(&house), 0);
    }
}

#[test]
fn keeps_mail_and_knows_it_again() {
    if !installed("getmail") {
        return;
    }
    let house = house();
    let count = letters().len();
    for round in 0..3 {
        run(&mut getmail(&house, Way::Tls, false));
        assert_eq!(files(&house.path("fetched")).len(), count + round, "round {round}");
        house.deliver(AIKO, &letter(&format!("later {round}"), b"later\n"));
    }
    assert_eq!(left(&house), count + 3);
}

#[test]
fn a_maildrop_in_use_is_named_to_the_customer() {
    if !installed("getmail") {
        return;
    }
    let house = house();
    let mut holder = house.logged_in(AIKO, HERE);
    let output = attempt(&mut getmail(&house, Way::Tls, true));
    assert!(said(&output).contains("IN-USE"), "{}", said(&output));
    holder.expect("QUIT", "+OK");
    assert_eq!(left(&house), letters().len());
    run(&mut getmail(&house, Way::Tls, true));
    assert_eq!(left(&house), 0);
}
