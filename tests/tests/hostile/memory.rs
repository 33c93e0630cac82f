//! What hostile clients send does not stay in memory.

use lastpost_tests::{Talk, eventually};

use crate::crowd::Daemon;
use crate::kit::{is_pop3, noise};

/// A rise by less is the allocator's business.
const RISE_MAX_KIB: u64 = 24 << 10;
const LISTENERS: [&str; 5] = ["pop3", "pop3s", "legacy", "submission", "submissions"];

/// Resident memory of the daemon in KiB.
fn resident(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn greeted(daemon: &Daemon, listener: &str) -> Talk {
    let mut talk = Talk::connect(daemon.at(listener));
    if listener.ends_with('s') {
        talk.start_tls();
    }
    talk.expect_reply(if is_pop3(listener) { "+OK" } else { "220" });
    talk
}

fn assert_bounded(daemon: &Daemon, before: u64, what: &str) {
    let after = resident(daemon);
    assert!(after < before + RISE_MAX_KIB, "{what}: {before} KiB before, {after} KiB after");
}

/// Once through all rooms, so that what is made once is made.
fn warm_up(daemon: &Daemon) {
    daemon.logged_in().expect("QUIT", "+OK");
    for listener in LISTENERS {
        let mut talk = greeted(daemon, listener);
        talk.expect("QUIT", if is_pop3(listener) { "+OK" } else { "221" });
    }
}

#[test]
fn endless_lines_and_idle_crowds_take_no_memory() {
    let daemon = Daemon::start();
    warm_up(&daemon);
    let mut good = daemon.logged_in();
    let before = resident(&daemon);

    // 64 MiB of one line on each port, all ports at the same time.
    let mut endless: Vec<(&str, Talk)> =
        LISTENERS.iter().map(|listener| (*listener, greeted(&daemon, listener))).collect();
    let block = vec![b'x'; 1 << 20];
    for part in 0..64 {
        for (_, talk) in &mut endless {
            talk.send_raw(&block);
        }
        if part % 16 == 0 {
            assert_bounded(&daemon, before, "within the line");
            good.expect("NOOP", "+OK");
        }
    }
    for (listener, talk) in &mut endless {
        talk.send_raw(b"\r\n");
        talk.expect_reply(if is_pop3(listener) { "-ERR" } else { "500" });
    }
    assert_bounded(&daemon, before, "after endless lines");

    // Three hundred sessions that hold a line just too short to be refused.
    let mut idle = Vec::new();
    for listener in ["pop3", "legacy", "submission"] {
        for _ in 0..100 {
            let mut talk = greeted(&daemon, listener);
            talk.send_raw(&[b'y'; 200]);
            idle.push(talk);
        }
    }
    good.expect("NOOP", "+OK");
    assert_bounded(&daemon, before, "with idle sessions");
    drop(idle);

    for seed in 0..50 {
        for listener in LISTENERS {
            let mut talk = Talk::connect(daemon.at(listener));
            let _ = talk.try_send_raw(&noise(seed, 100_000));
            talk.abort();
        }
    }
    good.expect("NOOP", "+OK");
    assert_bounded(&daemon, before, "after noise");
    good.expect("QUIT", "+OK");
}

/// A message is refused for its size while it comes; what came of it is not kept.
#[test]
fn a_message_that_is_too_large_takes_no_memory() {
    let daemon = Daemon::start();
    warm_up(&daemon);
    let account = &daemon.site.installation().accounts()[0];
    let plain = crate::kit::plain(&account.login, &account.password);
    let before = resident(&daemon);
    let mut talk = greeted(&daemon, "submission");
    talk.expect("EHLO customer.example", "250");
    talk.expect(&format!("AUTH PLAIN {plain}"), "235");
    talk.expect(&format!("MAIL FROM:<{}>", account.login), "250");
    talk.expect("RCPT TO:<friend@elsewhere.example>", "250");
    talk.expect("DATA", "354");
    talk.send(&format!("From: {}\r\n", account.login));
    let block =
        b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n".repeat(16 << 10);
    for part in 0..80 {
        talk.send_raw(&block);
        if part % 20 == 19 {
            assert_bounded(&daemon, before, "within the message");
        }
    }
    talk.expect(".", "552 5.3.4");
    talk.expect("NOOP", "250");
    assert_bounded(&daemon, before, "after the message");
    let spool = daemon.site.installation().directory().join("spool");
    // Nor is a file kept.
    eventually(std::time::Duration::from_secs(30), "the draft to go", || big_files(&spool) == 0);
}

/// Files below `spool/big`.
fn big_files(spool: &std::path::Path) -> usize {
    let mut open = vec![spool.join("big")];
    let mut files = 0;
    while let Some(directory) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries.filter_map(Result::ok) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                _ => files += 1,
            }
        }
    }
    files
}
