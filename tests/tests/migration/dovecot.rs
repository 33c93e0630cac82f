//! From a real Dovecot: its ids, order and sizes are the same here, and go on.

use std::fs;

use lastpost_tests::{House, Plan};

use crate::dovecot_server::{Dovecot, PASSWORD, is_there};
use crate::kit::{
    LOGIN, accounts_file, copy, everything, expect, json, letter, listing, message, skips,
};

/// A Maildir that has a history: the order of arrival is not that of the names.
fn dovecot_with_history(settings: &str) -> Dovecot {
    let mut dovecot = Dovecot::new();
    let maildir = dovecot.maildir();
    message(&maildir, "new/1732400030.M1P1.mx", &letter(1));
    let name = format!("cur/1732400020.M2P1.mx,S={}:2,S", letter(2).len());
    message(&maildir, &name, &letter(2));
    dovecot.start(settings);
    assert_eq!(dovecot.listing("UIDL").len(), 2);
    // Moved here from elsewhere, later and with earlier names.
    message(&maildir, "new/1732400010.M3P1.mx", &letter(3));
    message(&maildir, "new/odd name;of=a,file", &letter(4));
    dovecot.start(settings);
    assert_eq!(dovecot.listing("UIDL").len(), 4);
    message(&maildir, "cur/1732400000.M5P1.mx:2,FRS", &letter(5));
    dovecot.start(settings);
    let mut talk = dovecot.session();
    // A gap in the uids.
    talk.expect("DELE 2", "+OK");
    talk.expect("QUIT", "+OK");
    assert_eq!(dovecot.listing("UIDL").len(), 4);
    dovecot
}

fn house(uidl_format: &str) -> House {
    let pop3 = format!("[pop3.maildrop]\nuidl_format = \"{uidl_format}\"\n");
    House::start(Plan { pop3: Box::leak(pop3.into_boxed_str()), ..Plan::default() })
}

#[test]
fn nothing_is_downloaded_again_and_new_mail_goes_on() {
    if skips(is_there(), "dovecot 2.3 with pop3, and root to start it,") {
        return;
    }
    let dovecot = dovecot_with_history("");
    let house = house("%08Xu%08Xv");
    let maildir = house.maildir(LOGIN);
    fs::remove_dir_all(&maildir).unwrap();
    copy(&dovecot.maildir(), &maildir);

    let before = everything(&maildir);
    let told = json(&house, &["import-uidl", "--from", "dovecot", "--dry-run", LOGIN], 0);
    assert_eq!((&told["adopted"], &told["dry_run"]), (&4.into(), &true.into()));
    let after: Vec<_> = everything(&maildir);
    let real = |all: &[(std::path::PathBuf, Vec<u8>)]| -> Vec<_> {
        all.iter().filter(|(path, _)| !path.ends_with("lastpost.lock")).cloned().collect()
    };
    assert_eq!(real(&after), real(&before), "a dry run writes nothing");

    let told = json(&house, &["import-uidl", "--from", "dovecot", LOGIN], 0);
    assert_eq!((&told["adopted"], &told["already_right"]), (&4.into(), &0.into()));
    let told = json(&house, &["import-uidl", "--from", "dovecot", "--all"], 0);
    assert_eq!((&told["adopted"], &told["already_right"]), (&0.into(), &4.into()), "{told}");

    let (ids, sizes) = (dovecot.listing("UIDL"), dovecot.listing("LIST"));
    assert_eq!(listing(&house, "UIDL"), ids);
    assert_eq!(listing(&house, "LIST"), sizes);
    let accounts = accounts_file(&house, &format!("{LOGIN}\t{PASSWORD}\n"));
    let old = format!("pop3+cleartext://{}", dovecot.address());
    let new = format!("pop3://localhost:{}", house.address("pop3").port());
    // The new server has another password, as it may well have: the old one's is refused.
    let arguments = ["compare", "--old", &old, "--new", &new, "--insecure", "--accounts"];
    let (out, _) = expect(&house, &[&arguments[..], &[&accounts]].concat(), 1);
    assert!(out.contains("new server: it refuses the login"), "{out}");
    assert!(!out.contains(PASSWORD));

    house.deliver(LOGIN, b"From: <x@y.example>\n\nafter the move\n");
    let now = listing(&house, "UIDL");
    assert_eq!(now[..4], ids[..]);
    // Five uids were given, the second is gone, and the counters went on.
    let validity = &ids[0].split_once(' ').unwrap().1[8..];
    assert_eq!(now[4], format!("5 00000006{validity}"));
    // Later runs leave it in peace.
    let told = json(&house, &["import-uidl", "--from", "dovecot", LOGIN], 0);
    assert_eq!((&told["adopted"], &told["without_record"]), (&0.into(), &1.into()));
    assert_eq!(listing(&house, "UIDL"), now);
}

#[test]
fn a_comparison_with_dovecot_finds_no_difference() {
    if skips(is_there(), "dovecot 2.3 with pop3, and root to start it,") {
        return;
    }
    let dovecot = dovecot_with_history("");
    let customer = lastpost_tests::Customer { login: LOGIN, password: PASSWORD, aliases: &[] };
    let house = House::start(Plan { customers: vec![customer], ..Plan::default() });
    let maildir = house.maildir(LOGIN);
    fs::remove_dir_all(&maildir).unwrap();
    copy(&dovecot.maildir(), &maildir);
    let accounts = accounts_file(&house, &format!("{LOGIN}\t{PASSWORD}\n"));
    let old = format!("pop3+cleartext://{}", dovecot.address());
    let new = format!("localhost:{}", house.address("pop3").port());
    let certificate = house.path("certificate.pem");
    let arguments = [
        "compare",
        "--old",
        &old,
        "--new",
        &new,
        "--sample",
        "9",
        "--accounts",
        &accounts,
        "--ca-file",
        certificate.to_str().unwrap(),
    ];
    let told = json(&house, &arguments, 1);
    let findings = told["results"][0]["findings"].as_array().unwrap();
    assert_eq!(findings[0]["finding"], "again", "{told}");
    assert_eq!(findings[0]["messages"], 4);

    expect(&house, &["import-uidl", "--from", "dovecot", "--replace", LOGIN], 0);
    let (out, _) = expect(&house, &arguments, 0);
    assert!(out.contains("no difference"), "{out}");
    let told = json(&house, &arguments, 0);
    let result = &told["results"][0];
    assert_eq!((&result["sampled"], &result["new_messages"]), (&4.into(), &4.into()));
    assert!(!out.contains(PASSWORD) && !told.to_string().contains(PASSWORD));
}

#[test]
fn any_format_of_dovecot_is_made_the_same() {
    if skips(is_there(), "dovecot 2.3 with pop3, and root to start it,") {
        return;
    }
    let mut dovecot = dovecot_with_history("");
    for format in ["%v.%u", "%Mf", "%Xv%Xu", "UID%u-%v", "%f", "%g", "%05u.%4u", "%u"] {
        dovecot.start(&format!("protocol pop3 {{\n  pop3_uidl_format = {format}\n}}"));
        let ids = dovecot.listing("UIDL");
        // One of the names has a space in it, which no id of this server may have.
        let (status, given) = if ["%f", "%g"].contains(&format) { (1, 3) } else { (0, 4) };
        let house = House::start(Plan::default());
        let maildir = house.maildir(LOGIN);
        fs::remove_dir_all(&maildir).unwrap();
        copy(&dovecot.maildir(), &maildir);
        let arguments = ["import-uidl", "--from", "dovecot", "--uidl-format", format, LOGIN];
        expect(&house, &arguments, status);
        let ours = listing(&house, "UIDL");
        let same = ids.iter().zip(&ours).filter(|(a, b)| a == b).count();
        assert_eq!((same, ours.len()), (given, 4), "{format}: {ids:?} {ours:?}");
    }
}

#[test]
fn ids_that_dovecot_saved_win() {
    if skips(is_there(), "dovecot 2.3 with pop3, and root to start it,") {
        return;
    }
    let settings = "protocol pop3 {\n  pop3_save_uidl = yes\n  pop3_uidl_format = old-%u\n}";
    let mut dovecot = dovecot_with_history(settings);
    // The format was changed later: what was given stays.
    dovecot.start("protocol pop3 {\n  pop3_save_uidl = yes\n  pop3_uidl_format = %v.%u\n}");
    message(&dovecot.maildir(), "new/1732400050.M6P1.mx", &letter(6));
    dovecot.start("protocol pop3 {\n  pop3_save_uidl = yes\n  pop3_uidl_format = %v.%u\n}");
    let ids = dovecot.listing("UIDL");
    assert!(ids[0].ends_with(" old-1") && !ids[4].contains("old"), "{ids:?}");
    let house = House::start(Plan::default());
    let maildir = house.maildir(LOGIN);
    fs::remove_dir_all(&maildir).unwrap();
    copy(&dovecot.maildir(), &maildir);
    expect(&house, &["import-uidl", "--from", "dovecot", "--uidl-format", "%v.%u", LOGIN], 0);
    assert_eq!(listing(&house, "UIDL"), ids);
}
