//! Messages of all sizes around the blocks they are read and sent in, at hand in memory or not.

use std::fs::File;
use std::path::Path;

use rustix::fs::{Advice, fadvise};

use crate::kit::{Client, Daemon, Setup, put};

/// What the daemon reads at a time.
const BLOCK: usize = 64 * 1024;

/// The answer to `RETR` behind its first line, octet by octet.
fn stuffed(stored: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(stored.len() * 2);
    let mut last = b'\n';
    for &octet in stored {
        if octet == b'\n' && last != b'\r' {
            wire.push(b'\r');
        }
        if octet == b'.' && last == b'\n' {
            wire.push(b'.');
        }
        wire.push(octet);
        last = octet;
    }
    if last != b'\n' {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

/// Octets of a message in CRLF form, from its answer.
fn octets(wire: &[u8]) -> usize {
    let lines = wire.split_inclusive(|&octet| octet == b'\n');
    wire.len() - ".\r\n".len() - lines.filter(|line| line.starts_with(b"..")).count()
}

/// `length` octets with `seam` so that it lies across the end of each block.
fn with_seams(length: usize, seam: &[u8]) -> Vec<u8> {
    let mut stored = vec![b'x'; length];
    for (at, octet) in stored.iter_mut().enumerate() {
        if at % 1000 == 999 {
            *octet = b'\n';
        }
    }
    let mut boundary = BLOCK;
    while boundary < length + seam.len() {
        let start = boundary - seam.len().div_ceil(2);
        for (at, &octet) in seam.iter().enumerate() {
            if let Some(place) = stored.get_mut(start + at) {
                *place = octet;
            }
        }
        boundary += BLOCK;
    }
    stored
}

fn check(client: &mut Client, number: usize, stored: &[u8]) {
    let wire = stuffed(stored);
    let first = format!("+OK {} octets\r\n", octets(&wire));
    let got = client.some(first.len() + wire.len());
    assert_eq!(got.len(), first.len() + wire.len(), "message {number}");
    assert_eq!(String::from_utf8_lossy(&got[..first.len()]), first, "message {number}");
    assert!(got[first.len()..] == wire[..], "message {number} of {} octets", stored.len());
}

/// Makes the system forget what it holds of the messages, where it can.
fn chill(maildir: &Path) {
    for entry in std::fs::read_dir(maildir.join("new")).unwrap() {
        let file = File::open(entry.unwrap().path()).unwrap();
        file.sync_all().unwrap();
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    }
}

fn daemon(messages: &[Vec<u8>]) -> Daemon {
    let mut setup = Setup::new();
    let maildir = setup.account("aiko", "secret");
    for (at, stored) in messages.iter().enumerate() {
        put(&maildir, &format!("{:04}.m", at + 1), stored);
    }
    setup.start()
}

#[test]
fn every_size_around_a_block_with_anything_across_its_end() {
    let seams: [&[u8]; 9] =
        [b"x", b"\n.", b"\r\n", b"\r\n.", b"\n.\n.", b"\n\n", b"\r\r", b".\r\n.", b"\n..\r\n"];
    let mut messages = vec![Vec::new(), b"\n".to_vec(), b".".to_vec()];
    for seam in seams {
        for blocks in [1, 2, 3] {
            for length in blocks * BLOCK - 2..=blocks * BLOCK + 2 {
                messages.push(with_seams(length, seam));
            }
        }
    }
    let daemon = daemon(&messages);
    let maildir = daemon.path().join("aiko");
    let mut client = daemon.logged_in("aiko", "secret");
    for (at, stored) in messages.iter().enumerate() {
        // Now and then the disk has to be waited for.
        if at % 50 == 49 {
            chill(&maildir);
        }
        client.send(format!("RETR {}\r\n", at + 1));
        check(&mut client, at + 1, stored);
    }
    client.ask("QUIT", "+OK");
    let statistics = daemon.pop3d.statistics();
    assert_eq!(statistics.retrieved, messages.len() as u64);
    assert_eq!(statistics.unreadable, 0);
}

#[test]
fn many_replies_in_a_row_come_in_their_order() {
    let sizes = [0, 1, 3000, 700, BLOCK / 3, BLOCK - 1, 40_000, 3 * BLOCK];
    let messages: Vec<Vec<u8>> =
        (0..400).map(|number| with_seams(sizes[number % sizes.len()] + number, b"\n.")).collect();
    let daemon = daemon(&messages);
    let mut client = daemon.logged_in("aiko", "secret");
    let commands: String = (1..=messages.len())
        .map(|number| format!("RETR {number}\r\nNOOP\r\nTOP {number} 0\r\nRETR 9999\r\n"))
        .collect();
    let mut sender = client.socket.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        std::io::Write::write_all(&mut sender, commands.as_bytes()).unwrap();
    });
    for (at, stored) in messages.iter().enumerate() {
        expect_all(&mut client, at + 1, stored);
    }
    sending.join().unwrap();
    client.ask("STAT", &format!("+OK {} ", messages.len()));
}

fn expect_all(client: &mut Client, number: usize, stored: &[u8]) {
    let octets = octets(&stuffed(stored));
    client.expect(&format!("+OK {octets} octets"));
    let lines = client.listing();
    let sum: usize = lines.iter().map(|line| line.len() + 2).sum();
    assert_eq!(sum, octets, "message {number}");
    client.expect("+OK");
    client.expect("+OK");
    client.listing();
    client.expect("-ERR ");
}

#[test]
fn a_message_that_moves_is_found_as_long_as_it_is_there() {
    let messages = vec![b"a\n".to_vec(), vec![b'b'; 3 * BLOCK], b"c\n".to_vec()];
    let daemon = daemon(&messages);
    let maildir = daemon.path().join("aiko");
    let mut client = daemon.logged_in("aiko", "secret");
    for round in 0..3 {
        for (at, stored) in messages.iter().enumerate() {
            let name = |flags: &str| maildir.join(format!("cur/{:04}.m:2,{flags}", at + 1));
            let from = match round {
                0 => maildir.join(format!("new/{:04}.m", at + 1)),
                1 => name("S"),
                _ => name("RS"),
            };
            client.send(format!("RETR {}\r\n", at + 1));
            check(&mut client, at + 1, stored);
            std::fs::rename(from, name(["S", "RS", "FRS"][round])).unwrap();
            client.send(format!("RETR {}\r\n", at + 1));
            check(&mut client, at + 1, stored);
        }
    }
    std::fs::remove_file(maildir.join("cur/0003.m:2,FRS")).unwrap();
    client.ask("RETR 3", "-ERR ");
}

#[test]
fn what_is_no_message_any_more_is_refused_and_nothing_hangs() {
    let messages = vec![b"a\n".to_vec(), b"b\n".to_vec(), b"c\n".to_vec()];
    let daemon = daemon(&messages);
    let new = daemon.path().join("aiko/new");
    let mut client = daemon.logged_in("aiko", "secret");
    std::fs::write(daemon.path().join("private"), "nobody's mail\n").unwrap();
    for number in 1..=2 {
        std::fs::remove_file(new.join(format!("{number:04}.m"))).unwrap();
    }
    std::os::unix::fs::symlink("../../private", new.join("0001.m")).unwrap();
    let fifo = new.join("0002.m");
    rustix::fs::mkfifoat(rustix::fs::CWD, fifo, rustix::fs::Mode::from(0o600)).unwrap();
    client.ask("RETR 1", "-ERR ");
    client.ask("RETR 2", "-ERR ");
    client.ask("RETR 3", "+OK 3 octets");
    assert_eq!(client.listing(), [b"c"]);
}

#[test]
fn many_small_tops_of_a_large_message_at_once() {
    const TOPS: usize = 20_000;
    let body = [&b"\n"[..], &with_seams(4 * BLOCK, b"\n.")].concat();
    let mut setup = Setup::aiko(&[&body]);
    setup.account("bea", "secret");
    let daemon = setup.start();
    let mut greedy = daemon.logged_in("aiko", "secret");
    let mut sender = greedy.socket.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        std::io::Write::write_all(&mut sender, "TOP 1 0\r\n".repeat(TOPS).as_bytes()).unwrap();
    });
    let mut other = daemon.logged_in("bea", "secret");
    other.ask("STAT", "+OK 0 0");
    for _ in 0..TOPS {
        greedy.expect("+OK");
        assert_eq!(greedy.listing(), [b""]);
    }
    sending.join().unwrap();
    assert_eq!(daemon.pop3d.statistics().tops, TOPS as u64);
}
