//! Edits: what changes, what does not, and what happens when two want it at once.

use super::*;
use crate::testing::{AtOnce, TableFile, key, plain};
use crate::{Directory, Quota, RetentionDays, Spread};

const TABLE: &str = "# Accounts of the old server\r\n\
    \r\n\
    ann:{PLAIN}old:5000:5000:Ann, of the mill:/home/ann:/bin/false:maildir=/m/ann addresses=ann@example.net,a@example.net\r\n\
    # bob moved\n\
    Bob@Example.net:!{PLAIN}old::::/home/bob\n\
    carl:*::::/home/carl::nologin userdb_quota=1G";

fn editor(file: &TableFile) -> PasswdEditor {
    PasswdEditor::open(&file.config).unwrap()
}

fn new_account(login: &str) -> NewAccount {
    NewAccount {
        key: key(login),
        hash: plain("secret"),
        addresses: Vec::new(),
        send_as: Vec::new(),
        home: Some(PathBuf::from("/home/new")),
        maildir: None,
        disabled: false,
        must_change: false,
        cohort: None,
        policy: AccountPolicy::default(),
    }
}

/// The table after one edit.
fn after(edit: impl FnOnce(&mut PasswdEditor)) -> String {
    let file = TableFile::new(TABLE);
    let mut editor = editor(&file);
    edit(&mut editor);
    editor.save().unwrap();
    assert!(file.config.passwd_file.is_file());
    file.text()
}

#[test]
fn a_bare_name_lies_where_we_are() {
    assert_eq!(directory_of(Path::new("passwd")), Path::new("."));
    assert_eq!(directory_of(Path::new("/etc/lastpost/passwd")), Path::new("/etc/lastpost"));
}

#[test]
fn saving_without_an_edit_changes_nothing() {
    assert_eq!(after(|_| {}), TABLE);
}

#[test]
fn a_new_account_goes_to_the_end_and_reads_back() {
    let mut account = new_account("dora@example.net");
    account.addresses = vec![
        Mailbox::parse("dora@example.net").unwrap(),
        Mailbox::parse("team@example.net").unwrap(),
    ];
    account.maildir = Some(PathBuf::from("/m/dora"));
    account.disabled = true;
    let text = after(|editor| editor.add(&account).unwrap());
    assert_eq!(
        text.strip_prefix(TABLE),
        Some(
            "\ndora@example.net:{PLAIN}secret::::/home/new::\
             addresses=dora@example.net,team@example.net maildir=/m/dora disabled=yes\n"
        )
    );
    let file = TableFile::new(&text);
    let dora = file.load().get(&key("dora@example.net")).unwrap();
    assert_eq!(dora.addresses(), account.addresses);
    assert_eq!(dora.maildir(), Path::new("/m/dora"));
    assert!(dora.is_disabled() && dora.hash().unwrap().verify(b"secret"));
}

#[test]
fn another_password_changes_one_field_of_one_line() {
    let text = after(|e| e.set_password(&key("ann@example.net"), &plain("new")).unwrap());
    assert_eq!(text, TABLE.replacen("{PLAIN}old:5000", "{PLAIN}new:5000", 1));
    let text = after(|e| e.set_password(&key("bob@example.net"), &plain("new")).unwrap());
    assert_eq!(text, TABLE.replacen("!{PLAIN}old::", "!{PLAIN}new::", 1), "it stays locked");
    let text = after(|e| e.set_password(&key("carl@example.net"), &plain("new")).unwrap());
    assert_eq!(text, TABLE.replacen("carl:*:", "carl:!{PLAIN}new:", 1));
}

#[test]
fn disabling_and_enabling_again_changes_one_line() {
    let ann = key("ann@example.net");
    let disabled = after(|e| e.set_disabled(&ann, true).unwrap());
    let list = "addresses=ann@example.net,a@example.net";
    assert_eq!(disabled, TABLE.replacen(list, &format!("{list} disabled=yes"), 1));
    let both = after(|e| {
        e.set_disabled(&ann, true).unwrap();
        e.set_disabled(&ann, true).unwrap();
        e.set_disabled(&ann, false).unwrap();
    });
    assert_eq!(both, TABLE);
    let bob = key("bob@example.net");
    let text = after(|e| e.set_disabled(&bob, true).unwrap());
    assert_eq!(text, TABLE.replacen("/home/bob", "/home/bob::disabled=yes", 1));
    let text = after(|e| e.set_disabled(&bob, false).unwrap());
    assert_eq!(text, TABLE.replacen("!{PLAIN}old", "{PLAIN}old", 1), "the lock is taken off");
}

#[test]
fn an_account_without_a_password_cannot_be_enabled_until_it_has_one() {
    let carl = key("carl@example.net");
    let text = after(|e| {
        assert!(matches!(e.set_disabled(&carl, false), Err(EditError::NoPassword { .. })));
        e.set_password(&carl, &plain("new")).unwrap();
        e.set_disabled(&carl, false).unwrap();
    });
    let line = "carl:{PLAIN}new::::/home/carl::userdb_quota=1G";
    assert!(text.ends_with(line), "{text}");
}

#[test]
fn edits_that_make_no_sense_are_refused() {
    let file = TableFile::new(TABLE);
    let mut editor = editor(&file);
    let exists = editor.add(&new_account("bob@example.net")).unwrap_err();
    assert!(exists.to_string().ends_with("passwd:5: there is an account bob@example.net already"));
    for result in [
        editor.set_password(&key("zoe@example.net"), &plain("x")),
        editor.set_disabled(&key("zoe@example.net"), true),
    ] {
        assert!(matches!(result, Err(EditError::Unknown { .. })));
    }
    let with = |change: &dyn Fn(&mut NewAccount)| {
        let mut account = new_account("eve@example.net");
        change(&mut account);
        account
    };
    let inexpressible = [
        with(&|a| a.home = Some(PathBuf::from("/home/a:b"))),
        with(&|a| a.home = Some(PathBuf::from("/home/a\nroot:{PLAIN}x::::/h"))),
        with(&|a| a.maildir = Some(PathBuf::from("/m/a b"))),
        with(&|a| a.addresses = vec![Mailbox::parse("\"a b\"@example.net").unwrap()]),
    ];
    for account in &inexpressible {
        let refused = editor.add(account);
        assert!(matches!(refused, Err(EditError::Inexpressible { .. })), "{refused:?}");
    }
    let homeless = editor.add(&with(&|a| a.home = None)).unwrap_err().to_string();
    assert!(homeless.contains("no home"), "{homeless}");
    let relative = editor.add(&with(&|a| a.maildir = Some(PathBuf::from("m")))).unwrap_err();
    assert!(relative.to_string().contains("passwd:7:"), "{relative}");
    editor.save().unwrap();
    assert_eq!(file.text(), TABLE, "a refused edit leaves no trace");
}

#[test]
fn a_password_that_would_break_the_line_is_refused() {
    let file = TableFile::new(TABLE);
    let mut editor = editor(&file);
    // Only {PLAIN} can hold a colon; read back it would be another password.
    let colon = StoredHash::parse("{PLAIN}a:b").unwrap();
    assert!(editor.set_password(&key("ann@example.net"), &colon).is_err());
    let line = StoredHash::parse("{PLAIN}a\nroot:{PLAIN}x::::/h").unwrap();
    assert!(editor.set_password(&key("ann@example.net"), &line).is_err());
    editor.save().unwrap();
    assert_eq!(file.text(), TABLE);
}

#[test]
fn a_table_that_is_wrong_is_not_edited() {
    let file = TableFile::new("ann:{PLAIN}x::::/h\nbroken\n");
    let error = PasswdEditor::open(&file.config).unwrap_err().to_string();
    assert!(error.contains("passwd:2:7: expected a colon"), "{error}");
}

#[test]
fn the_first_account_makes_the_file_private() {
    let file = TableFile::new("");
    std::fs::remove_file(&file.config.passwd_file).unwrap();
    let mut editor = editor(&file);
    editor.add(&new_account("ann@example.net")).unwrap();
    assert_eq!(editor.accounts().unwrap().len(), 1);
    editor.save().unwrap();
    let mode = std::fs::metadata(&file.config.passwd_file).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(file.load().len(), 1);
}

#[test]
fn mode_owner_and_symbolic_link_stay() {
    let file = TableFile::new(TABLE);
    let path = &file.config.passwd_file;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)).unwrap();
    // Only root may give files away.
    let owned = std::os::unix::fs::chown(path, Some(12_345), Some(54_321)).is_ok();
    let link = path.with_file_name("link");
    std::os::unix::fs::symlink(path, &link).unwrap();
    let config = AccountsConfig { passwd_file: link.clone(), ..file.config.clone() };
    let mut editor = PasswdEditor::open(&config).unwrap();
    editor.set_disabled(&key("ann@example.net"), true).unwrap();
    editor.save().unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    let metadata = std::fs::metadata(path).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o640);
    if owned {
        assert_eq!((metadata.uid(), metadata.gid()), (12_345, 54_321));
    }
    assert!(file.text().contains("disabled=yes"));
}

#[test]
fn what_a_killed_writer_left_is_cleared_away() {
    let file = TableFile::new(TABLE);
    let new = beside(&file.config.passwd_file, "new");
    std::fs::write(&new, "half a tab").unwrap();
    assert_eq!(file.load().len(), 3, "nobody reads it");
    let mut editor = editor(&file);
    editor.set_disabled(&key("ann@example.net"), true).unwrap();
    editor.save().unwrap();
    assert!(!new.exists());
    assert_eq!(file.load().len(), 3);
}

#[test]
fn a_change_without_the_lock_is_noticed_and_not_overwritten() {
    let file = TableFile::new(TABLE);
    let mut editor = editor(&file);
    editor.set_disabled(&key("ann@example.net"), true).unwrap();
    file.replace("zoe:{PLAIN}x::::/h\n");
    assert!(matches!(editor.save(), Err(EditError::Changed { .. })));
    assert_eq!(file.text(), "zoe:{PLAIN}x::::/h\n");
    assert!(!beside(&file.config.passwd_file, "new").exists());
}

#[test]
fn a_second_writer_waits_and_then_gives_up() {
    let file = TableFile::new(TABLE);
    let first = editor(&file);
    let refused = lock(&file.config.passwd_file, Duration::from_millis(60));
    assert!(matches!(refused, Err(EditError::InUse { .. })));
    drop(first);
    lock(&file.config.passwd_file, Duration::ZERO).unwrap();
}

#[test]
fn concurrent_writers_lose_nothing_and_readers_see_whole_tables() {
    let file = TableFile::new("");
    let directory = file.load();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let config = file.config.clone();
            scope.spawn(move || {
                for n in 0..10 {
                    let mut editor = PasswdEditor::open(&config).unwrap();
                    editor.add(&new_account(&format!("u{writer}-{n}@example.net"))).unwrap();
                    editor.save().unwrap();
                }
            });
        }
        let directory: &Directory = &directory;
        scope.spawn(move || {
            let mut last = 0;
            while last < 40 {
                directory.reread().unwrap();
                let now = directory.len();
                assert!(now >= last, "{now} after {last}");
                last = now;
            }
        });
    });
    assert_eq!(file.load().len(), 40);
}

#[test]
fn what_others_let_it_send_as_is_written_and_read_again() {
    let table = TableFile::new("");
    let mut editor = PasswdEditor::open(&table.config).unwrap();
    let given = ["boss@example.net", "@club.example.net"].map(|d| Delegation::parse(d).unwrap());
    editor.add(&NewAccount { send_as: given.to_vec(), ..new_account("new@example.net") }).unwrap();
    let odd = vec![Delegation::parse("\"a b\"@example.net").unwrap()];
    let refused = editor.add(&NewAccount { send_as: odd, ..new_account("odd@example.net") });
    assert!(matches!(refused, Err(EditError::Inexpressible { what: "send_as=", .. })));
    editor.save().unwrap();
    let directory = crate::Directory::load(&table.config).unwrap();
    let account = directory.get(&key("new@example.net")).unwrap();
    assert_eq!(account.delegations(), given);
}

#[test]
fn what_is_agreed_with_a_customer_is_written_and_stays() {
    let table = TableFile::new("old:{PLAIN}x::::/h::quota=2G login_delay=60s userdb_x=1\n");
    let mut editor = PasswdEditor::open(&table.config).unwrap();
    let policy = AccountPolicy {
        login_delay: Some(Duration::from_secs(90)),
        sessions_max: Some(4),
        expire_after_retrieval: Some(RetentionDays::Days(30)),
        expire_after_arrival: Some(RetentionDays::Never),
        quota: Some(Quota { octets: Some(1 << 30), messages: Some(10_000) }),
        limits: None,
    };
    let (old, fresh) = (key("old@example.net"), key("new@example.net"));
    editor.add(&NewAccount { policy: policy.clone(), ..new_account("new@example.net") }).unwrap();
    for key in [&old, &fresh] {
        editor.set_disabled(key, true).unwrap();
        editor.set_password(key, &plain("y")).unwrap();
        editor.set_disabled(key, false).unwrap();
    }
    editor.save().unwrap();
    let text = table.text();
    assert!(text.contains("quota=2G login_delay=60s userdb_x=1\n"), "{text}");
    assert!(
        text.contains(
            "login_delay=90s sessions=4 expire_retrieved=30d expire_arrived=never quota=1G,10000"
        ),
        "{text}"
    );
    let directory = table.load();
    assert_eq!(directory.get(&fresh).unwrap().policy(), &policy);
    let kept = directory.get(&old).unwrap();
    assert_eq!(kept.policy().quota, Some(Quota { octets: Some(2 << 30), messages: None }));
    assert_eq!(kept.policy().sessions_max, None);
    let spread = directory.policies();
    let delays = spread.login_delay.map(|s| (s.least.as_secs(), s.most.as_secs()));
    assert_eq!(delays, Some((60, 90)));
    assert_eq!(spread.expire_after_arrival, Some(Spread { least: u32::MAX, most: u32::MAX }));
}
