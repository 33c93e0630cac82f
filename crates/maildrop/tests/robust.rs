//! Disks that are full, directories that go away, files that change: no wrong octet, no lost or
//! risen message, no other id.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod kit;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use maildrop::{Maildrop, OpenOptions, StateUse};

const PATH: &str = "LASTPOST_TEST_MAILDIR";

fn open(path: &std::path::Path, format: &str) -> Maildrop {
    let options = OpenOptions { uidl_format: format.parse().unwrap(), ..OpenOptions::default() };
    kit::open(path, &options)
}

/// Runs the test `name` again with files limited to so many blocks of 512 octets.
fn run_limited(name: &str, maildir: &kit::Box, blocks: u64) {
    let script =
        format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$1\" --exact {name} --nocapture");
    let output = Command::new("sh")
        .args(["-ec", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .env(PATH, &maildir.path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "{text}");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_record_that_may_not_grow_stays_whole_and_new_messages_wait() {
    const KNOWN: usize = 40;
    if let Some(path) = std::env::var_os(PATH).map(PathBuf::from) {
        let record = fs::read(path.join("lastpost-uidls")).unwrap();
        for _ in 0..2 {
            let maildrop = open(&path, "courier");
            let report = maildrop.scan_report();
            assert_eq!((maildrop.len(), report.messages_withheld), (KNOWN, 60), "{report:?}");
            assert!(!report.record_written && !report.state_written);
            // Of half a block nothing is left.
            assert_eq!(fs::read(path.join("lastpost-uidls")).unwrap(), record);
            assert_eq!(kit::read(&maildrop, 0), b"x\n");
        }
        return;
    }
    let maildir = kit::Box::new();
    for n in 0..KNOWN {
        maildir.put(&format!("new/{:03}.known", n), "x\n");
    }
    let ids = kit::uidls(&open(&maildir.path, "courier"));
    for n in 0..60 {
        maildir.put(&format!("new/{:03}.more", 500 + n), "x\n");
    }
    let blocks = fs::metadata(maildir.path.join("lastpost-uidls")).unwrap().len() / 512 + 1;
    run_limited("a_record_that_may_not_grow_stays_whole_and_new_messages_wait", &maildir, blocks);
    let maildrop = open(&maildir.path, "courier");
    assert_eq!(maildrop.scan_report().messages_withheld, 0);
    assert_eq!(kit::uidls(&maildrop)[..KNOWN], ids[..]);
    assert_eq!(maildrop.len(), KNOWN + 60);
    assert_eq!(maildrop.scan_report().lines_damaged, 0);
}

#[test]
fn a_state_that_may_not_grow_is_only_a_slower_login() {
    if let Some(path) = std::env::var_os(PATH).map(PathBuf::from) {
        for _ in 0..2 {
            let maildrop = open(&path, "filename");
            let report = maildrop.scan_report();
            assert_eq!((maildrop.len(), report.state_written), (52, false), "{report:?}");
            assert!(maildrop.update(&[], &[0, 1], kit::NOW).is_complete());
        }
        return;
    }
    let maildir = kit::Box::new();
    for n in 0..50 {
        maildir.put(&format!("new/{n:03}.known"), "x\n");
    }
    drop(maildir.open());
    let state = fs::read(maildir.state()).unwrap();
    maildir.put("new/500.more", "y\n").put("new/501.more", "y\n");
    run_limited("a_state_that_may_not_grow_is_only_a_slower_login", &maildir, 0);
    assert_eq!(fs::read(maildir.state()).unwrap(), state, "not a torn one");
    let maildrop = maildir.open();
    assert_eq!((maildrop.len(), maildrop.scan_report().files_counted), (52, 2));
}

#[test]
fn small_changes_are_small_writes_and_survive() {
    let maildir = kit::Box::new();
    for n in 0..2000 {
        maildir.put(&format!("cur/{}.M{n}.host:2,S", 1_700_000_000 + n), "x\n");
    }
    drop(maildir.open());
    let whole = fs::metadata(maildir.state()).unwrap().len();
    assert!(whole > 80_000);
    maildir
        .put("new/1800000000.a", "yy\n")
        .put("new/1800000001.b", "yy\n")
        .rename("cur/1700000007.M7.host:2,S", "cur/1700000007.M7.host:2,RS")
        .remove("cur/1700000009.M9.host:2,S");
    let maildrop = maildir.open();
    let report = maildrop.scan_report().clone();
    assert_eq!((report.state, report.files_counted), (StateUse::Stale, 2));
    assert!(report.state_written && report.state_octets_written < 400, "{report:?}");
    let ids = kit::uidls(&maildrop);
    assert_eq!(ids.len(), 2001);
    // What is retrieved is noted in a few octets, and known from then on.
    assert!(maildrop.messages().all(|message| !message.retrieved));
    kit::read(&maildrop, 3);
    maildrop.update(&[], &[3, 2000, 7], 1_800_000_123);
    let len = fs::metadata(maildir.state()).unwrap().len();
    assert!(len < whole + 500, "{len} {whole}");
    drop(maildrop);
    let maildrop = maildir.open();
    assert_eq!(kit::uidls(&maildrop), ids);
    assert_eq!(maildrop.scan_report().files_counted, 0);
    let retrieved: Vec<usize> =
        maildrop.messages().enumerate().filter(|(_, m)| m.retrieved).map(|(i, _)| i).collect();
    assert_eq!(retrieved, [3, 7, 2000]);
    assert_eq!(maildrop.ages(7).retrieved, Some(1_800_000_123));
    // The first time counts.
    maildrop.update(&[], &[3], 1_900_000_000);
    assert_eq!(maildrop.ages(3).retrieved, Some(1_800_000_123));
    drop(maildrop);
    assert_eq!(maildir.open().ages(3).retrieved, Some(1_800_000_123));
    assert_eq!(maildir.open().ages(4), maildrop::Ages { arrived: 1_700_000_004, retrieved: None });
}

#[test]
fn many_small_changes_are_put_together_in_the_end() {
    let maildir = kit::Box::new();
    let mut longest = 0;
    for n in 0..300 {
        maildir.put(&format!("new/{}.M{n}.host", 1_700_000_000 + n), "x\n");
        let maildrop = maildir.open();
        assert_eq!(maildrop.len(), n + 1);
        assert_eq!(maildrop.scan_report().files_counted, 1);
        maildrop.update(&[], &[n], kit::NOW + n as i64);
        longest = longest.max(fs::metadata(maildir.state()).unwrap().len());
    }
    assert!(longest < 300 * 60 * 2, "{longest}");
    let maildrop = maildir.open();
    for n in 0..300 {
        assert_eq!(maildrop.ages(n).retrieved, Some(kit::NOW + n as i64));
    }
}

#[test]
fn a_torn_state_is_that_of_before() {
    let maildir = kit::Box::new();
    maildir.put("cur/1.a:2,", "x\n").put("cur/2.b:2,", "yy\n");
    drop(maildir.open());
    let base = fs::read(maildir.state()).unwrap();
    maildir.put("new/3.c", "zzz\n").rename("cur/1.a:2,", "cur/1.a:2,S");
    let maildrop = maildir.open();
    maildrop.update(&[], &[1], kit::NOW);
    let ids = kit::uidls(&maildrop);
    drop(maildrop);
    let whole = fs::read(maildir.state()).unwrap();
    assert_eq!(whole[..base.len()], base[..]);
    for len in (0..whole.len()).step_by(3) {
        fs::write(maildir.state(), &whole[..len]).unwrap();
        let maildrop = maildir.open();
        assert_eq!(kit::uidls(&maildrop), ids, "length {len}");
        assert_eq!(kit::sizes(&maildrop), [3, 4, 5], "length {len}");
        assert_eq!(kit::read(&maildrop, 0), b"x\n");
        // A mark on top of what is torn goes behind what is whole.
        maildrop.update(&[], &[2], kit::NOW);
        drop(maildrop);
        assert!(maildir.open().message(2).unwrap().retrieved, "length {len}");
    }
    for at in (0..whole.len()).step_by(5) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        fs::write(maildir.state(), &flipped).unwrap();
        let maildrop = maildir.open();
        assert_eq!((kit::uidls(&maildrop), kit::sizes(&maildrop)), (ids.clone(), vec![3, 4, 5]));
    }
}

#[test]
fn a_directory_that_was_made_anew_is_read_anew() {
    let maildir = kit::Box::new();
    maildir.put("cur/1.a:2,", "x\n").put("new/2.b", "yy\n");
    kit::settle();
    drop(maildir.open());
    fs::remove_dir_all(maildir.path.join("cur")).unwrap();
    let maildrop = maildir.open();
    assert_eq!(kit::uidls(&maildrop), ["2.b"]);
    drop(maildrop);
    assert!(maildir.path.join("cur").is_dir());
    fs::remove_dir_all(&maildir.path).unwrap();
    maildrop::create(&maildir.path).unwrap();
    assert!(maildir.open().is_empty());
    maildir.put("new/1.a", "another\n");
    let maildrop = maildir.open();
    assert_eq!((kit::uidls(&maildrop), kit::sizes(&maildrop)), (vec!["1.a".into()], vec![9]));
}

#[test]
fn directories_replaced_during_a_session_are_opened_anew() {
    let maildir = kit::Box::new();
    maildir.put("cur/1.a:2,", "x\n").put("cur/2.b:2,", "yy\n");
    let maildrop = maildir.open();
    // A restore from a backup: the same names in another directory.
    let cur = maildir.path.join("cur");
    fs::rename(&cur, maildir.path.join("old")).unwrap();
    fs::create_dir(&cur).unwrap();
    maildir.put("cur/1.a:2,", "x\n").put("new/2.b", "yy\n");
    assert_eq!(kit::read(&maildrop, 1), b"yy\n");
    let report = maildrop.update(&[0, 1], &[], kit::NOW);
    assert_eq!((report.removed, report.gone), (2, 0));
    assert!(maildir.names("cur").is_empty() && maildir.names("new").is_empty());
    assert_eq!(maildir.names("old").len(), 2);
}

#[test]
fn a_repair_counts_again_and_keeps_ids_order_and_marks() {
    let maildir = kit::Box::new();
    maildir.put("new/200.a,W=99", "x\n").put("new/300.b", "yy\n");
    drop(maildir.open());
    maildir.put("new/100.c", "zzz\n");
    let maildrop = maildir.open();
    let ids = kit::uidls(&maildrop);
    assert_eq!(kit::sizes(&maildrop), [99, 4, 5]);
    maildrop.update(&[], &[2], kit::NOW);
    assert!(maildrop::repair(&maildir.path, &OpenOptions::default()).is_err(), "in use");
    drop(maildrop);
    fs::write(maildir.path.join("new/300.b"), "yyyy\n").unwrap();
    let report = maildrop::repair(&maildir.path, &OpenOptions::default()).unwrap();
    assert_eq!((report.messages, report.sizes_corrected), (3, 2));
    assert_eq!(report.scan.files_counted, 3);
    assert!(report.scan.state_written && report.scan.record_written);
    let maildrop = maildir.open();
    assert_eq!((kit::uidls(&maildrop), kit::sizes(&maildrop)), (ids, vec![3, 6, 5]));
    assert!(maildrop.message(2).unwrap().retrieved);
    drop(maildrop);
    let report = maildrop::repair(&maildir.path, &OpenOptions::default()).unwrap();
    assert_eq!(report.sizes_corrected, 0);
    assert!(maildrop::repair(&maildir.path.join("x"), &OpenOptions::default()).is_err());
}

#[test]
fn a_state_of_the_version_before_is_learnt_again() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "x\n");
    drop(maildir.open());
    let mut state = fs::read(maildir.state()).unwrap();
    state[8] = 1;
    fs::write(maildir.state(), state).unwrap();
    let maildrop = maildir.open();
    assert_eq!(maildrop.scan_report().state, StateUse::Rejected("another version"));
    assert_eq!((kit::uidls(&maildrop), kit::sizes(&maildrop)), (vec!["1.a".into()], vec![3]));
    assert!(maildrop.scan_report().state_written);
}
