//! A message that cannot be opened, or not read to its end.

use std::path::PathBuf;

use lastpost_tests::{Talk, eventually};

use crate::fault::{Fault, OPENS, Plan, READS, names, possible};
use crate::kit::{PATIENCE, Shop, View, files, message, put, retrieve, wire};

/// More than all buffers between disk and client hold.
const LARGE: usize = 500_000;

fn two_messages(shop: &Shop, lines: usize) -> (PathBuf, [String; 2]) {
    let maildir = shop.maildir(0);
    let names = [(1, lines), (2, 10)]
        .map(|(number, lines)| put(&maildir, number, &message(number, lines), true));
    (maildir, names)
}

fn read_to_the_end(talk: &mut Talk) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(line) = talk.try_line().expect("lines or the end, in time") {
        lines.push(line);
    }
    lines
}

/// The client has sent `RETR`, `DELE` and `QUIT` in one go, and the disk fails in the middle of
/// the message. A dot behind the half of it would make it a whole one, which the next command
/// deletes.
#[test]
fn a_message_that_breaks_off_is_not_ended_and_not_deleted() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let (maildir, names_before) = two_messages(&shop, LARGE);
    put(&shop.maildir(1), 7, &message(7, 100), true);
    let before = shop.view(0);
    let whole = message(1, LARGE);
    for tls in [false, true] {
        let mut neighbour = shop.logged_in(1);
        let mut talk = shop.logged_in_by(0, tls);
        talk.expect("DELE 2", "+OK");
        talk.send_raw(b"RETR 1\r\nDELE 1\r\nQUIT\r\n");
        // The first octets are here; the others wait for a client that does not read on.
        talk.expect_reply("+OK");
        let fault = Fault::inject(
            &shop,
            &Plan::all(READS, "EIO", names(&maildir, "new", &names_before[0])),
        );
        let lines = read_to_the_end(&mut talk);
        assert!(lines.len() > 100 && lines.len() < LARGE, "tls {tls}: {} lines", lines.len());
        assert!(!lines.iter().any(|line| line == "."), "tls {tls}: it looks whole");
        let sent = lines.join("\n");
        assert!(whole.starts_with(sent.as_bytes()), "tls {tls}: it is not what is stored");

        // Others, on other files: as ever. The same session name: the box is free again.
        assert_eq!(retrieve(&mut neighbour, 1), wire(&message(7, 100)));
        let mut again = shop.logged_in(0);
        again.expect("RETR 1", "-ERR [SYS/TEMP] ");
        assert_eq!(retrieve(&mut again, 2), wire(&message(2, 10)));
        again.expect("QUIT", "+OK");
        neighbour.expect("QUIT", "+OK");
        fault.lift_after_hits();
        assert_eq!(files(&maildir), names_before.iter().cloned().collect(), "tls {tls}");
        assert_eq!(shop.view(0), before, "tls {tls}");
    }
    eventually(PATIENCE, "the log to say so", || {
        shop.daemon().log().matches("message-broken").count() == 2
    });
    let mut talk = shop.logged_in(0);
    assert_eq!(retrieve(&mut talk, 1), wire(&whole));
}

/// What goes wrong before the first octet is an answer, and the session goes on.
#[test]
fn a_message_that_cannot_be_opened_or_begun_is_an_answer() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let (maildir, names_before) = two_messages(&shop, 20);
    let first = names(&maildir, "new", &names_before[0]);
    for (calls, error) in [
        (OPENS, "EIO"),
        (OPENS, "EMFILE"),
        (OPENS, "ENFILE"),
        (OPENS, "EACCES"),
        (READS, "EIO"),
        (READS, "ESTALE"),
    ] {
        let mut talk = shop.logged_in(0);
        let fault = Fault::inject(&shop, &Plan::all(calls, error, first.clone()));
        for command in ["RETR 1", "TOP 1 0", "RETR 1"] {
            let reply = talk.ask(command);
            assert!(reply.starts_with("-ERR [SYS/TEMP] "), "{calls} {error} {command}: {reply}");
        }
        assert_eq!(retrieve(&mut talk, 2), wire(&message(2, 10)), "{calls} {error}");
        talk.expect("STAT", "+OK 2 ");
        assert!(fault.lift_after_hits() >= 3, "{calls} {error}");
        // In the same session, once the disk is well again.
        assert_eq!(retrieve(&mut talk, 1), wire(&message(1, 20)), "{calls} {error}");
        talk.expect("QUIT", "+OK");
    }
    assert_eq!(shop.view(0).uidls.len(), 2);
}

/// Network file systems say ESTALE when a file was renamed or replaced on another machine:
/// looking again finds it.
#[test]
fn a_stale_handle_is_looked_up_again() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let (maildir, names_before) = two_messages(&shop, 20);
    let mut talk = shop.logged_in(0);
    let first = names(&maildir, "new", &names_before[0]);
    let fault = Fault::inject(&shop, &Plan::once(OPENS, "ESTALE", first.clone()));
    assert_eq!(retrieve(&mut talk, 1), wire(&message(1, 20)));
    fault.lift_after_hits();
    talk.expect("QUIT", "+OK");

    // For ever: an answer, and neither the end of the session nor of the message.
    let mut talk = shop.logged_in(0);
    let fault = Fault::inject(&shop, &Plan::all(OPENS, "ESTALE", first));
    talk.expect("RETR 1", "-ERR ");
    assert_eq!(retrieve(&mut talk, 2), wire(&message(2, 10)));
    fault.lift_after_hits();
    talk.expect("QUIT", "+OK");
    let mut talk = shop.logged_in(0);
    assert_eq!(View::of(&mut talk).uidls.len(), 2);
    assert_eq!(retrieve(&mut talk, 1), wire(&message(1, 20)));
}
