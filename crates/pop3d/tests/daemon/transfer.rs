//! Messages on their way: large, broken, and to clients that do not read.

use std::fs::OpenOptions;
use std::time::{Duration, Instant};

use crate::kit::{Setup, eventually, put};

/// Lines of many lengths, some of them dots, LF and CRLF mixed, no end of line at the end.
fn large(octets: usize) -> Vec<u8> {
    let mut stored = b"Subject: large\n\n".to_vec();
    let mut number = 0_usize;
    while stored.len() < octets {
        let line = match number % 7 {
            0 => ".".to_owned(),
            1 => String::new(),
            2 => format!("..{number}"),
            3 => "\u{3042}".repeat(number % 300),
            _ => format!("line {number} {}", "x".repeat(number % 120)),
        };
        stored.extend_from_slice(line.as_bytes());
        stored.extend_from_slice(if number.is_multiple_of(5) { b"\r\n" } else { b"\n" });
        number += 1;
    }
    stored.extend_from_slice(b".end");
    stored
}

/// The lines of a stored message, which is what a client must get.
fn lines(stored: &[u8]) -> Vec<&[u8]> {
    stored
        .split(|&octet| octet == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .collect()
}

#[test]
fn a_large_message_arrives_as_it_is_stored() {
    let stored = large(9_000_000);
    let daemon = Setup::aiko(&[&stored]).start();
    let mut clear = daemon.logged_in("aiko", "secret");
    let listed = clear.ask("LIST 1", "+OK 1 ");
    let octets: usize = listed.rsplit(' ').next().unwrap().parse().unwrap();
    clear.ask("RETR 1", &format!("+OK {octets} octets"));
    let got = clear.listing();
    assert!(got == lines(&stored), "what arrived differs");
    assert_eq!(got.iter().map(|line| line.len() + 2).sum::<usize>(), octets);
    clear.ask("QUIT", "+OK");

    let mut secure = daemon.connect_tls();
    secure.expect("+OK");
    secure.log_in("aiko", "secret");
    secure.ask("RETR 1", "+OK");
    assert!(secure.listing() == lines(&stored), "what arrived under TLS differs");
    secure.ask("TOP 1 50000", "+OK");
    // Headers, blank line, and as many lines of the body.
    assert!(secure.listing() == lines(&stored)[..50_002], "the top differs");
    let statistics = daemon.pop3d.statistics();
    assert_eq!((statistics.retrieved, statistics.tops), (2, 1));
}

#[test]
fn a_message_that_breaks_off_has_no_final_dot() {
    let stored = large(30_000_000);
    let setup = Setup::aiko(&[&stored]);
    let maildir = setup.path().join("aiko");
    let daemon = setup.start();
    let mut client = daemon.logged_in("aiko", "secret");
    client.ask("DELE 1", "+OK");
    client.ask("RSET", "+OK");
    client.send("RETR 1\r\nDELE 1\r\nQUIT\r\n");
    let mut got = client.some(1_000_000);
    // The rest of the file goes away while the client is slow to read.
    let file = OpenOptions::new().write(true).open(maildir.join("new/001.m")).unwrap();
    file.set_len(1_000_000).unwrap();
    got.extend(client.rest());
    assert!(got.len() < stored.len());
    assert!(!got.ends_with(b"\r\n.\r\n"), "it looks whole");
    eventually("session gone", || daemon.pop3d.gate().counts().sessions == 0);
    assert_eq!(daemon.pop3d.statistics().unreadable, 1);
    assert!(maildir.join("new/001.m").exists(), "what did not arrive was deleted");
    // The lock is free.
    daemon.logged_in("aiko", "secret");
}

#[test]
fn a_message_that_cannot_be_opened_is_an_error_and_no_more() {
    let setup = Setup::aiko(&[b"1\n", b"2\n", b"3\n"]);
    let maildir = setup.path().join("aiko");
    let daemon = setup.start();
    let mut client = daemon.logged_in("aiko", "secret");
    std::fs::remove_file(maildir.join("new/001.m")).unwrap();
    std::fs::remove_file(maildir.join("new/002.m")).unwrap();
    std::fs::create_dir(maildir.join("new/002.m")).unwrap();
    client.ask("RETR 1", "-ERR ");
    client.ask("TOP 1 0", "-ERR ");
    client.ask("RETR 2", "-ERR ");
    client.ask("RETR 3", "+OK 3 octets");
    assert_eq!(client.listing(), [b"3"]);
    client.ask("STAT", "+OK 3 9");
}

#[test]
fn a_wrong_size_in_the_name_harms_nothing() {
    let mut setup = Setup::new();
    let maildir = setup.account("aiko", "secret");
    put(&maildir, "1.a,S=7,W=999999", b"a\n\nbody");
    let daemon = setup.start();
    let mut client = daemon.logged_in("aiko", "secret");
    client.ask("RETR 1", "+OK ");
    assert_eq!(client.listing(), [&b"a"[..], b"", b"body"]);
    client.ask("QUIT", "+OK");
    // Counted on the way, and right from now on.
    let mut client = daemon.logged_in("aiko", "secret");
    client.ask("LIST 1", "+OK 1 11");
}

#[test]
fn a_client_that_does_not_read_is_cut_off_and_harms_nobody() {
    let stored = large(20_000_000);
    let mut setup = Setup::aiko(&[&stored]);
    setup.account("bea", "secret");
    setup.config.write_timeout = Duration::from_millis(1500);
    // Were readers to hold their turns while they wait, nobody else would get one.
    setup.config.io_threads = 1;
    let daemon = setup.start();
    let mut deaf = daemon.logged_in("aiko", "secret");
    deaf.send("RETR 1\r\nRETR 1\r\nRETR 1\r\n");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        let mut other = daemon.logged_in("bea", "secret");
        let asked = Instant::now();
        other.ask("STAT", "+OK 0 0");
        other.ask("QUIT", "+OK");
        assert!(asked.elapsed() < Duration::from_secs(1));
    }
    eventually("cut off", || daemon.pop3d.gate().counts().sessions == 0);
    daemon.logged_in("aiko", "secret");
}

#[test]
fn listings_of_a_large_maildrop() {
    const COUNT: usize = 20_000;
    let mut setup = Setup::new();
    let maildir = setup.account("aiko", "secret");
    for number in 0..COUNT {
        put(&maildir, &format!("{number:06}.m,S=2,W=3"), b"x\n");
    }
    let daemon = setup.start();
    let mut client = daemon.logged_in("aiko", "secret");
    client.send("STAT\r\nLIST\r\nUIDL\r\nNOOP\r\n");
    client.expect(&format!("+OK {COUNT} {}", 3 * COUNT));
    client.expect("+OK");
    let sizes = client.listing();
    client.expect("+OK");
    let uidls = client.listing();
    client.expect("+OK");
    assert_eq!((sizes.len(), uidls.len()), (COUNT, COUNT));
    assert_eq!(sizes[COUNT - 1], b"20000 3");
    assert_eq!(uidls[0], b"1 000000.m,S=2,W=3");
}
