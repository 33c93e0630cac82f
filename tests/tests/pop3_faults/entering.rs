//! A login whose box cannot be read or locked: an error that says so, never an empty or shorter
//! box, which would make mail programs forget what they have fetched.

use std::path::{Path, PathBuf};

use crate::fault::{Fault, OPENS, Plan, READS, names, possible};
use crate::kit::{LOCK, Shop, View, files, message, put, retrieve, wire};

const COUNT: usize = 5;

fn filled(shop: &Shop) -> PathBuf {
    let maildir = shop.maildir(0);
    for number in 1..=COUNT {
        put(&maildir, number, &message(number, 20), true);
    }
    maildir
}

/// Something new, so that the directories must be looked at.
fn deliver(maildir: &Path) {
    let number = 100 + files(maildir).len();
    put(maildir, number, &message(number, 3), true);
}

/// The login is refused as a fault of ours that may pass.
fn assert_unavailable(shop: &Shop, what: &str) {
    let (mut talk, reply) = shop.try_login(0, false);
    assert!(reply.starts_with("-ERR [SYS/TEMP] "), "{what}: {reply}");
    talk.expect("STAT", "-ERR ");
    talk.expect("QUIT", "+OK");
}

#[test]
fn a_directory_that_cannot_be_read_is_no_empty_box() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let maildir = filled(&shop);
    let mut before = shop.view(0);
    for error in ["EIO", "ESTALE", "EACCES"] {
        for place in ["new", "cur"] {
            for calls in ["getdents64", OPENS] {
                let what = format!("{error} {place} {calls}");
                deliver(&maildir);
                let paths = vec![maildir.join(place), place.into()];
                let fault = Fault::inject(&shop, &Plan::all(calls, error, paths));
                assert_unavailable(&shop, &what);
                // The neighbour has directories of his own.
                let (_, reply) = shop.try_login(2, false);
                let own = calls == "getdents64" || reply.starts_with("-ERR [SYS/TEMP]");
                assert!(own || reply.starts_with("+OK"), "{what}: {reply}");
                fault.lift_after_hits();
                let now = shop.view(0);
                assert_eq!(now.uidls[..before.uidls.len()], before.uidls, "{what}");
                assert_eq!(now.uidls.len(), before.uidls.len() + 1, "{what}");
                before = now;
            }
        }
    }
}

/// The same where there is nothing in it: that nobody can know.
#[test]
fn an_empty_directory_that_cannot_be_read_is_no_empty_box() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let maildir = shop.maildir(0);
    for place in ["new", "cur"] {
        let name = put(&maildir, 1, b"x\n", true);
        std::fs::remove_file(maildir.join("new").join(name)).unwrap();
        let fault =
            Fault::inject(&shop, &Plan::all("getdents64", "EIO", vec![maildir.join(place)]));
        assert_unavailable(&shop, place);
        fault.lift_after_hits();
        assert_eq!(shop.view(0).uidls.len(), 0);
    }
}

/// Once only, as when another machine renames in the middle: the whole box or none of it.
#[test]
fn a_directory_that_is_stale_once_is_read_whole_or_not_at_all() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let maildir = filled(&shop);
    for place in ["new", "cur"] {
        for calls in ["getdents64", OPENS, "newfstatat,statx,fstat"] {
            deliver(&maildir);
            let count = files(&maildir).len();
            let paths = vec![maildir.join(place), place.into()];
            let fault = Fault::inject(&shop, &Plan::once(calls, "ESTALE", paths));
            let (_, reply) = shop.try_login(0, false);
            fault.lift_after_hits();
            let whole = reply.starts_with(&format!("+OK {count} "));
            assert!(whole || reply.starts_with("-ERR [SYS/TEMP] "), "{place} {calls}: {reply}");
            assert_eq!(shop.view(0).uidls.len(), count, "{place} {calls}");
        }
    }
}

#[test]
fn a_maildir_that_cannot_be_opened_is_no_empty_box() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let maildir = filled(&shop);
    let before = shop.view(0);
    for error in ["EIO", "EMFILE", "EACCES", "ESTALE", "ENOTCONN"] {
        let fault = Fault::inject(&shop, &Plan::all(OPENS, error, vec![maildir.clone()]));
        assert_unavailable(&shop, error);
        fault.lift_after_hits();
        assert_eq!(shop.view(0), before, "{error}");
    }
}

/// A file whose size must be counted and cannot be: it is listed, with the id that it keeps.
#[test]
fn a_size_that_cannot_be_counted_hides_no_message() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let maildir = filled(&shop);
    let before = shop.view(0);
    let name = put(&maildir, 50, &message(50, 30), false);
    let fault = Fault::inject(&shop, &Plan::all(READS, "EIO", names(&maildir, "new", &name)));
    let mut talk = shop.logged_in(0);
    let during = View::of(&mut talk);
    assert_eq!(during.uidls.len(), COUNT + 1);
    assert_eq!(during.uidls[..COUNT], before.uidls);
    talk.expect("RETR 6", "-ERR [SYS/TEMP] ");
    assert_eq!(retrieve(&mut talk, 1), wire(&message(1, 20)));
    talk.expect("QUIT", "+OK");
    fault.lift_after_hits();
    let after = shop.view(0);
    assert_eq!(after.uidls, during.uidls);
    assert_eq!(after.sizes[COUNT], wire(&message(50, 30)).len() as u64);
}

/// Without any lock nobody gets in; with one of the two, one session does and no second.
#[test]
fn a_lock_that_cannot_be_had_lets_nobody_in() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let maildir = filled(&shop);
    let before = shop.view(0);
    let (directory, file) = (maildir.clone(), maildir.join(LOCK));
    for error in ["ENOLCK", "EIO"] {
        let paths = vec![directory.clone(), file.clone()];
        let fault = Fault::inject(&shop, &Plan::all("flock,fcntl", error, paths));
        assert_unavailable(&shop, error);
        fault.lift_after_hits();
        assert_eq!(shop.view(0), before, "{error}");

        // Some network file systems lock no directories.
        let fault = Fault::inject(&shop, &Plan::all("flock,fcntl", error, vec![directory.clone()]));
        let mut first = shop.logged_in(0);
        let (_, second) = shop.try_login(0, false);
        assert!(second.starts_with("-ERR [IN-USE] "), "{error}: {second}");
        fault.lift_after_hits();
        assert_eq!(View::of(&mut first), before, "{error}");
        first.expect("QUIT", "+OK");
    }
    // No lock file can be made: the directory's lock holds alone.
    for error in ["EROFS", "ENOSPC", "EACCES"] {
        std::fs::remove_file(&file).unwrap();
        let fault = Fault::inject(&shop, &Plan::all(OPENS, error, vec![LOCK.into(), file.clone()]));
        let (mut first, reply) = shop.try_login(0, false);
        if reply.starts_with("+OK") {
            let (_, second) = shop.try_login(0, false);
            assert!(second.starts_with("-ERR [IN-USE] "), "{error}: {second}");
            assert_eq!(View::of(&mut first), before, "{error}");
        } else {
            assert!(reply.starts_with("-ERR [SYS/TEMP] "), "{error}: {reply}");
        }
        fault.lift_after_hits();
        first.expect("QUIT", "+OK");
        assert_eq!(shop.view(0), before, "{error}");
    }
}
