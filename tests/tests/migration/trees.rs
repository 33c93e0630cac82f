//! Many maildrops at once, and whose they are.

use std::fs;
use std::path::Path;

use lastpost_tests::{House, Plan};

use crate::kit::{LOGIN, expect, json, letter, message};

fn maildir(path: &Path, number: usize) {
    maildrop::create(path).unwrap();
    let name = format!("173240{number:04}.a.mx");
    message(path, &format!("new/{name}"), &letter(1));
    let list = format!("3 V{} N2\n1 :{name}\n", number + 1);
    fs::write(path.join("dovecot-uidlist"), list).unwrap();
}

#[test]
fn a_tree_of_maildirs_needs_no_configuration() {
    let house = House::start(Plan::default());
    let tree = house.path("tree");
    for number in 0..120 {
        maildir(&tree.join(format!("d{}.example/u{number}/Maildir", number % 7)), number);
    }
    fs::remove_file(tree.join("d3.example/u3/Maildir/dovecot-uidlist")).unwrap();
    let tree_text = tree.to_str().unwrap();
    let arguments =
        ["--config", "/nowhere.toml", "import-uidl", "--from", "dovecot", "--tree", tree_text];
    let told = json(&house, &arguments, 1);
    assert_eq!((&told["adopted"], &told["failures"]), (&119.into(), &1.into()));
    let lines = told["maildrops"].as_array().unwrap();
    assert_eq!(lines.len(), 120);
    // For people, only what needs their attention is listed among so many.
    let (out, _) = expect(&house, &arguments, 1);
    assert!(out.contains("d3.example/u3/Maildir/dovecot-uidlist: there is no such file"), "{out}");
    assert!(out.contains("119 had their id already") && !out.contains("u4/"), "{out}");
    let summary = maildrop::summary(&tree.join("d4.example/u4/Maildir")).unwrap();
    assert_eq!(summary.messages[0].uidl, "0000000100000005");
}

#[test]
fn root_leaves_other_users_maildirs_alone() {
    let house = House::start(Plan::default());
    let path = house.path("other/Maildir");
    maildir(&path, 1);
    if std::os::unix::fs::chown(&path, Some(65534), Some(65534)).is_err() {
        eprintln!("skipped: only root can give a directory away");
        return;
    }
    let path_text = path.to_str().unwrap();
    let arguments = ["import-uidl", "--from", "dovecot", "--path", path_text];
    let dry = [&arguments[..], &["--dry-run"]].concat();
    let repair = ["repair", "--path", path_text];
    for arguments in [&arguments[..], &dry, &repair] {
        let (out, _) = expect(&house, arguments, 1);
        assert!(out.contains("run this as the daemon's user"), "{out}");
    }
    for name in ["lastpost-state", "lastpost.lock", "lastpost-uidls"] {
        assert!(!path.join(name).exists(), "{name}");
    }
}

#[test]
fn accounts_that_never_had_mail_are_no_failure() {
    let house = House::start(Plan::default());
    for customer in [LOGIN, "bert@open.example"] {
        fs::remove_dir_all(house.maildir(customer)).unwrap();
    }
    maildir(&house.maildir("clara@closed.example"), 8);
    let told = json(&house, &["import-uidl", "--from", "dovecot", "--all"], 0);
    assert_eq!((&told["adopted"], &told["failures"]), (&1.into(), &0.into()), "{told}");
}
