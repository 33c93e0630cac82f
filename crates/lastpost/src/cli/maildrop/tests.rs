//! Which maildrops are found, and how many are gone over at a time.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::crowd::{go_over, patiently};
use super::places::Places;
use crate::cli::CommonArgs;

fn common() -> CommonArgs {
    CommonArgs { config: "/nowhere.toml".into(), json: false }
}

fn maildir(path: &Path) {
    for name in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(path.join(name)).unwrap();
    }
}

#[test]
fn a_tree_has_maildirs_and_not_their_folders() {
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    maildir(&tree.join("b.example/aiko/Maildir"));
    maildir(&tree.join("b.example/aiko/Maildir/.Sent"));
    maildir(&tree.join("a.example/bert"));
    std::fs::create_dir_all(tree.join("c.example/nobody")).unwrap();
    std::fs::write(tree.join("file"), "x").unwrap();
    maildir(&directory.path().join("elsewhere"));
    std::os::unix::fs::symlink(directory.path().join("elsewhere"), tree.join("link")).unwrap();
    let places = Places { tree: Some(tree.clone()), ..Places::default() };
    let found = places.find(&common()).unwrap_or_else(|error| panic!("{error:?}"));
    let paths: Vec<_> = found.iter().map(|place| place.path.clone()).collect();
    assert_eq!(paths, [tree.join("a.example/bert"), tree.join("b.example/aiko/Maildir")]);
    assert!(found.iter().all(|place| place.login.is_none()));
}

#[test]
fn what_cannot_be_looked_through_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let missing = Places { tree: Some(directory.path().join("x")), ..Places::default() };
    assert!(missing.find(&common()).is_err());
    let deep: std::path::PathBuf = (0..20).map(|_| "d").collect();
    std::fs::create_dir_all(directory.path().join(deep)).unwrap();
    let deep = Places { tree: Some(directory.path().to_owned()), ..Places::default() };
    assert!(deep.find(&common()).is_err());
    let account = Places { login: Some("a".into()), ..Places::default() };
    assert!(account.find(&common()).is_err(), "accounts need a configuration");
}

#[test]
fn results_come_in_order_and_tasks_are_few_at_a_time() {
    let running = AtomicUsize::new(0);
    let most = AtomicUsize::new(0);
    let items: Vec<usize> = (0..200).collect();
    let results = go_over(&items, |&item| {
        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::yield_now();
        running.fetch_sub(1, Ordering::SeqCst);
        item * 2
    });
    assert!(results.iter().enumerate().all(|(at, &result)| result == at * 2));
    assert_eq!(results.len(), 200);
    assert!((1..=4).contains(&most.into_inner()));
    assert!(go_over(&[] as &[u8], |_| ()).is_empty());
}

#[test]
fn only_a_maildrop_in_use_is_tried_again() {
    let tries = AtomicUsize::new(0);
    let act = || match tries.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Err("in use"),
        2 => Err("broken"),
        _ => Ok(()),
    };
    assert_eq!(patiently(act, |error| *error == "in use"), Err("broken"));
    assert_eq!(tries.into_inner(), 3);
}
