//! `kill -9` while a QUIT removes thousands of messages.

use std::collections::BTreeSet;
use std::fs;

use lastpost_tests::eventually;

use crate::kit::{LOCK, PATIENCE, Shop, files, message, put, retrieve, wire};

const COUNT: usize = 5_000;
const ROUNDS: usize = 8;

/// After each kill: every message is either wholly there or gone, in order and with its old id,
/// and the box opens at once.
#[test]
fn a_kill_within_quit_leaves_whole_messages_and_no_lock() {
    let mut shop = Shop::closed("");
    let maildir = shop.maildir(0);
    let mut caught = 0;
    for round in 0..ROUNDS {
        for number in (1..=COUNT).filter(|number| !exists(&maildir, *number)) {
            put(&maildir, number, &message(number, 1), true);
        }
        shop.start();
        let before = shop.view(0);
        assert_eq!(before.uidls.len(), COUNT);
        let mut talk = shop.logged_in(0);
        let all: String = (1..=COUNT).map(|number| format!("DELE {number}\r\n")).collect();
        talk.send_raw(all.as_bytes());
        for _ in 0..COUNT {
            talk.expect_reply("+OK");
        }
        talk.send_raw(b"QUIT\r\n");
        // Another moment in each round: when a certain one of them has gone.
        let mark = 1 + (round * 701) % COUNT;
        spin_until(|| !exists(&maildir, mark));
        shop.kill_9();
        let left = files(&maildir);
        caught += usize::from(!left.is_empty() && left.len() < COUNT);

        shop.start();
        let (mut talk, reply) = shop.try_login(0, false);
        assert!(reply.starts_with(&format!("+OK {} ", left.len())), "round {round}: {reply}");
        talk.expect("QUIT", "+OK");
        let after = shop.view(0);
        let kept: BTreeSet<_> = after.uidls.iter().collect();
        // Ids of the rest, in the old order; none that was not there before.
        let expected: Vec<_> =
            before.uidls.iter().filter(|uidl| kept.contains(uidl)).cloned().collect();
        assert_eq!(after.uidls, expected, "round {round}");
        assert_eq!(after.uidls.len(), left.len(), "round {round}");
        assert_whole(&shop, &after.uidls, round);
        assert!(!maildir.join("lastpost-state.tmp").exists(), "round {round}");
        let lock = fs::metadata(maildir.join(LOCK)).map_or(0, |lock| lock.len());
        assert_eq!(lock, 0, "the lock is in the kernel, not in the file");
        shop.kill_9();
    }
    println!("{caught} of {ROUNDS} kills were in the middle of the removals");
    assert!(caught > 0, "no kill came in the middle");
}

fn name(number: usize) -> String {
    let stored = message(number, 1);
    let (size, octets) = (stored.len(), wire(&stored).len());
    format!("{}.M{number}P1.host,S={size},W={octets}", 1_700_000_000 + number)
}

fn exists(maildir: &std::path::Path, number: usize) -> bool {
    maildir.join("new").join(name(number)).exists()
}

/// Without a pause: what it waits for takes some milliseconds in all.
fn spin_until(mut done: impl FnMut() -> bool) {
    eventually(PATIENCE, "the removals to begin", || (0..20_000).any(|_| done()));
}

/// A sample of what is left, octet for octet.
fn assert_whole(shop: &Shop, uidls: &[String], round: usize) {
    let mut talk = shop.logged_in(0);
    for (index, uidl) in uidls.iter().enumerate().step_by(1 + uidls.len() / 50) {
        let number = uidl.split(['M', 'P']).nth(1).and_then(|number| number.parse().ok());
        let number = number.unwrap_or_else(|| panic!("{uidl}"));
        let octets = retrieve(&mut talk, index + 1);
        assert_eq!(octets, wire(&message(number, 1)), "round {round}: {uidl}");
    }
    talk.expect("QUIT", "+OK");
}
