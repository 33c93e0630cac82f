//! The state file cannot be written or read: the box is served all the same, with the same ids.

use std::path::{Path, PathBuf};

use crate::fault::{Fault, OPENS, Plan, READS, SYNCS, WRITES, possible};
use crate::kit::{STATE, Shop, View, files, message, put, retrieve, wire};

const RENAMES: &str = "renameat,renameat2";

/// A box whose state holds what no name says: sizes, and the order of arrival.
fn filled(shop: &Shop) -> PathBuf {
    let maildir = shop.maildir(0);
    for number in [4, 2, 5, 1, 3] {
        put(&maildir, number, &message(number, 10 + number), false);
    }
    maildir
}

/// All names of the files in which the daemon may keep what it has learnt.
fn state_files(maildir: &Path) -> Vec<PathBuf> {
    let names = [STATE, "lastpost-state.tmp", "lastpost-uidls", "lastpost-uidls.tmp"];
    names.iter().flat_map(|name| [maildir.join(name), PathBuf::from(name)]).collect()
}

/// A whole session: all ids known before are the same, a message is read and the last one
/// removed.
fn session(shop: &Shop, before: &View, what: &str) {
    let mut talk = shop.logged_in(0);
    let now = View::of(&mut talk);
    let known = before.uidls.len();
    assert_eq!(now.uidls[..known], before.uidls, "{what}");
    assert_eq!(now.sizes[..known], before.sizes, "{what}");
    assert_eq!(now.uidls.len(), known + 1, "{what}: one more was delivered");
    assert_eq!(retrieve(&mut talk, 1), wire(&message(1, 11)), "{what}");
    talk.expect(&format!("DELE {}", known + 1), "+OK");
    talk.expect("QUIT", "+OK");
}

#[test]
fn a_state_that_cannot_be_written_changes_nothing_that_clients_see() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let maildir = filled(&shop);
    let before = shop.view(0);
    let mut hits = 0;
    for (number, (calls, error)) in [
        (OPENS, "EIO"),
        (OPENS, "ENOSPC"),
        (OPENS, "EROFS"),
        (WRITES, "EIO"),
        (WRITES, "ENOSPC"),
        (WRITES, "EDQUOT"),
        (SYNCS, "EIO"),
        (RENAMES, "EIO"),
        (RENAMES, "ENOSPC"),
    ]
    .into_iter()
    .enumerate()
    {
        let what = format!("{calls} {error}");
        put(&maildir, 100 + number, &message(100 + number, 4), false);
        let fault = Fault::inject(&shop, &Plan::all(calls, error, state_files(&maildir)));
        session(&shop, &before, &what);
        hits += usize::from(!fault.lift().is_empty());
        assert_eq!(shop.view(0), before, "{what}");
        assert!(!maildir.join("lastpost-state.tmp").exists(), "{what}");
    }
    // Not each of these calls need be made, but those that open and write are.
    assert!(hits >= 6, "{hits}");
}

#[test]
fn a_state_that_cannot_be_read_changes_nothing_that_clients_see() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let maildir = filled(&shop);
    let before = shop.view(0);
    assert!(maildir.join(STATE).exists());
    for (number, (calls, error)) in
        [(OPENS, "EIO"), (OPENS, "ESTALE"), (OPENS, "EMFILE"), (READS, "EIO"), (READS, "ESTALE")]
            .into_iter()
            .enumerate()
    {
        let what = format!("{calls} {error}");
        put(&maildir, 100 + number, &message(100 + number, 4), false);
        let paths = vec![maildir.join(STATE), STATE.into()];
        let fault = Fault::inject(&shop, &Plan::all(calls, error, paths));
        session(&shop, &before, &what);
        fault.lift_after_hits();
        assert_eq!(shop.view(0), before, "{what}");
    }
    assert_eq!(files(&maildir).len(), before.uidls.len());
}
