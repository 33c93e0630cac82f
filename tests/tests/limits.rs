//! Limits in a whole house: what the admin sees and does, what the customer reads, and what a
//! restart leaves.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::Duration;

use lastpost_tests::{House, Plan, Talk, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
const AIKO: &str = "aiko@open.example";

const LIMITS: &str = "[limits]\nadmin = \"bert@open.example\"\nlanguage = \"ja\"\n\
                      [limits.account]\nmessages_per_hour = 3\n\
                      networks_per_hour = { most = 1, action = \"suspend\" }\n";

fn house(submission: &'static str) -> House {
    House::start(Plan { submission, ..Plan::default() })
}

/// Runs `lastpost`: status, output, errors.
fn lastpost(house: &House, arguments: &[&str]) -> (i32, String, String) {
    let text = std::fs::read_to_string(house.path("lastpost.toml")).unwrap();
    let control = format!("[control]\nlisten = \"{}\"", house.address("control"));
    let file = house.path("command.toml");
    std::fs::write(&file, text.replace("[control]\nlisten = \"127.0.0.1:0\"", &control)).unwrap();
    let output = Command::new(PROGRAM)
        .env("LASTPOST_PROGRAM", "lastpost")
        .arg("--config")
        .arg(&file)
        .args(arguments)
        .output()
        .unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn aiko(house: &House, from: IpAddr) -> Talk {
    let mut talk = house.greeted(from, "customer.example");
    let reply = talk.auth_plain(AIKO, "aiko's password");
    assert!(reply.starts_with("235"), "{reply}");
    talk
}

/// Sends one message; the last reply.
fn send(talk: &mut Talk) -> String {
    let reply = talk.ask(&format!("MAIL FROM:<{AIKO}>"));
    if !reply.starts_with("250") {
        return reply;
    }
    talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
    talk.message(AIKO)
}

fn mails(house: &House, login: &str) -> Vec<String> {
    let read = |at: std::fs::DirEntry| std::fs::read_to_string(at.path()).unwrap();
    std::fs::read_dir(house.maildir(login).join("new"))
        .map(|entries| entries.map(|entry| read(entry.unwrap())).collect())
        .unwrap_or_default()
}

#[test]
fn the_admin_looks_suspends_and_resumes() {
    let house = house(LIMITS);
    let mut talk = aiko(&house, HOME);
    for _ in 0..2 {
        assert!(send(&mut talk).starts_with("250"));
    }
    let (status, shown, errors) = lastpost(&house, &["limits", "show"]);
    assert_eq!(status, 0, "{errors}");
    assert!(shown.contains(AIKO) && shown.contains("2/3"), "{shown}");
    let (_, shown, _) = lastpost(&house, &["limits", "show", AIKO]);
    assert!(shown.contains("of 3, then defer") && shown.contains("known recipients"), "{shown}");
    let (_, shown, _) = lastpost(&house, &["limits", "show", "--top", "1", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(json[0]["account"], AIKO);
    assert_eq!(json[0]["figures"][0]["count"], 2);

    let suspend = ["limits", "suspend", AIKO, "--reason", "ticket 4711"];
    assert_eq!(lastpost(&house, &suspend).0, 0);
    assert!(send(&mut talk).starts_with("525 5.7.13"), "in a session that is open");
    let mut again = house.greeted(HOME, "customer.example");
    assert!(again.auth_plain(AIKO, "aiko's password").starts_with("525 5.7.13"));
    house.fetch(AIKO, HOME);
    let (_, shown, _) = lastpost(&house, &["limits", "suspended"]);
    assert!(shown.contains(AIKO) && shown.contains("ticket 4711"), "{shown}");
    assert_eq!(lastpost(&house, &["limits", "resume", AIKO]).0, 0);
    for _ in 0..3 {
        assert!(send(&mut talk).starts_with("250"), "its counters have begun anew");
    }
    assert!(send(&mut talk).starts_with("450 4.7.1"));
    assert_eq!(lastpost(&house, &["limits", "forget", AIKO]).0, 0);
    assert!(send(&mut talk).starts_with("250"));

    let (status, _, errors) = lastpost(&house, &["limits", "resume", AIKO]);
    assert!(status == 1 && errors.contains("is not suspended"), "{errors}");
    let nobody = ["limits", "suspend", "nobody@open.example", "--reason", "x"];
    let (status, _, errors) = lastpost(&house, &nobody);
    assert!(status == 1 && errors.contains("there is no account"), "{errors}");
    let (status, _, errors) = lastpost(&house, &["limits", "show", "a/b"]);
    assert!(status == 1 && errors.contains("a/b"), "{errors}");
}

#[test]
fn customer_and_admin_find_notices_and_a_restart_forgets_nothing() {
    let mut house = house(LIMITS);
    let mut talk = aiko(&house, HOME);
    assert!(send(&mut talk).starts_with("250"));
    let mut elsewhere = aiko(&house, IpAddr::V4(Ipv4Addr::new(127, 0, 9, 1)));
    assert!(send(&mut elsewhere).starts_with("525 5.7.13"), "two networks are one too many");
    let patience = Duration::from_secs(30);
    eventually(patience, "the notices", || {
        !mails(&house, AIKO).is_empty() && !mails(&house, "bert@open.example").is_empty()
    });
    let [notice] = mails(&house, AIKO).try_into().unwrap();
    assert!(notice.contains("Subject: =?UTF-8?B?"), "{notice}");
    assert!(notice.contains("Auto-Submitted: auto-generated"), "{notice}");
    let [notice] = mails(&house, "bert@open.example").try_into().unwrap();
    assert!(notice.contains("lastpost limits resume aiko@open.example"), "{notice}");

    house.restart();
    let mut again = house.greeted(HOME, "customer.example");
    assert!(again.auth_plain(AIKO, "aiko's password").starts_with("525 5.7.13"));
    let (_, shown, _) = lastpost(&house, &["limits", "show", AIKO, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(json[0]["figures"][0]["count"], 1);
    assert_eq!(json[0]["known_recipients"], 1);
    assert_eq!(json[0]["suspension"]["limit"], "networks-per-hour");
}

#[test]
fn without_the_section_nothing_is_limited_and_commands_say_so() {
    let house = house("");
    let mut talk = aiko(&house, HOME);
    for _ in 0..250 {
        assert!(send(&mut talk).starts_with("250"));
    }
    let (status, _, errors) = lastpost(&house, &["limits", "show"]);
    assert!(status == 1 && errors.contains("no [limits] section"), "{errors}");
    assert!(!house.path("state").join("limits").exists());
}
