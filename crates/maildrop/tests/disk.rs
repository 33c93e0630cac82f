//! Full and read-only disks, for which each test runs itself again in a mount namespace of its
//! own (`unshare`); where the system does not allow that, it says so and proves nothing. And the
//! order of system calls in a delivery, watched by `strace` where that is installed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod kit;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use maildrop::{DeliverError, Delivery, Maildrop, OpenOptions};

const PATH: &str = "LASTPOST_TEST_MAILDIR";

/// Where the test's inner part works; `None` in the outer part.
fn inner() -> Option<PathBuf> {
    std::env::var_os(PATH).map(PathBuf::from)
}

/// Runs `setup` (a shell script with the directory as `$1`) and then the test `name` again.
fn run_again(name: &str, setup: &str) {
    let directory = tempfile::tempdir().unwrap();
    let script = format!("{setup}\nexec \"$2\" --exact {name} --nocapture");
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-ec", &script, "sh"])
        .arg(directory.path())
        .arg(std::env::current_exe().unwrap())
        .env(PATH, directory.path().join("Maildir"))
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return eprintln!("{name} not run: unshare: {error}"),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if !text.contains("running 1 test") {
        return eprintln!("{name} not run: {errors}");
    }
    assert!(output.status.success(), "{text}{errors}");
}

fn open(path: &Path) -> Maildrop {
    Maildrop::open(path, &OpenOptions::default()).unwrap()
}

#[test]
fn a_full_disk_keeps_serving_and_delivers_nothing_by_halves() {
    let Some(path) = inner() else {
        return run_again(
            "a_full_disk_keeps_serving_and_delivers_nothing_by_halves",
            "mount -t tmpfs -o size=256k,mode=700 tmpfs \"$1\"",
        );
    };
    maildrop::create(&path).unwrap();
    let delivery = Delivery::to(&path).unwrap();
    fs::write(path.join("new/1.a"), "one\n").unwrap();
    let error = delivery.deliver(&vec![b'x'; 1_000_000]).unwrap_err();
    assert!(matches!(error, DeliverError::Full { .. }), "{error}");
    assert_eq!(fs::read_dir(path.join("tmp")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(path.join("new")).unwrap().count(), 1);

    // Now to the last octet.
    let filler = path.with_file_name("filler");
    let _ = fs::write(&filler, vec![b'x'; 1_000_000]);
    assert!(matches!(delivery.deliver(b"two\n"), Err(DeliverError::Full { .. })));
    let maildrop = open(&path);
    assert!(!maildrop.scan_report().state_written);
    assert_eq!(maildrop.scan_report().files_counted, 1);
    assert_eq!((maildrop.len(), maildrop.octets()), (1, 5));
    assert_eq!(kit::read(&maildrop, 0), b"one\n");
    assert!(matches!(
        Maildrop::open(&path, &OpenOptions::default()),
        Err(maildrop::OpenError::InUse { .. })
    ));
    // Removal makes room, so it must work now of all times.
    assert_eq!(maildrop.update(&[0], &[0], kit::NOW).removed, 1);
    drop(maildrop);
    fs::remove_file(&filler).unwrap();
    delivery.deliver(b"two\n").unwrap();
    assert_eq!(open(&path).len(), 1);
    assert!(!path.join("lastpost-state.tmp").exists());
}

#[test]
fn a_read_only_disk_is_served() {
    let Some(path) = inner() else {
        return run_again(
            "a_read_only_disk_is_served",
            "mount -t tmpfs -o size=1m,mode=700 tmpfs \"$1\"",
        );
    };
    maildrop::create(&path).unwrap();
    fs::write(path.join("new/1.a"), "one\n").unwrap();
    fs::write(path.join("cur/1.a:2,S"), "its twin\n").unwrap();
    fs::write(path.join("cur/2.b,W=5"), "two\n").unwrap();
    let remount = |options: &str| {
        let tmpfs = path.parent().unwrap();
        let done = Command::new("mount").args(["-o", options]).arg(tmpfs).status().unwrap();
        assert!(done.success());
    };
    remount("remount,ro");
    let first = open(&path);
    assert!(matches!(
        Maildrop::open(&path, &OpenOptions::default()),
        Err(maildrop::OpenError::InUse { .. })
    ));
    let ids = kit::uidls(&first);
    assert_eq!(ids.len(), 3);
    assert_eq!(first.scan_report().files_renamed, 0);
    assert!(!first.scan_report().state_written);
    for index in 0..3 {
        assert_eq!(kit::octets_sent(&first, index), kit::sizes(&first)[index]);
    }
    let report = first.update(&[0], &[], kit::NOW);
    assert_eq!((report.removed, report.failed.len()), (0, 1));
    assert!(!report.is_complete());
    drop(first);
    assert_eq!(kit::uidls(&open(&path)), ids);
    assert!(matches!(
        Delivery::to(&path).and_then(|d| d.deliver(b"x\n")),
        Err(DeliverError::Unavailable { .. })
    ));
    remount("remount,rw");
    assert_eq!(open(&path).scan_report().files_renamed, 1);
}

#[test]
fn a_delivery_is_synced_before_it_is_named_and_after() {
    if let Some(path) = inner() {
        Delivery::to(&path).unwrap().deliver(b"x\n").unwrap();
        return;
    }
    let maildir = kit::Box::new();
    let trace = maildir.path.join("trace");
    let run = Command::new("strace")
        .args(["-f", "-y", "-e", "trace=write,fsync,linkat,renameat2,unlink", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_delivery_is_synced_before_it_is_named_and_after"])
        .env(PATH, &maildir.path)
        .output();
    match run {
        Ok(output) if output.status.success() => {}
        _ => return eprintln!("not run: strace is not installed or not permitted"),
    }
    let trace = fs::read_to_string(&trace).unwrap();
    let at = |what: &dyn Fn(&str) -> bool| trace.lines().position(what).unwrap();
    let written = at(&|line| line.contains("write(") && line.contains("Maildir/tmp/"));
    let synced = at(&|line| line.contains("fsync(") && line.contains("Maildir/tmp/"));
    let named = at(&|line| line.contains("linkat(") || line.contains("renameat2("));
    let directory = at(&|line| line.contains("fsync(") && line.contains("Maildir/new>"));
    assert!(written < synced && synced < named && named < directory, "{trace}");
}
