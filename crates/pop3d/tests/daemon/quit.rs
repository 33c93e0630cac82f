//! What is removed, and when.

use std::io::Write;
use std::time::Duration;

use crate::kit::{Setup, eventually, names};

const THREE: [&[u8]; 3] = [b"1\n", b"22\n", b"333\n"];

#[test]
fn quit_removes_before_it_answers() {
    let setup = Setup::aiko(&THREE);
    let maildir = setup.path().join("aiko");
    let daemon = setup.start();
    let mut client = daemon.logged_in("aiko", "secret");
    client.ask("DELE 1", "+OK");
    client.ask("DELE 3", "+OK");
    assert_eq!(names(&maildir).len(), 3);
    client.ask("QUIT", "+OK");
    assert_eq!(names(&maildir), ["002.m"]);
    client.expect_closed();
    assert_eq!(daemon.pop3d.statistics().removed, 2);
}

#[test]
fn whoever_leaves_without_quit_loses_nothing() {
    let mut setup = Setup::aiko(&THREE);
    setup.config.autologout = Duration::from_millis(300);
    let maildir = setup.path().join("aiko");
    let daemon = setup.start();
    // Hangs up, falls silent, breaks off within a command, is thrown out for nonsense.
    for way in 0..4 {
        let mut client = daemon.logged_in("aiko", "secret");
        client.send("RETR 1\r\nDELE 1\r\nDELE 2\r\n");
        client.expect("+OK 3 octets");
        assert_eq!(client.listing(), [b"1"]);
        client.expect("+OK");
        client.expect("+OK");
        match way {
            0 => {}
            1 => client.expect_closed(),
            2 => client.send("QUI"),
            _ => {
                client.send("X\r\n".repeat(20));
                assert!(
                    client.rest().ends_with(b"-ERR Too many errors, closing the connection\r\n")
                );
            }
        }
        drop(client);
        eventually("session gone", || daemon.pop3d.gate().counts().sessions == 0);
        assert_eq!(names(&maildir).len(), 3, "way {way}");
    }
    assert_eq!(daemon.pop3d.statistics().removed, 0);
}

#[test]
fn a_client_that_hangs_up_behind_quit_has_quit() {
    let setup = Setup::aiko(&THREE);
    let maildir = setup.path().join("aiko");
    let daemon = setup.start();
    let mut client = daemon.logged_in("aiko", "secret");
    client.ask("DELE 2", "+OK");
    client.send("QUIT\r\n");
    // As Outlook does, at once.
    drop(client);
    eventually("removed", || names(&maildir) == ["001.m", "003.m"]);
    assert_eq!(daemon.pop3d.statistics().failed_updates, 0);
}

#[test]
fn what_cannot_be_removed_is_admitted() {
    let setup = Setup::aiko(&THREE);
    let maildir = setup.path().join("aiko");
    let daemon = setup.start();
    let mut client = daemon.logged_in("aiko", "secret");
    // A directory in the place of the file: unlink fails for root, too.
    std::fs::remove_file(maildir.join("new/002.m")).unwrap();
    std::fs::create_dir(maildir.join("new/002.m")).unwrap();
    for number in 1..=3 {
        client.ask(&format!("DELE {number}"), "+OK");
    }
    let reply = client.ask("QUIT", "-ERR ");
    assert_eq!(reply, "-ERR some deleted messages not removed");
    client.expect_closed();
    assert_eq!(names(&maildir), ["002.m"]);
    let statistics = daemon.pop3d.statistics();
    assert_eq!((statistics.removed, statistics.failed_updates), (2, 1));
    // The lock is free all the same.
    daemon.logged_in("aiko", "secret");
}

#[test]
fn mark_seen_moves_what_was_fetched() {
    let mut setup = Setup::aiko(&THREE);
    setup.config.mark_seen = true;
    let maildir = setup.path().join("aiko");
    let daemon = setup.start();
    let mut client = daemon.logged_in("aiko", "secret");
    client.ask("RETR 2", "+OK");
    client.listing();
    client.ask("TOP 3 0", "+OK");
    client.listing();
    client.ask("QUIT", "+OK");
    assert_eq!(names(&maildir), ["001.m", "002.m:2,S", "003.m"]);
}

#[test]
fn a_whole_session_in_one_write() {
    let setup = Setup::aiko(&THREE);
    let maildir = setup.path().join("aiko");
    let daemon = setup.start();
    let mut client = daemon.connect();
    client.send("USER aiko\r\nPASS secret\r\nSTAT\r\nRETR 1\r\nTOP 3 0\r\nDELE 1\r\nQUIT\r\n");
    let all = String::from_utf8(client.rest()).unwrap();
    let lines: Vec<&str> = all.split("\r\n").collect();
    assert_eq!(lines.len(), 14, "{all}");
    assert_eq!(lines[3], "+OK 3 12");
    assert_eq!(lines[4..7], ["+OK 3 octets", "1", "."]);
    // The end of the headers is there, though the message has none.
    assert_eq!(lines[8..11], ["333", "", "."]);
    assert_eq!(names(&maildir), ["002.m", "003.m"]);
}

#[test]
fn thousands_of_pipelined_commands_are_answered_in_order() {
    const COUNT: usize = 5000;
    let daemon = Setup::aiko(&THREE).start();
    let mut client = daemon.logged_in("aiko", "secret");
    let mut writer = client.socket.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        for _ in 0..COUNT {
            writer.write_all(b"RETR 3\r\nLIST 2\r\nBOGUS\r\n").unwrap();
        }
        writer.write_all(b"QUIT\r\n").unwrap();
    });
    for _ in 0..COUNT {
        client.expect("+OK 5 octets");
        assert_eq!(client.listing(), [b"333"]);
        client.expect("+OK 2 4");
        client.expect("-ERR Unknown command");
    }
    client.expect("+OK");
    client.expect_closed();
    sender.join().unwrap();
}
