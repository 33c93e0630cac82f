//! What the log says of a session. In a process of its own, for there is one log.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is the point")]

#[allow(dead_code, reason = "only a part of it is needed here")]
#[path = "daemon/kit.rs"]
mod kit;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kit::{Setup, eventually};

/// Where the log goes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn with(&self, part: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }
}

#[test]
fn one_line_for_a_failed_login_and_one_for_a_session_and_no_secret() {
    let log = Lines::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let mut setup = Setup::new();
    let maildir = setup.account("aiko", "Geheim42");
    kit::put(&maildir, "1.m", b"Subject: a\n\nbody\n");
    kit::put(&maildir, "2.m", b"2\n");
    setup.account("berta", "Geheim43");
    let masters = setup.path().join("masters");
    std::fs::write(&masters, "help:{PLAIN}Geheim44::::::\n").unwrap();
    setup.auth.master.passwd_file = masters;
    setup.auth.master.networks = vec!["127.0.0.0/8".parse().unwrap()];
    setup.config.maildrop.takeover_after = Duration::from_millis(200);
    setup.config.maildrop.lock_wait = Duration::ZERO;
    setup.config.maildrop.login_burst = 4;
    setup.config.maildrop.login_delay = Duration::from_secs(24 * 60 * 60);
    let daemon = setup.start();
    let mut client = daemon.greeted();
    client.ask("USER nobody\x1b[2J", "+OK");
    client.ask("PASS hunter2", "-ERR [AUTH]");
    client.log_in("aiko", "Geheim42");
    client.ask("TOP 1 0", "+OK");
    client.listing();
    client.ask("RETR 2", "+OK");
    client.listing();
    client.ask("DELE 2", "+OK");
    client.ask("QUIT", "+OK");
    client.expect_closed();

    let failed = log.with("login failed");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].contains("rip=127.0.0.1"), "{failed:?}");
    assert!(!failed[0].contains('\x1b'), "{failed:?}");
    eventually("the session's line", || !log.with("session ended").is_empty());
    let ended = log.with("session ended");
    assert_eq!(ended.len(), 1, "{ended:?}");
    for field in [
        "user=aiko",
        "rip=127.0.0.1",
        "tls=false",
        "ended=\"quit\"",
        "messages=2",
        "size=23",
        "retr=1",
        "retr_octets=3",
        "top=1",
        "top_octets=14",
        "del=1",
    ] {
        assert!(ended[0].contains(field), "{field} is not in {ended:?}");
    }
    // A second session, one that breaks off, under TLS.
    let mut secure = daemon.connect_tls();
    secure.expect("+OK");
    secure.log_in("aiko", "Geheim42");
    secure.ask("AUTH PLAIN AGFpa28AR2VoZWltNDI=", "-ERR");
    drop(secure);
    eventually("the second line", || log.with("session ended").len() == 2);
    let ended = log.with("session ended");
    assert!(ended[1].contains("tls=true") && ended[1].contains("del=0"), "{ended:?}");
    assert!(!ended[1].contains("quit"), "{ended:?}");
    assert!(!ended.iter().any(|line| line.contains("taken_by")), "{ended:?}");
    // A third one, whose client falls silent and loses its place to another device.
    let mut silent = daemon.logged_in("aiko", "Geheim42");
    std::thread::sleep(Duration::from_millis(250));
    let mut taker = daemon.greeted_from("127.0.0.2");
    taker.log_in("aiko", "Geheim42");
    silent.expect_closed();
    eventually("the third line", || log.with("session ended").len() == 3);
    let ended = &log.with("session ended")[2];
    for field in ["user=aiko", "rip=127.0.0.1", "ended=\"taken-over\"", "taken_by=127.0.0.2"] {
        assert!(ended.contains(field), "{field} is not in {ended:?}");
    }
    // What is refused behind a right password has a line of its own.
    let refused = |client: &mut kit::Client, start: &str| {
        client.ask("USER aiko", "+OK");
        client.ask("PASS Geheim42", start);
    };
    let mut late = daemon.greeted();
    refused(&mut late, "-ERR [LOGIN-DELAY]");
    let soon = log.with("login too soon");
    assert!(soon.len() == 1 && soon[0].contains("seconds="), "{soon:?}");
    // A master user is named beside the account that he opens.
    let mut staff = daemon.greeted();
    staff.log_in("berta*help", "Geheim44");
    let opened = log.with("maildrop opened for a master user");
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert!(opened[0].contains("user=berta master=help rip=127.0.0.1"), "{opened:?}");
    // Nothing that was said within an exchange, whole or broken off.
    let mut broken = daemon.greeted();
    broken.ask("AUTH LOGIN YWlrbw==", "+ UGFzc3dvcmQ6");
    broken.ask("R2VoZWltNDI=!", "-ERR");
    broken.ask("AUTH PLAIN AGFpa28AR2VoZWltNDI=", "-ERR [LOGIN-DELAY]");
    for secret in ["hunter2", "Geheim4", "AGFpa28AR2VoZWltNDI=", "R2VoZWltNDI"] {
        assert!(log.with(secret).is_empty(), "{:?}", log.with(secret));
    }
}
