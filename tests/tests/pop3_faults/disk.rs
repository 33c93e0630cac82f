//! Disks that are full, and Maildirs that go away while somebody looks at them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kit::{STATE, Shop, files, message, put, retrieve, wire};

/// What is gone is an error, message for message, and the next login is told the truth.
#[test]
fn a_maildir_that_is_removed_within_a_session() {
    let shop = Shop::open("");
    let maildir = shop.maildir(0);
    for number in 1..=3 {
        put(&maildir, number, &message(number, 5), true);
    }
    let mut neighbour = shop.logged_in(1);
    let mut talk = shop.logged_in(0);
    assert_eq!(retrieve(&mut talk, 1), wire(&message(1, 5)));
    fs::remove_dir_all(&maildir).unwrap();
    talk.expect("RETR 2", "-ERR ");
    talk.expect("TOP 3 1", "-ERR ");
    // What was announced stays announced (RFC 1939 section 5).
    talk.expect("STAT", "+OK 3 ");
    talk.expect("DELE 1", "+OK");
    talk.expect("NOOP", "+OK");
    // Whether "all gone" is success or failure, it is an answer.
    let reply = talk.ask("QUIT");
    assert!(reply.starts_with("+OK") || reply.starts_with("-ERR "), "{reply}");
    assert!(talk.is_closed());
    neighbour.expect("NOOP", "+OK");
    neighbour.expect("QUIT", "+OK");
    assert_eq!(shop.view(0).uidls.len(), 0, "a new, empty one");

    // With the home it is another matter: that is what a missing mount looks like.
    fs::remove_dir_all(maildir.parent().unwrap()).unwrap();
    let (_, reply) = shop.try_login(0, false);
    assert!(reply.starts_with("-ERR [SYS/TEMP] "), "{reply}");
    assert!(!maildir.exists());
}

/// A box that is moved away and comes back, as a restore does: the session works on what it has
/// opened, and nothing is removed from what it has not.
#[test]
fn a_maildir_that_is_exchanged_within_a_session() {
    let shop = Shop::open("");
    let maildir = shop.maildir(0);
    put(&maildir, 1, &message(1, 5), true);
    let mut talk = shop.logged_in(0);
    let aside = maildir.with_file_name("aside");
    fs::rename(&maildir, &aside).unwrap();
    maildrop::create(&maildir).unwrap();
    let name = put(&maildir, 1, &message(1, 5), true);
    talk.expect("DELE 1", "+OK");
    talk.ask("QUIT");
    assert!(talk.is_closed());
    assert_eq!(files(&maildir), [name].into(), "the new one was not the session's");
    assert_eq!(shop.view(0).uidls.len(), 1);
}

/// No file may grow beyond 32 KiB (`EFBIG`), which the state of 2,000 messages does.
#[test]
fn a_state_that_is_too_large_for_the_disk() {
    const COUNT: usize = 2_000;
    let mut shop = Shop::closed("");
    let maildir = shop.maildir(0);
    for number in 1..=COUNT {
        put(&maildir, number, &message(number, 1), false);
    }
    // The signal would end the daemon. Blocks of 512 octets (POSIX).
    shop.wrap("trap '' XFSZ; ulimit -f 64; exec \"$@\"");
    shop.start();
    let first = shop.view(0);
    assert_eq!(first.uidls.len(), COUNT);
    assert!(!maildir.join(STATE).exists(), "it has not been written");
    assert!(!maildir.join("lastpost-state.tmp").exists(), "nor a part of it left");
    let mut talk = shop.logged_in(0);
    assert_eq!(retrieve(&mut talk, COUNT), wire(&message(COUNT, 1)));
    talk.expect("DELE 1", "+OK");
    talk.expect("QUIT", "+OK");
    shop.restart();
    assert_eq!(shop.view(0), first.without(0));
}

/// A disk of 256 KiB or of 12 files, full to the last one, under the patient's home.
#[test]
fn a_disk_that_is_full() {
    for (what, size) in [("octets", "size=256k"), ("files", "size=4m,nr_inodes=12")] {
        let mut shop = Shop::closed("");
        let home = shop.maildir(0).parent().unwrap().to_owned();
        let mount = format!("mount -t tmpfs -o {size},mode=700 tmpfs '{}'", home.display());
        shop.wrap(&format!(
            "exec unshare --mount sh -ec '{}; exec \"$@\"' sh \"$@\"",
            mount.replace('\'', "'\\''")
        ));
        if !mountable(&home, size) {
            return;
        }
        shop.start();
        // The daemon sees another disk there than we do.
        let root = PathBuf::from(format!("/proc/{}/root", shop.daemon().id()));
        let maildir = root.join(shop.maildir(0).strip_prefix("/").unwrap());
        maildrop::create(&maildir).unwrap();
        for number in 1..=3 {
            put(&maildir, number, &message(number, 5), number == 1);
        }
        let filled = fill(&maildir);
        assert!(filled > 0, "{what}");
        let first = shop.view(0);
        assert_eq!(first.uidls.len(), 3, "{what}");
        assert!(!maildir.join(STATE).exists(), "{what}: there is no room for it");
        let mut talk = shop.logged_in(0);
        let (_, second) = shop.try_login(0, false);
        assert!(second.starts_with("-ERR [IN-USE] "), "{what}: {second}");
        for number in 1..=3 {
            assert_eq!(retrieve(&mut talk, number), wire(&message(number, 5)), "{what}");
        }
        // Removing makes room, so it must work now of all times.
        talk.expect("DELE 2", "+OK");
        talk.expect("QUIT", "+OK");
        assert_eq!(shop.view(0), first.without(1), "{what}");
        assert_eq!(shop.view(0), first.without(1), "{what}");
    }
}

/// Whether this system lets us mount at all.
fn mountable(at: &Path, size: &str) -> bool {
    let script = format!("mount -t tmpfs -o {size} tmpfs '{}'", at.display());
    let tried = Command::new("unshare").args(["--mount", "sh", "-ec", &script]).output();
    match tried {
        Ok(output) if output.status.success() => return true,
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            eprintln!("skipped: no disk can be mounted: {why}");
        }
        Err(error) => eprintln!("skipped: no disk can be mounted: unshare: {error}"),
    }
    false
}

/// Fills the disk to its last octet or file; how many files it took.
fn fill(maildir: &Path) -> usize {
    let home = maildir.parent().unwrap();
    for number in 0..1000 {
        let block = if number == 0 { vec![b'x'; 8 << 20] } else { vec![b'x'; 1] };
        let file = home.join(format!("filler{number}"));
        let full = fs::write(&file, block).is_err();
        if full && number > 0 {
            return number;
        }
    }
    0
}
