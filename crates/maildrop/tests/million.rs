//! A maildrop of a million messages.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod kit;

use std::collections::HashSet;
use std::fs;

use maildrop::StateUse;

const MESSAGES: usize = 1_000_000;
/// Names that a file may have; ext4 allows 65,000. A name is quicker to make than a file, and a
/// maildrop does not care.
const NAMES_OF_A_FILE: usize = 50_000;

/// Resident memory of this process, in octets, now and at its highest.
fn memory(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1024
}

/// Fills `cur` with a million names.
fn fill(maildir: &kit::Box) {
    let cur = maildir.path.join("cur");
    let mut file = cur.clone();
    for n in 0..MESSAGES {
        let (seconds, micros) = (1_700_000_000 + n / 5, n * 7919 % 1_000_000);
        let path = cur.join(format!("{seconds}.M{micros}P{n}.host,S=5,W=6:2,S"));
        if n % NAMES_OF_A_FILE == 0 {
            fs::write(&path, "body\n").unwrap();
            file = path;
        } else {
            fs::hard_link(&file, &path).unwrap();
        }
    }
}

/// `cargo test --release -p maildrop --test million -- --ignored`
#[test]
#[ignore = "makes a million files"]
fn a_million_messages_are_opened_listed_thinned_and_opened_again() {
    let maildir = kit::Box::new();
    let before = memory("VmHWM");
    fill(&maildir);
    kit::settle();
    let maildrop = maildir.open();
    assert_eq!((maildrop.len(), maildrop.octets()), (MESSAGES, 6 * MESSAGES as u64));
    let report = maildrop.scan_report();
    assert_eq!((report.passes, report.files_counted), (1, 0));
    assert_eq!(maildrop.messages().len(), MESSAGES);
    // The directory, the names, the rows, and what sorting and writing them takes.
    let used = memory("VmHWM") - before;
    assert!(used < 400 * 1024 * 1024, "{used} octets for a million messages");
    {
        let ids: HashSet<&str> = maildrop.messages().map(|message| message.uidl).collect();
        assert_eq!(ids.len(), MESSAGES);
        assert!(ids.iter().all(|id| (1..=70).contains(&id.len())));
    }
    assert_eq!(kit::read(&maildrop, MESSAGES / 2), b"body\n");
    let deleted: Vec<usize> = (0..MESSAGES).step_by(MESSAGES / 1000).collect();
    let report = maildrop.update(&deleted, &[MESSAGES / 2 + 1], kit::NOW);
    assert_eq!((report.removed, report.gone, report.failed.len()), (1000, 0, 0));
    let last = maildrop.message(MESSAGES - 1).unwrap().uidl.to_owned();
    drop(maildrop);

    let maildrop = maildir.open();
    let report = maildrop.scan_report();
    assert_eq!((report.state, maildrop.len()), (StateUse::Stale, MESSAGES - 1000));
    assert!(report.state_octets_written < 20_000, "{report:?}");
    assert_eq!(maildrop.message(MESSAGES - 1001).unwrap().uidl, last);
    assert_eq!(maildrop.messages().filter(|message| message.retrieved).count(), 1);
    drop(maildrop);
    kit::settle();
    drop(maildir.open());
    let maildrop = maildir.open();
    assert_eq!(maildrop.scan_report().state, StateUse::Current);
    assert_eq!(maildrop.len(), MESSAGES - 1000);
}
