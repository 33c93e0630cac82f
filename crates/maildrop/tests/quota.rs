//! Limits of a Maildir: what may come in, what is written down, and files that others wrote.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]
#![allow(
    clippy::disallowed_methods,
    reason = "the age of a file is measured by the system's clock"
)]

mod kit;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use maildrop::{DeliverError, Delivery, Quota};

fn octets(limit: u64) -> Option<Quota> {
    Some(Quota { octets: Some(limit), messages: None })
}

fn file(maildir: &kit::Box) -> PathBuf {
    maildir.path.join("maildirsize")
}

fn text(maildir: &kit::Box) -> String {
    fs::read_to_string(file(maildir)).unwrap()
}

/// The lines without padding.
fn lines(maildir: &kit::Box) -> Vec<String> {
    text(maildir).lines().map(|line| line.trim_end().to_owned()).collect()
}

fn sums(maildir: &kit::Box) -> (i64, i64) {
    let mut sums = (0, 0);
    for line in lines(maildir).iter().skip(1) {
        let mut numbers = line.split_whitespace().map(|n| n.parse::<i64>().unwrap());
        sums.0 += numbers.next().unwrap();
        sums.1 += numbers.next().unwrap();
    }
    sums
}

fn deliver(maildir: &kit::Box, quota: Option<Quota>, size: usize) -> Result<(), DeliverError> {
    let delivery = Delivery::to(&maildir.path).unwrap().with_quota(quota);
    delivery.deliver(&vec![b'x'; size]).map(|_| ())
}

fn is_over(result: &Result<(), DeliverError>) -> bool {
    matches!(result, Err(DeliverError::OverQuota { .. }))
}

/// Makes the file look as if nobody had touched it for so long.
fn age(maildir: &kit::Box, seconds: u64) {
    let file = fs::File::options().append(true).open(file(maildir)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[test]
fn without_a_limit_there_is_no_file() {
    let maildir = kit::Box::new();
    deliver(&maildir, None, 10).unwrap();
    deliver(&maildir, Some(Quota::default()), 10).unwrap();
    let maildrop = maildir.open();
    assert!(maildrop.update(&[0], &[], 1).is_complete());
    assert!(!file(&maildir).exists());
}

#[test]
fn messages_come_in_up_to_the_limit_and_not_beyond() {
    let maildir = kit::Box::new();
    maildir.put("cur/1.a:2,S", "0123456789").put("new/2.b,S=40", "");
    deliver(&maildir, octets(100), 30).unwrap();
    assert_eq!(lines(&maildir), ["100S", "50 2", "30 1"], "counted, then added to");
    deliver(&maildir, octets(100), 20).unwrap();
    let refused = deliver(&maildir, octets(100), 1);
    let Err(DeliverError::OverQuota { quota, used, octets: more, .. }) = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!((quota.octets, used.octets, used.messages, *more), (Some(100), 100, 4, 1));
    assert!(refused.unwrap_err().to_string().contains("over quota 100S: 100 octets in 4 messages"));
    assert!(maildir.names("tmp").is_empty(), "nothing is left behind");
    assert_eq!(maildir.names("new").len(), 3);
    // A message less, and there is room again.
    let maildrop = maildir.open();
    assert!(maildrop.update(&[0], &[], 1).is_complete());
    drop(maildrop);
    deliver(&maildir, octets(100), 10).unwrap();
    assert_eq!(sums(&maildir), (100, 4));
    assert_eq!(fs::metadata(file(&maildir)).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn messages_are_counted_as_well_as_octets() {
    let maildir = kit::Box::new();
    let quota = Some(Quota { octets: Some(1000), messages: Some(2) });
    deliver(&maildir, quota, 1).unwrap();
    deliver(&maildir, quota, 1).unwrap();
    assert!(is_over(&deliver(&maildir, quota, 1)));
    assert_eq!(lines(&maildir)[0], "1000S,2C");
    let messages_alone = Some(Quota { octets: None, messages: Some(3) });
    deliver(&maildir, messages_alone, 100_000).unwrap();
    assert_eq!(lines(&maildir)[0], "3C", "the limit that was given replaces the file's");
}

#[test]
fn what_pop3_removes_is_one_line() {
    let maildir = kit::Box::new();
    for number in 0..500 {
        maildir.put(&format!("new/{number}.a"), "12345");
    }
    maildir.put("cur/900.b,S=7:2,S", "1234567");
    deliver(&maildir, octets(1 << 20), 10).unwrap();
    let maildrop = maildir.open();
    let all: Vec<usize> = (0..501).collect();
    // Another program is first with one of them.
    maildir.remove("new/17.a");
    let report = maildrop.update(&all, &[], 1);
    assert_eq!((report.removed, report.gone), (500, 1));
    assert_eq!(lines(&maildir), ["1048576S", "2507 501", "10 1", "-2502 -500"]);
}

#[test]
fn another_servers_file_is_obeyed_and_kept_up() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "12345").put("maildirsize", "20S,7X\n           5 1\n");
    fs::set_permissions(file(&maildir), fs::Permissions::from_mode(0o660)).unwrap();
    deliver(&maildir, None, 10).unwrap();
    assert_eq!(lines(&maildir), ["20S,7X", "           5 1", "10 1"]);
    assert!(is_over(&deliver(&maildir, None, 6)));
    // It was counted anew to be sure: limits that we do not know, and rights, are as before.
    assert_eq!(lines(&maildir), ["20S,7X", "15 2"]);
    assert_eq!(fs::metadata(file(&maildir)).unwrap().permissions().mode() & 0o777, 0o660);
    assert!(maildir.open().update(&[0], &[], 1).is_complete());
    assert_eq!(lines(&maildir), ["20S,7X", "15 2", "-5 -1"]);
}

#[test]
fn a_sum_that_says_full_is_believed_for_a_quarter_of_an_hour() {
    let maildir = kit::Box::new();
    maildir.put("maildirsize", "100S\n100 5\n");
    assert!(is_over(&deliver(&maildir, octets(100), 1)), "one line, just written: believed");
    assert_eq!(lines(&maildir), ["100S", "100 5"]);
    age(&maildir, 14 * 60);
    assert!(is_over(&deliver(&maildir, octets(100), 1)));
    age(&maildir, 15 * 60 + 1);
    deliver(&maildir, octets(100), 1).unwrap();
    assert_eq!(lines(&maildir), ["100S", "0 0", "1 1"], "others had emptied it");
    // A time to come is none.
    maildir.put("maildirsize", "100S\n100 5\n");
    let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    fs::File::options().append(true).open(file(&maildir)).unwrap().set_modified(tomorrow).unwrap();
    deliver(&maildir, octets(100), 1).unwrap();
    // Several lines may have added up to something wrong.
    maildir.put("maildirsize", "100S\n90 5\n10 1\n");
    deliver(&maildir, octets(100), 1).unwrap();
    assert_eq!(sums(&maildir), (3, 3));
}

#[test]
fn a_file_that_grew_is_counted_anew() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "12345");
    let long = format!("1000000S\n{}", "1 0\n".repeat(1500));
    maildir.put("maildirsize", &long);
    deliver(&maildir, octets(1_000_000), 10).unwrap();
    assert_eq!(lines(&maildir), ["1000000S", "5 1", "10 1"]);
    // So it is where POP3 alone writes to it.
    maildir.put("maildirsize", &long);
    assert!(maildir.open().update(&[0], &[], 1).is_complete());
    assert_eq!(lines(&maildir), ["1000000S", "10 1"]);
    deliver(&maildir, octets(1_000_000), 20).unwrap();
    assert_eq!(sums(&maildir), (30, 2));
}

#[test]
fn a_hostile_file_is_counted_anew_and_never_followed() {
    let outside = kit::Box::new();
    outside.put("victim", "precious");
    for damage in ["", "\0\0\0\0", "100S", "100S\n", "100S\n-5 -1\n", "100S\nx\n", "100S\n1 1\n2"] {
        let maildir = kit::Box::new();
        maildir.put("new/1.a", "12345").put("maildirsize", damage);
        deliver(&maildir, octets(100), 10).unwrap();
        assert_eq!(lines(&maildir), ["100S", "5 1", "10 1"], "{damage:?}");
    }
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "12345");
    symlink(outside.path.join("victim"), file(&maildir)).unwrap();
    assert!(maildir.open().update(&[0], &[], 1).is_complete());
    deliver(&maildir, None, 10).unwrap();
    deliver(&maildir, octets(100), 10).unwrap();
    assert_eq!(fs::read_to_string(outside.path.join("victim")).unwrap(), "precious");
    assert!(!fs::symlink_metadata(file(&maildir)).unwrap().is_symlink(), "replaced");
    // A directory cannot be replaced: the limit holds all the same.
    let maildir = kit::Box::new();
    fs::create_dir(file(&maildir)).unwrap();
    deliver(&maildir, octets(100), 60).unwrap();
    assert!(is_over(&deliver(&maildir, octets(100), 60)));
    assert!(maildir.names("tmp").is_empty());
    assert!(maildir.open().update(&[0], &[], 1).is_complete());
    // Without sense and without a limit of ours it stops nobody.
    let maildir = kit::Box::new();
    maildir.put("maildirsize", "garbage\n1 1\n");
    deliver(&maildir, None, 60).unwrap();
    assert_eq!(text(&maildir), "garbage\n1 1\n");
}

#[test]
fn folders_count_and_the_trash_does_not() {
    let maildir = kit::Box::new();
    for folder in [".Sent", ".Trash", ".a.b"] {
        for place in ["new", "cur", "tmp"] {
            fs::create_dir_all(maildir.path.join(folder).join(place)).unwrap();
        }
        maildir.put(&format!("{folder}/cur/1.a:2,S"), "1234567890");
        maildir.put(&format!("{folder}/tmp/1.a"), "1234567890");
    }
    maildir.put(".Sent/cur/.hidden", "1234567890");
    symlink(maildir.path.join(".Sent"), maildir.path.join(".link")).unwrap();
    fs::create_dir(maildir.path.join("cur/2.directory")).unwrap();
    deliver(&maildir, octets(1000), 1).unwrap();
    assert_eq!(lines(&maildir), ["1000S", "20 2", "1 1"]);
}

#[test]
fn deliveries_and_removals_side_by_side_add_up() {
    let maildir = kit::Box::new();
    // These stay. Without them a removal that is noted before the delivery it undoes would make
    // a sum below nothing, and all would be counted anew.
    for number in 0..10 {
        maildir.put(&format!("new/{number}.stays"), [b'x'; 1000]);
    }
    deliver(&maildir, octets(1 << 30), 1).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..40 {
                    deliver(&maildir, octets(1 << 30), 100).unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..20 {
                let maildrop = maildir.open();
                let all: Vec<usize> = (10..maildrop.len()).collect();
                assert!(maildrop.update(&all, &[], 1).is_complete());
            }
        });
    });
    let left = maildir.open();
    // Each message had no line end, which its size in CRLF form has.
    let stored = left.messages().map(|message| message.octets - 2).sum::<u64>();
    assert_eq!(sums(&maildir), (stored.try_into().unwrap(), left.len().try_into().unwrap()));
}

#[test]
fn a_torn_line_does_not_outlive_the_next_delivery() {
    let maildir = kit::Box::new();
    deliver(&maildir, octets(1000), 10).unwrap();
    let mut torn = fs::File::options().append(true).open(file(&maildir)).unwrap();
    torn.write_all(b"99").unwrap();
    drop(torn);
    deliver(&maildir, octets(1000), 20).unwrap();
    assert_eq!(lines(&maildir), ["1000S", "10 1", "20 1"]);
}

#[test]
fn a_file_that_may_not_be_read_stops_nobody() {
    let maildir = kit::Box::new();
    maildir.put("maildirsize", "1S\n1 1\n");
    fs::set_permissions(file(&maildir), fs::Permissions::from_mode(0o000)).unwrap();
    for place in ["new", "tmp"] {
        let rights = fs::Permissions::from_mode(0o777);
        fs::set_permissions(maildir.path.join(place), rights).unwrap();
    }
    kit::as_nobody(&maildir.path, || deliver(&maildir, None, 10).unwrap());
    assert_eq!(maildir.names("new").len(), 1);
}
