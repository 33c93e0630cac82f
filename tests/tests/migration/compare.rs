//! Two servers side by side: what customers would notice, and what is never done to them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use lastpost_tests::{House, Plan};

use crate::kit::{
    HERE, LOGIN, accounts_file, copy, expect, json, letter, listing, maildrop_with_input, message,
};

/// Two houses with the same mail.
fn twins() -> (House, House) {
    let old = House::start(Plan::default());
    for number in 1..=9 {
        message(&old.maildir(LOGIN), &format!("new/17324000{number:02}.a.mx"), &letter(number));
    }
    let new = House::start(Plan::default());
    fs::remove_dir_all(new.maildir(LOGIN)).unwrap();
    copy(&old.maildir(LOGIN), &new.maildir(LOGIN));
    (old, new)
}

fn arguments<'a>(old: &House, new: &House, more: &[&'a str]) -> Vec<String> {
    let server = |house: &House| format!("localhost:{}", house.address("pop3").port());
    let password = new.customer(LOGIN).password;
    let accounts = accounts_file(new, &format!("{LOGIN}\t{password}\n"));
    let mut all: Vec<String> =
        ["compare", "--old", &server(old), "--new", &server(new), "--accounts", &accounts]
            .map(str::to_owned)
            .into();
    all.extend(more.iter().map(|&argument: &&'a str| argument.to_owned()));
    all
}

fn strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn equal_servers_under_verified_tls() {
    let (old, new) = twins();
    let both = new.path("both.pem");
    let certificates = [&old, &new].map(|house| fs::read(house.path("certificate.pem")).unwrap());
    fs::write(&both, certificates.concat()).unwrap();
    let both = both.to_str().unwrap();
    let (out, _) = expect(&new, &strs(&arguments(&old, &new, &["--ca-file", both])), 0);
    assert!(out.contains("no difference"), "{out}");
    // Both as they are on port 995.
    let all = arguments(&old, &new, &["--ca-file", both, "--tls", "--sample", "100", "--retr"]);
    let all: Vec<String> = all
        .iter()
        .map(|argument| {
            let swap = |house: &House, text: &str| {
                let port = |listener| house.address(listener).port().to_string();
                text.replace(&format!(":{}", port("pop3")), &format!(":{}", port("pop3s")))
            };
            swap(&new, &swap(&old, argument))
        })
        .collect();
    let told = json(&new, &strs(&all), 0);
    assert_eq!(told["results"][0]["sampled"], 9);
    // A name that is not the certificate's.
    let wrong = [&strs(&all)[..], &["--tls-name", "pop.example"]].concat();
    let told = json(&new, &wrong, 1);
    let failure = told["results"][0]["failure"].as_str().unwrap();
    assert!(failure.starts_with("old server: TLS: "), "{failure}");
}

#[test]
fn strangers_are_not_logged_in_to() {
    let (old, new) = twins();
    // The system does not know the houses' certificates, or knows no authority at all.
    let (out, err) = expect(&new, &strs(&arguments(&old, &new, &[])), 1);
    assert!(
        out.contains("server: TLS: ") || err.contains("no certificate authorities"),
        "{out}{err}"
    );
    expect(&new, &strs(&arguments(&old, &new, &["--insecure"])), 0);
}

#[test]
fn every_difference_is_told() {
    let (old, new) = twins();
    let maildir = new.maildir(LOGIN);
    fs::rename(maildir.join("new/1732400003.a.mx"), maildir.join("new/1732400003.other.mx"))
        .unwrap();
    // The same size, and another octet; then another size.
    let changed = letter(5).replace("letter 5", "LETTER 5");
    message(&maildir, "new/1732400005.a.mx", &changed);
    message(&maildir, "new/1732400009.a.mx", &(letter(9) + "more\n"));
    let map = "1732400002.a.mx\t1732400002.a.mx\n1732400001.a.mx\t1732400001.a.mx\n";
    let file = new.path("map");
    fs::write(&file, map).unwrap();
    expect(&new, &["import-uidl", "--from", "map", "--file", file.to_str().unwrap(), LOGIN], 0);
    let all = arguments(&old, &new, &["--insecure", "--sample", "50"]);
    let (out, err) = expect(&new, &strs(&all), 1);
    for expected in [
        "1 messages would be downloaded again (from message 3 on, id 1732400003.other.mx)",
        "1 messages are not on the new server under their ids (from message 3 of the old one on",
        "order differs from message 1 on",
        "sizes differ for 1 messages (from message 9 on: ",
        "message 5 differs from octet 30 on",
        "message 9 differs from octet ",
    ] {
        assert!(out.contains(expected), "{expected}\n{out}");
    }
    assert!(err.contains("1 of 1 accounts differ, 0 could not be compared in full"), "{err}");
    let told = json(&new, &strs(&all), 1);
    let findings = told["results"][0]["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 6, "{told}");
}

#[test]
fn nothing_is_changed_on_either_side() {
    let (old, new) = twins();
    let before = [&old, &new].map(|house| listing(house, "UIDL"));
    expect(&new, &strs(&arguments(&old, &new, &["--insecure", "--sample", "9"])), 0);
    assert_eq!([&old, &new].map(|house| listing(house, "UIDL")), before);
    for house in [&old, &new] {
        let drop =
            maildrop::Maildrop::open(&house.maildir(LOGIN), &maildrop::OpenOptions::default());
        let drop = drop.unwrap();
        assert!(drop.messages().all(|message| !message.retrieved), "TOP is no retrieval");
    }
}

#[test]
fn accounts_come_from_a_file_with_care() {
    let (old, new) = twins();
    let all = arguments(&old, &new, &["--insecure"]);
    let file = new.path("accounts.tsv");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let (_, err) = expect(&new, &strs(&all), 0);
    assert!(err.contains("warning: ") && err.contains("everybody can read it"), "{err}");
    fs::write(&file, format!("{LOGIN}\twrong\nbert@open.example\tbert's password\n")).unwrap();
    let (out, err) = expect(&new, &strs(&all), 1);
    assert!(out.contains("old server: it refuses the login: -ERR [AUTH]"), "{out}");
    assert!(out.contains("bert@open.example"), "{out}");
    assert!(err.contains("0 of 2 accounts differ, 1 could not be compared in full"), "{err}");
    fs::write(&file, format!("{LOGIN} secret-without-tab\n")).unwrap();
    let (out, err) = expect(&new, &strs(&all), 1);
    assert!(err.contains("accounts.tsv:1: no TAB"), "{err}");
    assert!(!format!("{out}{err}").contains("secret-without-tab"));
}

#[test]
fn accounts_may_come_from_a_pipe() {
    let (old, new) = twins();
    let mut all = arguments(&old, &new, &["--insecure", "--json"]);
    let file = all.iter_mut().find(|argument| argument.ends_with("accounts.tsv")).unwrap();
    let accounts = fs::read(&*file).unwrap();
    *file = "-".to_owned();
    let output = maildrop_with_input(&new, &strs(&all), &accounts);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["accounts"], &told["differ"], &told["failed"]),
        (&1.into(), &0.into(), &0.into())
    );
}

#[test]
fn a_maildrop_in_use_is_no_difference() {
    let (old, new) = twins();
    let _held = new.logged_in(LOGIN, HERE);
    let (out, err) = expect(&new, &strs(&arguments(&old, &new, &["--insecure"])), 1);
    assert!(out.contains("new server: it refuses the login: -ERR [IN-USE]"), "{out}");
    assert!(err.contains("0 of 1 accounts differ, 1 could not be compared in full"), "{err}");
}
