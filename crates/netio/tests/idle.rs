//! What an idle session costs. In a process of its own, for memory is the process's.
#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

mod kit;

use std::sync::Arc;

use kit::*;
use netio::{Connection, Tls, TlsMode};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const SESSIONS: usize = 2000;

/// A session that waits for its next command as a daemon does.
async fn idle(mut connection: Connection) {
    if connection.write_all(b"+OK\r\n", LONG).await.is_err() {
        return;
    }
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        buffer.shrink_to_fit();
        match connection.read(&mut buffer, 60 * LONG).await {
            Ok(0) | Err(_) => break,
            Ok(_) if connection.write_all(&buffer, LONG).await.is_err() => break,
            Ok(_) => {}
        }
    }
}

fn resident_octets() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_session_is_small() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, wanted).unwrap();

    let mut setup = Setup::default();
    setup.limits.sessions_per_ip_max = u32::MAX;
    let daemon = setup.start(idle);
    let mut held = Vec::with_capacity(2 * SESSIONS);
    for _ in 0..50 {
        held.push(connect(daemon.address).await);
    }
    let before = resident_octets();
    for _ in 0..SESSIONS {
        let mut client = connect(daemon.address).await;
        line(&mut client).await;
        send(&mut client, b"NOOP\r\n").await;
        line(&mut client).await;
        held.push(client);
    }
    // Both ends are in this process, so this is more than a session's own.
    let each = (resident_octets().saturating_sub(before)) / SESSIONS;
    println!("an idle session in clear: {each} octets");
    assert!(each <= 4 * 1024, "{each} octets");

    let directory = tempfile::tempdir().unwrap();
    let pair = make_pair(directory.path(), "mail", &["mail.example.jp"]);
    let tls = Tls::load(&pair.config()).unwrap();
    let mut setup = Setup::tls(TlsMode::Implicit, &tls);
    setup.limits.sessions_per_ip_max = u32::MAX;
    let secure = setup.start(idle);
    let config = Arc::new(client(&[&pair.der], &[]));
    let sessions = SESSIONS / 4;
    let mut before = 0;
    for number in 0..sessions + 50 {
        if number == 50 {
            before = resident_octets();
        }
        let stream = connect(secure.address).await;
        let mut client = handshake(stream, Arc::clone(&config), "mail.example.jp").await.unwrap();
        line(&mut client).await;
        send(&mut client, b"NOOP\r\n").await;
        line(&mut client).await;
        // The client's own state goes; only its socket stays.
        held.push(client.into_inner().0);
    }
    let each = (resident_octets().saturating_sub(before)) / sessions;
    println!("an idle session under TLS: {each} octets");
    assert!(each <= 24 * 1024, "{each} octets");
    drop(held);
}
