//! What the command finds, shows and removes.

use std::path::Path;

use maildrop::Maildrop;

use super::*;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 24 * 60 * 60;

/// `ann` and `bob` with a message of 40 days and one of today, `off`, who is disabled, with an
/// old one, and `keep`, who keeps all.
fn house() -> (tempfile::TempDir, Config) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut table = String::new();
    for (login, extra) in
        [("ann", ""), ("bob", ""), ("off", "disabled=yes"), ("keep", "expire_arrived=never")]
    {
        let maildir = path.join(login);
        maildrop::create(&maildir).unwrap();
        for days in [40, 0] {
            let name = format!("{}.m,S=3,W=4", NOW - days * DAY);
            std::fs::write(maildir.join("new").join(name), "ab\n").unwrap();
        }
        table +=
            &format!("{login}@example.net:{{PLAIN}}x::::::maildir={} {extra}\n", maildir.display());
    }
    std::fs::write(path.join("users"), table).unwrap();
    let text = format!(
        "hostname = \"mail.example.net\"\ndata_directory = \"{0}/data\"\n\
         [accounts]\npasswd_file = \"{0}/users\"\ndefault_domain = \"example.net\"\n\
         [pop3.retention]\nafter_arrival = \"30d\"\n\
         [relay.next_hop]\naddress = \"mx.example.net:25\"\n\
         [spool]\ndirectory = \"{0}/spool\"\n",
        path.display()
    );
    let file = path.join("lastpost.toml");
    std::fs::write(&file, text).unwrap();
    let config = Config::load(&file).unwrap();
    (directory, config)
}

fn args(login: Option<&str>, dry_run: bool) -> ExpireArgs {
    ExpireArgs { login: login.map(str::to_owned), all: login.is_none(), dry_run }
}

fn messages(house: &Path, login: &str) -> usize {
    std::fs::read_dir(house.join(login).join("new")).unwrap().count()
}

#[test]
fn a_dry_run_shows_what_would_go_and_removes_nothing() {
    let (house, config) = house();
    let shown = go_through(&args(None, true), &config, NOW).unwrap();
    assert_eq!((shown.accounts, shown.expired, shown.octets, shown.removed), (3, 2, 8, 0));
    let logins: Vec<_> = shown.lines.iter().map(|line| line.login.as_str()).collect();
    assert_eq!(logins, ["ann@example.net", "bob@example.net"]);
    assert!(shown.describe().ends_with("2 messages, 8 octets, of 3 accounts would go"));
    for login in ["ann", "bob", "off", "keep"] {
        assert_eq!(messages(house.path(), login), 2, "{login}");
    }
    // What was shown is what goes.
    let done = go_through(&args(None, false), &config, NOW).unwrap();
    assert_eq!((done.accounts, done.expired, done.octets, done.removed), (3, 2, 8, 2));
    assert!(done.describe().ends_with("2 of 2 messages of 3 accounts are gone"));
    let left: Vec<_> =
        ["ann", "bob", "off", "keep"].map(|login| messages(house.path(), login)).into();
    assert_eq!(left, [1, 1, 2, 2]);
}

#[test]
fn one_account_is_shown_whatever_it_has_and_one_in_use_is_told() {
    let (house, config) = house();
    let shown = go_through(&args(Some("keep"), false), &config, NOW).unwrap();
    assert_eq!((shown.lines.len(), shown.expired), (1, 0));
    let session = Maildrop::open(&house.path().join("ann"), &config.pop3.open_options()).unwrap();
    let shown = go_through(&args(Some("ann"), false), &config, NOW).unwrap();
    assert_eq!(shown.lines[0].problem.as_deref(), Some("in use, try again later"));
    drop(session);
    assert_eq!(go_through(&args(Some("ann"), false), &config, NOW).unwrap().removed, 1);
    let nobody = go_through(&args(Some("nobody"), false), &config, NOW);
    assert!(matches!(nobody, Err(CliError::Failed(text)) if text.contains("nobody")));
}
