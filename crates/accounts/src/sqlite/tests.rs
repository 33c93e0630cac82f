//! The file as a source: looked up, changed, damaged and replaced while it is in use.

mod editing;
mod trouble;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use address::{Domain, Mailbox};
use auth::{Argon2Params, hash_new};

use super::*;
use crate::testing::common;

pub(super) struct Bench {
    directory: tempfile::TempDir,
    pub(super) common: Common,
    pub(super) config: SqliteConfig,
}

pub(super) fn bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let config = SqliteConfig { path: directory.path().join("a.db"), ..SqliteConfig::default() };
    Bench { directory, common: common(), config }
}

impl Bench {
    pub(super) fn editor(&self) -> SqliteEditor {
        SqliteEditor::create_or_open(&self.config, &self.common).unwrap()
    }

    pub(super) fn import(&self, rows: Vec<Row>) -> Imported {
        self.editor().import(rows, Existing::Refuse, &mut |_| {}).unwrap()
    }

    pub(super) fn open(&self) -> SqliteAccounts {
        SqliteAccounts::open("main", &self.config, &self.common).unwrap()
    }

    pub(super) fn wrong(&self) -> String {
        match SqliteAccounts::open("main", &self.config, &self.common) {
            Ok(_) => panic!("it was opened"),
            Err(error) => error.to_string(),
        }
    }

    pub(super) fn file(&self) -> &Path {
        &self.config.path
    }
}

pub(super) fn key(login: &str) -> AccountKey {
    AccountKey::parse(login, Some(&Domain::parse("example.net").unwrap())).unwrap()
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

pub(super) fn row(login: &str, columns: &[(&str, &str)]) -> Row {
    let mut row = Row { login: login.to_owned(), ..Row::default() };
    for (column, value) in [("password", "{PLAIN}x"), ("home", "/h")].iter().chain(columns) {
        row.set(column, value).unwrap();
    }
    row
}

pub(super) fn cheap(password: &str) -> StoredHash {
    hash_new(password.as_bytes(), &Argon2Params::new(32, 1, 1).unwrap()).unwrap()
}

async fn owners(source: &SqliteAccounts, address: &str) -> Vec<String> {
    let owners = source.owners(&mailbox(address)).await.unwrap();
    owners.iter().map(|account| account.key().to_string()).collect()
}

async fn everybody(source: &SqliteAccounts, limit: usize) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = source.page(after.as_ref(), limit).await.unwrap().unwrap();
        let Some(last) = page.last() else { return all };
        assert!(page.len() <= limit);
        after = Some(last.key().clone());
        all.extend(page.iter().map(|account| account.key().to_string()));
    }
}

#[tokio::test]
async fn accounts_are_found_by_login_and_by_every_spelling_of_an_address() {
    let bench = bench();
    bench.import(vec![
        row("Ann", &[("addresses", "Ann@example.net,info@Bücher.example"), ("cohort", "one")]),
        row("ben@example.net", &[("addresses", "ben@example.net,\"ann\"@example.net")]),
        row("MÜLLER", &[("quota", "1G"), ("send_as", "ann@example.net,@club.example")]),
    ]);
    let source = bench.open();
    let ann = source.find(&key("ann")).await.unwrap().unwrap();
    assert_eq!(ann.cohort(), Some("one"));
    assert!(ann.hash().unwrap().verify(b"x"));
    assert_eq!(ann.addresses()[1].to_string(), "info@bücher.example");
    let mueller = source.find(&key("müller")).await.unwrap().unwrap();
    assert_eq!(mueller.policy().words(), ["quota=1G"]);
    assert!(mueller.may_send_as(&mailbox("x@club.example")));
    assert!(source.find(&key("nobody")).await.unwrap().is_none());
    assert_eq!(owners(&source, "ANN@EXAMPLE.NET").await, ["ann@example.net", "ben@example.net"]);
    for spelling in
        ["info@xn--bcher-kva.example", "\"INFO\"@BÜCHER.example", "\"in\\fo\"@bücher.EXAMPLE"]
    {
        assert_eq!(owners(&source, spelling).await, ["ann@example.net"], "{spelling}");
    }
    assert_eq!(owners(&source, "Müller@example.net").await, ["müller@example.net"]);
    assert!(owners(&source, "info@bucher.example").await.is_empty());
}

#[tokio::test]
async fn hostile_names_find_nobody_and_break_nothing() {
    let bench = bench();
    bench.import(vec![row("ann", &[])]);
    let source = bench.open();
    for login in ["ann'--", "'; DROP TABLE accounts;--", "%", "_", "a\u{0}b", "ann\"", "?1"] {
        let Ok(key) = AccountKey::parse(&login.replace(' ', ""), None) else { continue };
        assert!(source.find(&key).await.unwrap().is_none(), "{login}");
    }
    for address in ["\"'; DROP TABLE accounts;--\"@example.net", "\"%\"@example.net"] {
        assert!(owners(&source, address).await.is_empty());
    }
    assert!(source.find(&key("ann")).await.unwrap().is_some());
}

#[tokio::test]
async fn pages_are_in_order_and_go_on_where_an_account_is_gone() {
    let bench = bench();
    let mut logins: Vec<String> = (0..25).map(|n| format!("u{n}@example.net")).collect();
    bench.import(logins.iter().map(|login| row(login, &[])).collect());
    logins.sort();
    let source = bench.open();
    for limit in [1, 7, 25, 100] {
        assert_eq!(everybody(&source, limit).await, logins);
    }
    bench.editor().delete(&key(&logins[3])).unwrap();
    let page = source.page(Some(&key(&logins[3])), 2).await.unwrap().unwrap();
    assert_eq!(page[0].key().as_str(), logins[4]);
}

#[tokio::test]
async fn what_another_connection_changes_is_seen_at_once() {
    let bench = bench();
    bench.import(vec![row("ann", &[])]);
    let source = bench.open();
    let mut editor = bench.editor();
    for round in 0..20 {
        let disabled = round % 2 == 0;
        editor.set_disabled(&key("ann"), disabled).unwrap();
        let ann = source.find(&key("ann")).await.unwrap().unwrap();
        assert_eq!(ann.is_disabled(), disabled);
    }
    editor.delete(&key("ann")).unwrap();
    assert!(source.find(&key("ann")).await.unwrap().is_none());
    assert!(owners(&source, "ann@example.net").await.is_empty(), "its addresses went with it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hash_is_replaced_by_one_of_many_who_try() {
    let bench = bench();
    bench.import(vec![row("ann", &[])]);
    let sources: Vec<_> = (0..2).map(|_| Arc::new(bench.open())).collect();
    let old = StoredHash::parse("{PLAIN}x").unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (source, old) = (Arc::clone(&sources[number % 2]), old.clone());
        tasks.spawn(async move {
            let new = cheap("x");
            source.replace_hash(&key("ann"), &old, &new).await.unwrap().then_some(new)
        });
    }
    let won: Vec<StoredHash> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(won.len(), 1);
    let ann = sources[0].find(&key("ann")).await.unwrap().unwrap();
    assert!(ann.hash().unwrap().is_same(&won[0]));
    assert!(!sources[0].replace_hash(&key("ann"), &old, &old).await.unwrap(), "not x any more");
    assert!(!sources[0].replace_hash(&key("nobody"), &old, &old).await.unwrap());
    // Whoever disabled it in the meantime wins.
    bench.editor().set_disabled(&key("ann"), true).unwrap();
    assert!(sources[0].can_replace_hash());
}

#[tokio::test]
async fn decoys_and_policies_are_those_of_the_accounts() {
    let bench = bench();
    bench.import(vec![
        row("ann", &[("login_delay", "60s"), ("expire_retrieved", "30d")]),
        row("ben", &[("login_delay", "10m"), ("sessions", "4")]),
        row("cleo", &[]),
    ]);
    let source = bench.open();
    assert_eq!(source.decoy(3).unwrap().scheme(), auth::Scheme::Plain);
    let spread = source.policies();
    let delay = spread.login_delay.unwrap();
    assert_eq!((delay.least.as_secs(), delay.most.as_secs()), (60, 600));
    assert_eq!(spread.sessions_max.unwrap().most, 4);
    assert_eq!(spread.expire_after_retrieval.unwrap().least, 30);
    assert_eq!(spread.expire_after_arrival, None);
    bench.editor().set(&key("cleo"), "expire_arrived", Some("never")).unwrap();
    source.reload().await.unwrap();
    assert_eq!(source.policies().expire_after_arrival.unwrap().most, u32::MAX);
}

#[test]
fn the_file_is_for_its_owner_alone() {
    let bench = bench();
    bench.import(vec![row("ann", &[])]);
    let mode = |suffix: &str| {
        let file = format!("{}{suffix}", bench.file().display());
        std::fs::metadata(file).map(|metadata| metadata.permissions().mode() & 0o777)
    };
    let _open = bench.open();
    assert_eq!(mode("").unwrap(), 0o600);
    for suffix in ["-wal", "-shm"] {
        assert!(mode(suffix).is_ok_and(|mode| mode & 0o077 == 0) || mode(suffix).is_err());
    }
    assert!(bench.directory.path().join("a.db").exists());
}
