//! What an idle session costs. In a process of its own, for memory is the process's.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is the point")]

#[allow(dead_code, reason = "only a part of it is needed here")]
#[path = "daemon/kit.rs"]
mod kit;

use kit::Setup;

const SESSIONS: usize = 400;

fn resident_octets() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn an_idle_session_is_small() {
    let mut setup = Setup::new();
    for number in 0..SESSIONS + 50 {
        let maildir = setup.account(&format!("user{number}"), "secret");
        kit::put(&maildir, "1.m,S=2,W=3", b"x\n");
    }
    let daemon = setup.start();
    let mut held = Vec::with_capacity(2 * SESSIONS);
    let mut before = 0;
    for number in 0..SESSIONS + 50 {
        // The first ones pay for threads, buffers and tables.
        if number == 50 {
            before = resident_octets();
        }
        let mut client = daemon.logged_in(&format!("user{number}"), "secret");
        client.ask("RETR 1", "+OK");
        client.listing();
        held.push(client.idle());
    }
    let each = resident_octets().saturating_sub(before) / SESSIONS;
    println!("an idle session in clear, logged in: {each} octets");
    assert!(each <= 8 * 1024, "{each} octets");

    let before = resident_octets();
    for _ in 0..SESSIONS {
        held.push(daemon.greeted().idle());
    }
    let each = resident_octets().saturating_sub(before) / SESSIONS;
    println!("an idle session in clear, not logged in: {each} octets");
    assert!(each <= 8 * 1024, "{each} octets");
    drop(held);
}
