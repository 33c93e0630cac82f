//! What the editor changes, and what it refuses to.

use super::super::*;
use super::{bench, cheap, key, row};
use auth::{AccountPolicy, NewAccount, Quota};

fn new(login: &str) -> NewAccount {
    NewAccount {
        key: key(login),
        hash: cheap("x"),
        addresses: Vec::new(),
        send_as: Vec::new(),
        home: Some(PathBuf::from("/home/x")),
        maildir: None,
        disabled: false,
        must_change: false,
        cohort: None,
        policy: AccountPolicy::default(),
    }
}

#[test]
fn an_account_is_added_changed_and_removed() {
    let bench = bench();
    let mut editor = bench.editor();
    let mut account = new("ann");
    account.policy.quota = Some(Quota::parse("1G,100").unwrap());
    editor.add(&account).unwrap();
    let ann = |editor: &SqliteEditor| editor.find(&key("ann")).unwrap().unwrap();
    assert_eq!(ann(&editor).policy().words(), ["quota=1G,100"]);
    assert_eq!(ann(&editor).addresses()[0].to_string(), "ann@example.net");
    let error = editor.add(&account).unwrap_err().to_string();
    assert!(error.ends_with("there is an account ann@example.net already"), "{error}");

    editor.set_must_change(&key("ann"), true).unwrap();
    editor.set_disabled(&key("ann"), true).unwrap();
    assert!(ann(&editor).must_change() && ann(&editor).is_disabled());
    editor.set_password(&key("ann"), &cheap("new")).unwrap();
    assert!(!ann(&editor).must_change() && ann(&editor).is_disabled());
    assert!(ann(&editor).hash().unwrap().verify(b"new"));
    editor.set_disabled(&key("ann"), false).unwrap();
    assert!(!ann(&editor).is_disabled());

    editor.set(&key("ann"), "addresses", Some("a@example.net, b@example.net")).unwrap();
    editor.set(&key("ann"), "cohort", Some("wave-2")).unwrap();
    editor.set(&key("ann"), "quota", None).unwrap();
    let changed = ann(&editor);
    assert_eq!((changed.addresses().len(), changed.cohort()), (2, Some("wave-2")));
    assert!(changed.policy().is_default());

    editor.delete(&key("ann")).unwrap();
    assert!(editor.find(&key("ann")).unwrap().is_none());
    for error in [
        editor.delete(&key("ann")).unwrap_err(),
        editor.set_password(&key("ann"), &cheap("x")).unwrap_err(),
        editor.set_disabled(&key("ann"), true).unwrap_err(),
        editor.set(&key("ann"), "quota", None).unwrap_err(),
    ] {
        assert!(matches!(error, SqliteEditError::Unknown { .. }), "{error}");
    }
}

#[test]
fn what_no_account_can_have_is_refused_and_changes_nothing() {
    let bench = bench();
    let mut editor = bench.editor();
    editor.add(&new("ann")).unwrap();
    for (column, value, says) in [
        ("quota", "lots", "quota: "),
        ("addresses", "nowhere", "no @domain"),
        ("maildir", "../x", "absolute"),
        ("quotta", "1G", "did you mean quota?"),
        ("login", "ben", "no column"),
        ("home", "", "maildir"),
    ] {
        let error = editor.set(&key("ann"), column, Some(value)).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let ann = editor.find(&key("ann")).unwrap().unwrap();
    assert!(ann.policy().is_default() && ann.addresses().len() == 1);
}

#[test]
fn locks_before_hashes_become_disabled_accounts() {
    let bench = bench();
    bench.import(vec![
        row("locked", &[("password", "!{PLAIN}x")]),
        row("none", &[("password", "*")]),
        row("open", &[("password", "{plain}x")]),
    ]);
    let mut editor = bench.editor();
    let disabled = |editor: &SqliteEditor, login: &str| {
        editor.find(&key(login)).unwrap().unwrap().is_disabled()
    };
    assert!(disabled(&editor, "locked") && disabled(&editor, "none"));
    assert!(!disabled(&editor, "open"));
    editor.set_disabled(&key("locked"), false).unwrap();
    assert!(editor.find(&key("locked")).unwrap().unwrap().hash().unwrap().verify(b"x"));
    let error = editor.set_disabled(&key("none"), false).unwrap_err();
    assert!(matches!(error, SqliteEditError::NoPassword { .. }), "{error}");
    editor.set_password(&key("none"), &cheap("y")).unwrap();
    assert!(!disabled(&editor, "none"), "a password is all that it lacked");
}

#[test]
fn an_import_is_whole_or_not_at_all() {
    let bench = bench();
    let mut editor = bench.editor();
    let rows = |wrong: &str| vec![row("a", &[]), row("b", &[("quota", wrong)]), row("c", &[])];
    let error = editor.import(rows("lots"), Existing::Refuse, &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("record 2: login \"b\", quota: "), "{error}");
    assert!(editor.page(None, 10).unwrap().is_empty());

    let mut told = Vec::new();
    let imported = editor.import(rows("1G"), Existing::Refuse, &mut |n| told.push(n)).unwrap();
    assert_eq!((imported.added, told.as_slice()), (3, &[3][..]));
    let error = editor.import(rows("2G"), Existing::Refuse, &mut |_| {}).unwrap_err();
    assert!(matches!(error, SqliteEditError::Exists { .. }), "{error}");
    let more = || rows("2G").into_iter().chain([row("d", &[])]);
    let kept = editor.import(more(), Existing::Keep, &mut |_| {}).unwrap();
    assert_eq!(kept, Imported { added: 1, replaced: 0, kept: 3 });
    let quota =
        |editor: &SqliteEditor| editor.find(&key("b")).unwrap().unwrap().policy().words().concat();
    assert_eq!(quota(&editor), "quota=1G");
    let replaced = editor.import(more(), Existing::Replace, &mut |_| {}).unwrap();
    assert_eq!(replaced, Imported { added: 0, replaced: 4, kept: 0 });
    assert_eq!(quota(&editor), "quota=2G");
    // Twice in one import is an account that exists.
    let twice = vec![row("e", &[]), row("E", &[])];
    editor.import(twice, Existing::Refuse, &mut |_| {}).unwrap_err();
    assert!(editor.find(&key("e")).unwrap().is_none());
}
