//! Names that would like to be paths.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use lastpost_tests::{House, Plan, Talk};

use crate::kit::{Dress, HERE, LISTENERS, LOGIN, is_pop3, plain, session};

/// Every file and directory below `root` with the time of its last change, but for the spool and
/// the state, which the daemons write to by themselves.
fn tree(root: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path == root.join("spool") || path == root.join("state") {
                continue;
            }
            let about = std::fs::symlink_metadata(&path).unwrap();
            if about.is_dir() {
                open.push(path.clone());
            }
            found.insert(path, about.modified().unwrap());
        }
    }
    found
}

/// Names that nobody has. `{directory}` is where the accounts' mail lies.
fn names(house: &House) -> Vec<String> {
    let mail = house.path("mail").display().to_string();
    let mut names: Vec<String> = [
        "../x",
        "a/b",
        "/",
        ".",
        "..",
        "...",
        "../../etc/passwd",
        "/etc/passwd",
        "~root",
        "%h",
        "%u",
        "-",
        "*",
        "?",
        "a:b",
        "a b",
        "root",
        "cur",
        "new/x",
        "aiko@open.example/../bert@open.example",
        "../bert@open.example",
        "aiko@../open.example",
        "aiko@open.example/",
        "aiko",
        "@open.example",
        "aiko@",
        "@",
        "",
        "aiko@open.example@open.example",
        "\u{202e}oikia@open.example",
        // Looks like an a, and is none; full width is another spelling of the same letter.
        "\u{430}iko@open.example",
        "aiko@open.example\u{0}",
        "\u{0}",
        "a\u{0}b",
        "aiko@open.example\u{0}/x",
        "$(id)",
        "`id`",
        "{PLAIN}x",
        "aiko@open.example;",
        "'",
        "\"",
        "\\",
        "..\\x",
        "CON",
        "nul",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push(format!("{mail}/evil"));
    names.push(format!("..{mail}/evil"));
    names.push("x".repeat(200));
    names.push("../".repeat(60));
    names.push("x".repeat(9000));
    names.push("../".repeat(3000));
    names
}

fn house() -> House {
    House::start(Plan {
        pop3: "errors_max = 255\nsessions_per_ip_max = 2000\n",
        submission: "errors_max = 1000\nsessions_per_ip_max = 2000\n",
        ..Plan::default()
    })
}

/// A session in which a login may be tried.
fn before_login(house: &House, listener: &str, dress: Dress) -> Talk {
    let mut talk = session(house, listener, dress);
    if !is_pop3(listener) {
        talk.expect("EHLO customer.example", "250");
    }
    talk
}

#[test]
fn no_name_is_a_path() {
    let house = house();
    // The first login makes what a first login makes.
    house.fetch(LOGIN, HERE);
    let before = tree(&house.path(""));
    for (listener, dress) in LISTENERS {
        for name in names(&house) {
            let mut talk = before_login(&house, listener, dress);
            let shown: String = name.escape_debug().take(60).collect();
            let reply = talk.ask(&format!("AUTH PLAIN {}", plain(&name, "secret")));
            assert!(is_refused(listener, &reply), "{listener} {shown}: {reply}");
            if !is_pop3(listener) {
                // Nor does it let anybody send.
                talk.expect("MAIL FROM:<aiko@open.example>", "530 5.7.0");
                continue;
            }
            talk.send_raw(format!("USER {name}\r\n").as_bytes());
            let user = talk.reply();
            let reply = talk.ask("PASS secret");
            if user.starts_with("+OK") {
                assert!(reply.starts_with("-ERR [AUTH] "), "{listener} {shown}: {reply}");
            } else {
                // Too long for a command, or empty.
                assert!(name.len() > 200 || name.is_empty(), "{listener} {shown}: {user}");
                assert!(reply.starts_with("-ERR "), "{listener} {shown}: {reply}");
            }
        }
    }
    assert_eq!(tree(&house.path("")), before);
    assert!(!house.path("x").exists() && !house.path("mail/evil").exists());
    house.fetch(LOGIN, HERE);
}

/// With the right password of somebody, so that nothing but the name stands in the way.
#[test]
fn a_right_password_opens_nothing_by_a_wrong_name() {
    let house = house();
    let password = house.customer(LOGIN).password;
    house.deliver(LOGIN, b"From: <x@y.example>\n\nprivate\n");
    house.fetch(LOGIN, HERE);
    let before = tree(&house.path(""));
    for (listener, dress) in LISTENERS {
        for name in names(&house) {
            let mut talk = before_login(&house, listener, dress);
            let shown: String = name.escape_debug().take(60).collect();
            let reply = talk.ask(&format!("AUTH PLAIN {}", plain(&name, password)));
            assert!(is_refused(listener, &reply), "{listener} {shown}: {reply}");
        }
    }
    assert_eq!(tree(&house.path("")), before);
}

/// Octets that are no UTF-8 at all.
#[test]
fn octets_that_are_no_text_are_no_name() {
    let house = house();
    house.fetch(LOGIN, HERE);
    let before = tree(&house.path(""));
    for (listener, dress) in LISTENERS {
        for name in
            [&b"\xff\xfe"[..], b"aiko@open.example\xff", b"\xc0\xae\xc0\xae/x", b"\xed\xa0\x80"]
        {
            let mut talk = before_login(&house, listener, dress);
            let response = [b"\0", name, b"\0secret"].concat();
            let reply = talk.ask(&format!("AUTH PLAIN {}", crate::kit::base64(response)));
            assert!(is_refused(listener, &reply), "{listener} {}: {reply}", name.escape_ascii());
            if is_pop3(listener) {
                talk.send_raw(&[b"USER ", name, b"\r\n"].concat());
                talk.expect_reply("+OK");
                talk.expect("PASS secret", "-ERR [AUTH] ");
            }
        }
    }
    assert_eq!(tree(&house.path("")), before);
}

/// A failed login, and nothing that tells more than that. What is no credential at all may also
/// be called malformed.
fn is_refused(listener: &str, reply: &str) -> bool {
    let allowed: &[&str] =
        if is_pop3(listener) { &["-ERR "] } else { &["535 5.7.8 ", "501 5.5.2 ", "500 5.5.6 "] };
    allowed.iter().any(|begins| reply.starts_with(begins))
}
