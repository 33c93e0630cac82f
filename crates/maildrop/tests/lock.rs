//! One session at a time.

mod kit;

use std::fs;
use std::io::Read;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use maildrop::{Maildrop, OpenError, OpenOptions};

fn is_in_use(path: &std::path::Path) -> bool {
    match Maildrop::open(path, &OpenOptions::default()) {
        Ok(_) => false,
        Err(OpenError::InUse { path: named }) => {
            assert_eq!(named, path);
            true
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_second_open_is_refused_until_the_first_is_dropped() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "x\n");
    let first = maildir.open();
    assert!(is_in_use(&maildir.path));
    assert!(is_in_use(&maildir.path));
    assert!(first.update(&[0], &[], kit::NOW).is_complete());
    assert!(is_in_use(&maildir.path));
    drop(first);
    assert!(!is_in_use(&maildir.path));
}

#[test]
fn a_reader_does_not_hold_the_lock() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "x\n");
    let maildrop = maildir.open();
    let mut reader = maildrop.retrieve(0).unwrap();
    drop(maildrop);
    assert!(!is_in_use(&maildir.path));
    let mut out = Vec::new();
    reader.read_to_end(&mut out).unwrap();
    assert_eq!(out, b"x\n");
}

#[test]
fn of_many_threads_one_at_a_time_is_inside() {
    const THREADS: usize = 8;
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "x\n");
    let (inside, opened, refused) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..100 {
                    match Maildrop::open(&maildir.path, &OpenOptions::default()) {
                        Ok(maildrop) => {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            assert_eq!(maildrop.len(), 1);
                            opened.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                        }
                        Err(OpenError::InUse { .. }) => {
                            refused.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
    });
    assert!(opened.load(Ordering::SeqCst) > 0);
    assert_eq!(opened.load(Ordering::SeqCst) + refused.load(Ordering::SeqCst), THREADS * 100);
}

#[test]
fn removing_the_lock_file_opens_no_door() {
    let maildir = kit::Box::new();
    let first = maildir.open();
    maildir.remove("lastpost.lock");
    assert!(is_in_use(&maildir.path));
    drop(first);
    assert!(!is_in_use(&maildir.path));
}

#[test]
fn a_lock_file_that_is_a_link_is_not_followed() {
    let maildir = kit::Box::new();
    let elsewhere = maildir.path.join("elsewhere");
    fs::write(&elsewhere, "precious").unwrap();
    std::os::unix::fs::symlink(&elsewhere, maildir.path.join("lastpost.lock")).unwrap();
    let error = Maildrop::open(&maildir.path, &OpenOptions::default()).unwrap_err();
    assert!(matches!(error, OpenError::Unavailable { doing: "locking", .. }), "{error}");
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "precious");
}

#[test]
fn the_lock_of_another_process_counts() {
    let maildir = kit::Box::new();
    drop(maildir.open());
    let lock = maildir.path.join("lastpost.lock");
    let mut other = std::process::Command::new("flock")
        .args(["--exclusive", "--nonblock"])
        .arg(&lock)
        .args(["--command", "echo held; read line"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = [0; 5];
    std::io::Read::read_exact(other.stdout.as_mut().unwrap(), &mut line).unwrap();
    assert_eq!(&line, b"held\n");
    assert!(is_in_use(&maildir.path));
    drop(other.stdin.take());
    other.wait().unwrap();
    assert!(!is_in_use(&maildir.path));
}

#[test]
fn a_summary_needs_no_lock_and_takes_none() {
    let maildir = kit::Box::new();
    maildir.put("new/1.a", "x\n").put("cur/2.b:2,S", "yy\n");
    let session = maildir.open();
    let summary = maildrop::summary(&maildir.path).unwrap();
    assert_eq!((summary.octets, summary.new, summary.messages.len()), (7, 1, 2));
    assert_eq!(summary.messages[1].file, "cur/2.b:2,S");
    assert_eq!(summary.messages[1].uidl, "2.b");
    drop(session);
    assert!(maildrop::summary(&maildir.path.join("absent")).is_err());
    assert!(!maildir.path.join("absent").exists());
}
