//! The line about a failed login, which other programs act on: no name can forge it.

use std::path::Path;
use std::time::Duration;

use lastpost_tests::{Talk, eventually};

use crate::crowd::Daemon;
use crate::kit::plain;

/// Names that would like to be log lines, or to paint the admin's terminal.
const NAMES: [&str; 8] = [
    "x\" rip=192.0.2.1 service=\"pop3\" tls=true reason=\"unknown",
    "x\n2026-11-24T15:15:50.291796Z  INFO lastpost::auth: login failed user=\"y\" rip=192.0.2.1",
    "x\r\nINFO lastpost::auth: login failed user=\"y\" rip=192.0.2.1 service=\"pop3\"",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\\\" rip=192.0.2.1",
    "\\",
    "x\u{2028}rip=192.0.2.1",
    "\u{202e}1.2.0.291=pir",
];

/// What stands behind the quoted name; `None` if it is not well quoted.
fn behind_the_name(line: &str) -> Option<&str> {
    let quoted = line.split_once("INFO lastpost::auth: login failed user=\"")?.1;
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return quoted.get(at + 1..),
            _ => {}
        }
    }
    None
}

/// The same line in the guide, without its example values.
fn fields_in_the_guide() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/admin.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let line = guide.lines().find(|line| line.contains(": login failed user=\"aiko\"")).unwrap();
    fields(behind_the_name(line).unwrap())
}

fn fields(rest: &str) -> Vec<String> {
    rest.split_whitespace().map(|word| word.split('=').next().unwrap().to_owned()).collect()
}

#[test]
fn no_name_forges_the_line_of_a_failed_login() {
    let daemon = Daemon::start();
    for (service, listener) in [("pop3", "pop3"), ("submission", "submission")] {
        for name in NAMES {
            let before = daemon.process.log().lines().count();
            let mut talk = Talk::connect(daemon.at(listener));
            talk.reply();
            if service == "submission" {
                talk.expect("EHLO customer.example", "250");
            }
            let reply = talk.ask(&format!("AUTH PLAIN {}", plain(name, "s3cret-guess")));
            assert!(reply.starts_with("-ERR [AUTH]") || reply.starts_with("535"), "{reply}");
            talk.send("QUIT");
            assert!(talk.is_closed());
            let mut fresh = Vec::new();
            eventually(Duration::from_secs(30), "the log line", || {
                fresh = daemon.process.log().lines().skip(before).map(str::to_owned).collect();
                fresh.iter().any(|line| line.contains("login failed"))
            });
            let failed: Vec<_> =
                fresh.iter().filter(|line| line.contains("login failed")).collect();
            assert_eq!(failed.len(), 1, "{name:?}: {fresh:?}");
            assert!(!failed[0].contains(char::is_control), "{name:?}: {failed:?}");
            let rest = behind_the_name(failed[0]).unwrap_or_else(|| panic!("{name:?}: {failed:?}"));
            let expected = format!(" rip=127.0.0.1 service=\"{service}\" tls=false reason=");
            assert!(rest.starts_with(&expected), "{name:?}: {rest}");
            assert_eq!(fields(rest), fields_in_the_guide(), "{name:?}");
        }
    }
    assert!(!daemon.process.log().contains("s3cret"), "no password is logged");
}
