//! Clients that mean no good, and too many of those who do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::kit::{Setup, eventually};

/// Every file and directory below `root`.
fn tree(root: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path.clone());
            }
            found.insert(path);
        }
    }
    found
}

#[test]
fn hostile_names_touch_no_path() {
    let mut setup = Setup::aiko(&[b"x\n"]);
    setup.config.errors_max = u8::MAX;
    let daemon = setup.start();
    let before = tree(daemon.path());
    let long = "x".repeat(10_000);
    let mut client = daemon.greeted();
    for name in
        ["../x", "a/b", "/etc/passwd", "..", ".", "a\0b", "%h", "a:b", "-", "\u{202e}x", "*"]
    {
        client.ask(&format!("USER {name}"), "+OK");
        client.ask("PASS secret", "-ERR [AUTH] ");
    }
    client.send(b"USER \xff\xfe\r\n");
    client.expect("+OK");
    client.ask("PASS secret", "-ERR [AUTH] ");
    client.ask(&format!("USER {long}"), "-ERR Line too long");
    client.ask("PASS secret", "-ERR ");
    client.ask("AUTH PLAIN", "+ ");
    let login = base64(format!("\0{}\0secret", &long[..9000]).as_bytes());
    client.ask(&login, "-ERR [AUTH] ");
    for name in ["../x", "a/b", ""] {
        let login = base64(format!("\0{name}\0secret").as_bytes());
        client.ask(&format!("AUTH PLAIN {login}"), "-ERR [AUTH] ");
    }
    assert_eq!(tree(daemon.path()), before);
    // And still in good shape.
    client.log_in("aiko", "secret");
}

fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in octets.chunks(3) {
        let mut bits = 0_usize;
        for index in 0..3 {
            bits = bits << 8 | usize::from(*group.get(index).unwrap_or(&0));
        }
        for digit in 0..4 {
            let octet = ALPHABET[bits >> (18 - 6 * digit) & 63];
            text.push(if digit <= group.len() { char::from(octet) } else { '=' });
        }
    }
    text
}

/// The same noise on every run.
fn noise(seed: u64, octets: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..octets).map(|_| (step() >> 24) as u8).collect()
}

#[test]
fn noise_is_answered_or_closed() {
    let daemon = Setup::aiko(&[b"x\n"]).start();
    for seed in 0..30 {
        let mut client = daemon.greeted();
        // The server may have closed before it all is sent.
        let _ = std::io::Write::write_all(&mut client.socket, &noise(seed, 50_000));
        let _ = client.socket.shutdown(std::net::Shutdown::Write);
        let replies = String::from_utf8(client.rest()).unwrap();
        assert!(replies.lines().all(|line| line.starts_with("-ERR ")), "{replies}");
        assert!(replies.lines().count() <= 3);
    }
    daemon.logged_in("aiko", "secret");
}

#[test]
fn noise_after_the_login_too() {
    let daemon = Setup::aiko(&[b"x\n"]).start();
    for seed in 100..120 {
        let mut client = daemon.logged_in("aiko", "secret");
        let _ = std::io::Write::write_all(&mut client.socket, &noise(seed, 50_000));
        let _ = client.socket.shutdown(std::net::Shutdown::Write);
        client.rest();
        eventually("session gone", || daemon.pop3d.gate().counts().sessions == 0);
    }
    let mut client = daemon.logged_in("aiko", "secret");
    client.ask("STAT", "+OK 1 3");
}

#[test]
fn an_endless_line_is_one_error_and_takes_no_memory() {
    let daemon = Setup::aiko(&[b"x\n"]).start();
    let mut client = daemon.logged_in("aiko", "secret");
    for _ in 0..200 {
        client.send([b'x'; 100_000]);
    }
    client.ask("", "-ERR Line too long");
    client.ask("STAT", "+OK 1 3");
}

#[test]
fn a_login_has_a_deadline_however_the_octets_trickle() {
    let mut setup = Setup::aiko(&[]);
    setup.config.login_timeout = Duration::from_millis(600);
    let daemon = setup.start();
    let mut silent = daemon.greeted();
    let mut trickling = daemon.greeted();
    let mut chatting = daemon.greeted();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(500) {
        trickling.send("N");
        chatting.ask("CAPA", "+OK");
        chatting.listing();
        std::thread::sleep(Duration::from_millis(50));
    }
    for client in [&mut silent, &mut trickling, &mut chatting] {
        client.expect_closed();
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn the_autologout_is_silent_and_octets_do_not_put_it_off() {
    let mut setup = Setup::aiko(&[b"x\n"]);
    setup.config.autologout = Duration::from_millis(500);
    let daemon = setup.start();
    let mut client = daemon.logged_in("aiko", "secret");
    // Commands do.
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(200));
        client.ask("NOOP", "+OK");
    }
    let begun = Instant::now();
    for _ in 0..4 {
        client.send("N");
        std::thread::sleep(Duration::from_millis(100));
    }
    // RFC 1939 section 3: closed without a response.
    client.expect_closed();
    assert!(begun.elapsed() >= Duration::from_millis(450));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn five_hundred_at_once() {
    const CLIENTS: usize = 500;
    let mut setup = Setup::new();
    for number in 0..CLIENTS {
        let maildir = setup.account(&format!("user{number}"), "secret");
        crate::kit::put(&maildir, "1.m", format!("message of user{number}\n").as_bytes());
    }
    let daemon = setup.start();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| daemon.connect()).collect();
    assert!(daemon.pop3d.gate().counts().sessions <= CLIENTS);
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(format!("USER user{number}\r\nPASS secret\r\nRETR 1\r\nDELE 1\r\n"));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        client.expect("+OK");
        client.expect("+OK");
        client.expect("+OK 1 messages");
        client.expect("+OK");
        assert_eq!(client.listing(), [format!("message of user{number}").into_bytes()]);
        client.expect("+OK");
    }
    for client in &mut clients {
        client.send("QUIT\r\n");
    }
    for client in &mut clients {
        client.expect("+OK");
        client.expect_closed();
    }
    let statistics = daemon.pop3d.statistics();
    assert_eq!((statistics.logins, statistics.removed), (CLIENTS as u64, CLIENTS as u64));
    eventually("all gone", || daemon.pop3d.gate().counts().sessions == 0);
}

#[test]
fn too_many_from_one_place_are_told_so() {
    let mut setup = Setup::aiko(&[]);
    setup.config.sessions_per_ip_max = 3;
    let daemon = setup.start();
    let mut held: Vec<_> = (0..3).map(|_| daemon.greeted()).collect();
    let mut refused = daemon.connect();
    refused.expect("-ERR [SYS/TEMP] Too many sessions");
    refused.expect_closed();
    held.pop();
    eventually("a free seat", || daemon.pop3d.gate().counts().sessions == 2);
    daemon.greeted();
}
