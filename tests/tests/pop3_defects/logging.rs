//! What the log says, and what nobody can make it say.

use crate::kit::{Daemon, base64, plain};

/// Names that would like to be lines of their own, fields, or orders to a terminal.
const NAMES: [&str; 9] = [
    "x\r\nINFO lastpost::auth: login failed user=\"root\" rip=192.0.2.1",
    "x\nsession ended user=aiko rip=192.0.2.1",
    "\u{1b}[2J\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]0;title\u{7}",
    "x\" rip=192.0.2.1 tls=true",
    "x\\",
    "\u{9b}31m",
    "x\u{85}next line",
    "\u{2028}rip=192.0.2.1",
];

/// fail2ban issues 791, 1028, 1387, 1879, and every server's log injection: a name that breaks
/// the line forges an address, and somebody else is banned.
#[test]
fn no_name_writes_a_line_of_its_own() {
    let daemon = Daemon::start();
    for name in NAMES {
        for way in 0..3 {
            if way == 2 && name.contains(['\r', '\n']) {
                continue;
            }
            let before = daemon.process.log().lines().count();
            let mut talk = daemon.greeted();
            match way {
                0 => talk.send(&format!("AUTH PLAIN {}", plain(name, "hunter2-guess"))),
                1 => {
                    talk.expect("AUTH LOGIN", "+ ");
                    talk.expect(&base64(name), "+ ");
                    talk.send(&base64("hunter2-guess"));
                }
                _ => {
                    talk.expect(&format!("USER {name}"), "+OK");
                    talk.send("PASS hunter2-guess");
                }
            }
            talk.expect_reply("-ERR [AUTH]");
            let fresh = daemon.wait_for_log(before, "login failed");
            let failed: Vec<&String> =
                fresh.iter().filter(|line| line.contains("login failed")).collect();
            assert_eq!(failed.len(), 1, "{name:?}: {fresh:?}");
            assert!(failed[0].contains(" rip=127.0.0.1 "), "{name:?}: {failed:?}");
            let unseen = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
            assert!(!failed[0].contains(unseen), "{name:?}: {failed:?}");
            for line in &fresh {
                assert!(!line.starts_with("INFO") && !line.starts_with("session"), "{line:?}");
            }
        }
    }
    assert!(!daemon.process.log().contains("hunter2"), "no password is logged");
}

/// Passwords are in no line, whichever way they came and whatever became of them.
#[test]
fn no_password_is_logged() {
    let daemon = Daemon::start();
    let account = daemon.site.installation().accounts()[0].clone();
    let secret = account.password.as_str();
    let before = daemon.process.log().lines().count();
    let mut talk = daemon.logged_in();
    talk.expect("QUIT", "+OK");
    let mut talk = daemon.greeted();
    talk.expect(&format!("PASS {secret}"), "-ERR");
    talk.expect(&format!("USER {secret}"), "+OK");
    talk.expect("QUIT", "+OK");
    let mut talk = daemon.greeted();
    talk.expect(&format!("APOP {} {secret}", account.login), "-ERR");
    talk.expect(&format!("PASS{secret}"), "-ERR");
    talk.expect(
        &format!("AUTH PLAIN {}", base64(format!("\0{}\0{secret}x", account.login))),
        "-ERR",
    );
    daemon.wait_for_log(before, "login failed");
    let mut last = daemon.logged_in();
    last.expect("QUIT", "+OK");
    daemon.wait_for_log(before, "session ended");
    let log = daemon.process.log();
    assert!(!log.contains(secret), "{log}");
    assert!(!log.contains(&base64(format!("\0{}\0{secret}x", account.login))), "{log}");
}

/// Ids, sizes and file names of messages are not the log's business, unless something is wrong;
/// then they are escaped as names of users are.
#[test]
fn a_file_name_writes_no_line_either() {
    let daemon = Daemon::start();
    let maildir = daemon.site.installation().accounts()[0].maildir.clone();
    let name = "1.x\nERROR forged rip=192.0.2.1\u{1b}[31m";
    let target = maildir.join("new").join(name);
    std::fs::create_dir(&target).unwrap();
    std::fs::write(target.join("inside"), b"x").unwrap();
    let before = daemon.process.log().lines().count();
    let mut talk = daemon.greeted();
    let account = daemon.site.installation().accounts()[0].clone();
    talk.expect(&format!("USER {}", account.login), "+OK");
    if talk.ask(&format!("PASS {}", account.password)).starts_with("+OK") {
        talk.expect("STAT", "+OK");
        for number in 1..=20 {
            let retrieved = talk.ask(&format!("RETR {number}"));
            if retrieved.starts_with("+OK") {
                talk.multiline();
            }
            if talk.ask(&format!("DELE {number}")).starts_with("-ERR") {
                break;
            }
        }
        talk.send("QUIT");
        talk.reply();
    }
    let mut good = daemon.greeted();
    good.expect(&format!("AUTH PLAIN {}", plain("nobody", "x")), "-ERR");
    let fresh = daemon.wait_for_log(before, "login failed");
    for line in fresh {
        assert!(!line.starts_with("ERROR forged"), "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}
