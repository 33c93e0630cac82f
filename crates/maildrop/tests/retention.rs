//! Retention: to the day, behind the lock, and never on a guess.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod kit;

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use maildrop::{ExpireReport, OpenError, OpenOptions, Retention, expire, would_expire};

const DAY: i64 = 24 * 60 * 60;
const NOW: i64 = 1_800_000_000;

fn arrival(days: u32) -> Retention {
    Retention { after_retrieval_days: None, after_arrival_days: Some(days) }
}

fn retrieval(days: u32) -> Retention {
    Retention { after_retrieval_days: Some(days), after_arrival_days: None }
}

fn run(maildir: &kit::Box, retention: Retention, now: i64) -> ExpireReport {
    let options = OpenOptions::default();
    let foreseen = would_expire(&maildir.path, &retention, now, &options).unwrap();
    let done = expire(&maildir.path, &retention, now, &options).unwrap();
    assert_eq!((foreseen.removed, foreseen.failed), (0, 0));
    assert_eq!(
        ExpireReport { removed: done.removed, ..foreseen },
        done,
        "what was foreseen is what happens"
    );
    assert_eq!(done.removed, done.expired);
    done
}

#[test]
fn messages_go_on_the_day_after_arrival() {
    let maildir = kit::Box::new();
    maildir.put(&format!("new/{}.a,S=3,W=4", NOW - 30 * DAY), "ab\n");
    maildir.put(&format!("cur/{}.b:2,S", NOW - 30 * DAY + 1), "ab\n");
    maildir.put(&format!("new/{NOW}.c"), "ab\n");
    assert_eq!(run(&maildir, arrival(30), NOW - 1).expired, 0);
    let report = run(&maildir, arrival(30), NOW);
    assert_eq!((report.messages, report.removed, report.octets), (3, 1, 4));
    assert_eq!(run(&maildir, arrival(30), NOW).removed, 0, "nothing is left to do");
    assert_eq!(run(&maildir, arrival(30), NOW + 1).removed, 1);
    assert_eq!(maildir.names("new").len(), 1);
}

#[test]
fn messages_go_after_they_were_fetched_and_not_before() {
    let maildir = kit::Box::new();
    for name in ["a", "b", "c"] {
        maildir.put(&format!("new/{}.{name}", NOW - 900 * DAY), "ab\n");
    }
    assert_eq!(run(&maildir, retrieval(7), NOW).expired, 0, "nobody has fetched them");
    let session = maildir.open();
    assert!(session.update(&[], &[0, 2], NOW).is_complete());
    drop(session);
    // Fetching once more is no new beginning.
    assert!(maildir.open().update(&[], &[0], NOW + 6 * DAY).is_complete());
    assert_eq!(run(&maildir, retrieval(7), NOW + 7 * DAY - 1).expired, 0);
    assert_eq!(run(&maildir, retrieval(7), NOW + 7 * DAY).removed, 2);
    assert_eq!(maildir.names("new"), [format!("{}.b", NOW - 900 * DAY)]);
}

#[test]
fn the_shorter_of_both_counts_and_never_is_never() {
    let maildir = kit::Box::new();
    maildir.put(&format!("new/{}.a", NOW - 100 * DAY), "ab\n");
    assert!(maildir.open().update(&[], &[0], NOW - 5 * DAY).is_complete());
    let both = |retrieval, arrival| Retention {
        after_retrieval_days: retrieval,
        after_arrival_days: arrival,
    };
    for (retention, expired) in [
        (both(None, None), 0),
        (both(Some(6), Some(101)), 0),
        (both(Some(6), Some(100)), 1),
        (both(Some(5), Some(101)), 1),
    ] {
        let options = OpenOptions::default();
        let report = would_expire(&maildir.path, &retention, NOW, &options).unwrap();
        assert_eq!(report.expired, expired, "{retention:?}");
    }
}

#[test]
fn a_maildrop_in_use_is_left_alone() {
    let maildir = kit::Box::new();
    maildir.put(&format!("new/{}.a", NOW - 100 * DAY), "ab\n");
    let session = maildir.open();
    let options = OpenOptions::default();
    let tried = expire(&maildir.path, &arrival(1), NOW, &options);
    assert!(matches!(tried, Err(OpenError::InUse { .. })), "{tried:?}");
    assert_eq!(kit::read(&session, 0), b"ab\n");
    drop(session);
    assert_eq!(run(&maildir, arrival(1), NOW).removed, 1);
}

#[test]
fn a_time_that_cannot_be_keeps_the_message() {
    let maildir = kit::Box::new();
    // Numbers in front of a dot that are no times, and times to come.
    for name in ["1.txt", "0.a", "123.eml", "20240101.x", "999999999999999999.a"] {
        maildir.put(&format!("new/{name}"), "ab\n");
    }
    maildir.put(&format!("new/{}.future", NOW + 400 * DAY), "ab\n");
    assert_eq!(run(&maildir, arrival(1), NOW).expired, 0);
    // A name without a time has that of its file.
    maildir.put("new/imported", "ab\n");
    let file = fs::File::options().append(true).open(maildir.path.join("new/imported")).unwrap();
    let seconds = u64::try_from(NOW - 10 * DAY).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    assert_eq!(run(&maildir, arrival(11), NOW).expired, 0);
    assert_eq!(run(&maildir, arrival(10), NOW).removed, 1);
    assert_eq!(maildir.names("new").len(), 6);
}

#[test]
fn a_clock_that_is_wrong_is_no_overflow() {
    let maildir = kit::Box::new();
    maildir.put(&format!("new/{NOW}.a"), "ab\n");
    for now in [i64::MIN, -1, 0] {
        assert_eq!(run(&maildir, arrival(u32::MAX), now).expired, 0);
        assert_eq!(run(&maildir, arrival(1), now).expired, 0);
    }
    assert_eq!(run(&maildir, arrival(u32::MAX), i64::MAX).expired, 1);
}

#[test]
fn nothing_is_made_and_nothing_outside_is_touched() {
    let maildir = kit::Box::new();
    let nowhere = maildir.path.join("nowhere");
    let options = OpenOptions::default();
    let report = expire(&nowhere, &arrival(1), NOW, &options).unwrap();
    assert_eq!(report, ExpireReport::default());
    assert!(!nowhere.exists());
    // Without a policy the maildrop is not even opened.
    let session = maildir.open();
    expire(&maildir.path, &Retention::default(), NOW, &options).unwrap();
    drop(session);
    // What cannot be read is an error and not an empty maildrop.
    fs::remove_dir_all(maildir.path.join("cur")).unwrap();
    symlink("/", maildir.path.join("cur")).unwrap();
    assert!(expire(&maildir.path, &arrival(1), NOW, &options).is_err());
}

#[test]
fn thousands_go_in_one_go_and_the_quota_knows() {
    let maildir = kit::Box::new();
    for number in 0..3000 {
        maildir.put(&format!("new/{}.{number},S=3,W=4", NOW - 30 * DAY - number), "ab\n");
    }
    maildir.put(&format!("new/{NOW}.young,S=3,W=4"), "ab\n");
    maildir.put("maildirsize", "1000000S\n9003 3001\n");
    assert_eq!(run(&maildir, arrival(30), NOW).removed, 3000);
    assert_eq!(kit::uidls(&maildir.open()), [format!("{NOW}.young,S=3,W=4")]);
    let noted = fs::read_to_string(maildir.path.join("maildirsize")).unwrap();
    assert_eq!(noted.trim_end(), "1000000S\n9003 3001\n-9000 -3000");
}
