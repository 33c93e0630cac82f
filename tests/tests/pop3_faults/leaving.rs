//! A QUIT whose removals fail: the client reads that they did, and what is left is whole.

use std::path::PathBuf;

use crate::fault::{Fault, OPENS, Plan, SYNCS, WRITES, names, possible};
use crate::kit::{STATE, Shop, View, files, message, put, retrieve, wire};

/// However a removal may be asked for.
const REMOVALS: &str = "unlink,unlinkat";

fn three_messages(shop: &Shop) -> (PathBuf, Vec<String>) {
    let maildir = shop.maildir(0);
    let names = (1..=3).map(|number| put(&maildir, number, &message(number, 20), true));
    let names = names.collect();
    (maildir, names)
}

/// All ways in which a removal may name one of the messages, or its directory.
fn anywhere(maildir: &std::path::Path, messages: &[String]) -> Vec<PathBuf> {
    let mut paths = vec![maildir.join("new"), maildir.join("cur")];
    paths.extend(messages.iter().flat_map(|name| names(maildir, "new", name)));
    paths
}

#[test]
fn what_cannot_be_removed_is_admitted_and_still_there() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let (maildir, messages) = three_messages(&shop);
    let before = shop.view(0);
    for error in ["EIO", "EROFS", "ENOSPC", "EACCES", "EDQUOT"] {
        let mut talk = shop.logged_in(0);
        talk.expect("DELE 1", "+OK");
        talk.expect("DELE 3", "+OK");
        let fault =
            Fault::inject(&shop, &Plan::all(REMOVALS, error, anywhere(&maildir, &messages)));
        let reply = talk.ask("QUIT");
        assert!(reply.starts_with("-ERR "), "{error}: {reply}");
        assert!(talk.is_closed());
        assert!(fault.lift_after_hits() >= 2, "{error}");
        assert_eq!(files(&maildir), messages.iter().cloned().collect(), "{error}");
        // Ids, order, sizes and octets as before, and nothing is marked as deleted.
        assert_eq!(shop.view(0), before, "{error}");
        let mut talk = shop.logged_in(0);
        for number in 1..=3 {
            assert_eq!(retrieve(&mut talk, number), wire(&message(number, 20)), "{error}");
        }
        talk.expect("QUIT", "+OK");
    }
    let mut talk = shop.logged_in(0);
    talk.expect("DELE 1", "+OK");
    talk.expect("QUIT", "+OK");
    // Nor does any of it come back.
    assert_eq!(shop.view(0), before.without(0));
}

/// One that cannot go does not keep the others.
#[test]
fn one_failure_keeps_one_message() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let (maildir, messages) = three_messages(&shop);
    let before = shop.view(0);
    let mut talk = shop.logged_in(0);
    for number in 1..=3 {
        talk.expect(&format!("DELE {number}"), "+OK");
    }
    let second = names(&maildir, "new", &messages[1]);
    let fault = Fault::inject(&shop, &Plan::all(REMOVALS, "EIO", second));
    talk.expect("QUIT", "-ERR ");
    fault.lift_after_hits();
    assert_eq!(files(&maildir), [messages[1].clone()].into());
    assert_eq!(shop.view(0), before.without(2).without(0));
}

/// The directory of the box cannot even be opened: nothing goes.
#[test]
fn a_directory_that_cannot_be_opened_keeps_everything() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let (maildir, messages) = three_messages(&shop);
    let before = shop.view(0);
    let mut talk = shop.logged_in(0);
    talk.expect("DELE 2", "+OK");
    let paths = ["new", "cur"].iter().flat_map(|place| [maildir.join(place), place.into()]);
    let fault = Fault::inject(&shop, &Plan::all(OPENS, "EIO", paths.collect()));
    let reply = talk.ask("QUIT");
    let hits = fault.lift().len();
    // A daemon that needs no second look at the directory is right to remove the message.
    if hits > 0 {
        assert!(reply.starts_with("-ERR "), "{reply}");
        assert_eq!(files(&maildir), messages.into_iter().collect());
        assert_eq!(shop.view(0), before);
    } else {
        assert!(reply.starts_with("+OK"), "{reply}");
        assert_eq!(shop.view(0), before.without(1));
    }
}

/// Gone, but maybe not for ever: a power cut could bring it back, so the client must not be
/// told that all is done.
#[test]
fn a_removal_that_is_not_on_disk_for_certain_is_no_success() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let (maildir, messages) = three_messages(&shop);
    let before = shop.view(0);
    let mut talk = shop.logged_in(0);
    talk.expect("DELE 2", "+OK");
    let directory = vec![maildir.join("new")];
    let fault = Fault::inject(&shop, &Plan::all(SYNCS, "EIO", directory));
    talk.expect("QUIT", "-ERR ");
    fault.lift_after_hits();
    // Either it is listed, or it is gone; the others are as they were.
    let after = shop.view(0);
    if files(&maildir).contains(&messages[1]) {
        assert_eq!(after, before);
    } else {
        assert_eq!(after, before.without(1));
    }
}

/// What the daemon wants to remember of a session is a convenience; the removal is not.
#[test]
fn a_memory_that_cannot_be_kept_spoils_no_quit() {
    if !possible() {
        return;
    }
    let shop = Shop::open("");
    let (maildir, _) = three_messages(&shop);
    let mut before = shop.view(0);
    for (calls, error) in [(OPENS, "EROFS"), (OPENS, "EIO"), (WRITES, "ENOSPC"), (WRITES, "EIO")] {
        let number = before.uidls.len();
        put(&maildir, 100 + number, &message(100 + number, 5), false);
        let mut talk = shop.logged_in(0);
        let now = View::of(&mut talk);
        assert_eq!(now.uidls[..number], before.uidls, "{calls} {error}");
        assert_eq!(retrieve(&mut talk, 2), wire(&message(2, 20)));
        talk.expect(&format!("DELE {}", number + 1), "+OK");
        let state = format!("{STATE}.tmp");
        let fault = Fault::inject(
            &shop,
            &Plan::all(calls, error, vec![maildir.join(&state), state.into(), STATE.into()]),
        );
        let reply = talk.ask("QUIT");
        let hits = fault.lift();
        assert!(reply.starts_with("+OK"), "{calls} {error}: {reply} after {hits:?}");
        let after = shop.view(0);
        assert_eq!(after, before, "{calls} {error}");
        before = after;
    }
}
