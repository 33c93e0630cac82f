//! Clearing `tmp`: what is old goes, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod kit;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::time::Duration;

use maildrop::{PurgeReport, TMP_KEPT, purge_tmp};

const KEPT: i64 = 36 * 60 * 60;

/// When a file of `tmp` was last touched, in seconds since 1970.
fn touched(maildir: &kit::Box, name: &str) -> i64 {
    let file = fs::symlink_metadata(maildir.path.join("tmp").join(name)).unwrap();
    file.mtime().max(file.ctime())
}

#[test]
fn files_go_when_nothing_happened_to_them_for_more_than_36_hours() {
    let maildir = kit::Box::new();
    maildir.put("tmp/1.a", "left behind").put("new/1.b", "stays").put("cur/1.c:2,S", "stays");
    let at = touched(&maildir, "1.a");
    for (now, removed) in [(at, 0), (at + KEPT, 0), (at - 9 * KEPT, 0), (at + KEPT + 1, 1)] {
        let report = purge_tmp(&maildir.path, now, TMP_KEPT).unwrap();
        assert_eq!(
            report,
            PurgeReport { removed, octets: removed as u64 * 11, failed: 0 },
            "{now}"
        );
    }
    assert!(maildir.names("tmp").is_empty());
    assert_eq!((maildir.names("new").len(), maildir.names("cur").len()), (1, 1));
}

#[test]
fn a_shorter_time_is_not_taken_and_a_longer_one_is() {
    let maildir = kit::Box::new();
    maildir.put("tmp/1.a", "x");
    let at = touched(&maildir, "1.a");
    assert_eq!(purge_tmp(&maildir.path, at + KEPT, Duration::ZERO).unwrap().removed, 0);
    let longer = TMP_KEPT + Duration::from_secs(10);
    assert_eq!(purge_tmp(&maildir.path, at + KEPT + 10, longer).unwrap().removed, 0);
    assert_eq!(purge_tmp(&maildir.path, at + KEPT + 11, longer).unwrap().removed, 1);
    assert_eq!(purge_tmp(&maildir.path, i64::MIN, TMP_KEPT).unwrap().removed, 0);
}

#[test]
fn a_file_whose_time_was_set_back_is_as_young_as_it_is() {
    let maildir = kit::Box::new();
    maildir.put("tmp/1.a", "written a moment ago");
    let file = fs::File::options().append(true).open(maildir.path.join("tmp/1.a")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let at = touched(&maildir, "1.a");
    assert_eq!(purge_tmp(&maildir.path, at + 1, TMP_KEPT).unwrap().removed, 0);
    assert_eq!(purge_tmp(&maildir.path, at + KEPT + 1, TMP_KEPT).unwrap().removed, 1);
}

#[test]
fn directories_and_links_stay_and_nothing_is_followed() {
    let maildir = kit::Box::new();
    let outside = kit::Box::new();
    outside.put("precious", "x");
    fs::create_dir(maildir.path.join("tmp/directory")).unwrap();
    fs::write(maildir.path.join("tmp/directory/file"), "x").unwrap();
    symlink(outside.path.join("precious"), maildir.path.join("tmp/link")).unwrap();
    maildir.put("tmp/.hidden", "left behind too");
    let later = touched(&maildir, "link") + 100 * KEPT;
    assert_eq!(purge_tmp(&maildir.path, later, TMP_KEPT).unwrap().removed, 1);
    assert_eq!(maildir.names("tmp"), ["directory", "link"]);
    assert!(outside.path.join("precious").exists());
    // Nor is a `tmp` that leads elsewhere.
    fs::remove_dir_all(maildir.path.join("tmp")).unwrap();
    symlink(outside.path.join("new"), maildir.path.join("tmp")).unwrap();
    outside.put("new/1.a", "x");
    assert!(purge_tmp(&maildir.path, later, TMP_KEPT).is_err());
    assert_eq!(outside.names("new").len(), 1);
}

#[test]
fn what_is_not_there_needs_no_clearing() {
    let maildir = kit::Box::new();
    fs::remove_dir(maildir.path.join("tmp")).unwrap();
    assert_eq!(purge_tmp(&maildir.path, i64::MAX, TMP_KEPT).unwrap(), PurgeReport::default());
    let nowhere = maildir.path.join("nowhere");
    assert_eq!(purge_tmp(&nowhere, i64::MAX, TMP_KEPT).unwrap(), PurgeReport::default());
    assert!(!nowhere.exists());
}

#[test]
fn many_files_go_in_one_call() {
    let maildir = kit::Box::new();
    for number in 0..2000 {
        maildir.put(&format!("tmp/{number}"), "");
    }
    let later = touched(&maildir, "1999") + KEPT + 1;
    assert_eq!(purge_tmp(&maildir.path, later, TMP_KEPT).unwrap().removed, 2000);
    assert!(maildir.names("tmp").is_empty());
}
