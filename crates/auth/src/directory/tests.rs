//! Loading, reloading, and finding accounts.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::StoredHash;
use crate::testing::{TableFile, account, cheap, directory, key, plain};

const TWO: &str = "ann:{PLAIN}x::::/home/ann::addresses=ann@example.net,team@example.net\n\
                   bob:{PLAIN}y::::/home/bob::addresses=team@example.net,bob@example.net\n";

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

fn keys(accounts: &[Arc<Account>]) -> Vec<&str> {
    accounts.iter().map(|account| account.key().as_str()).collect()
}

#[test]
fn accounts_are_found_by_login_and_by_every_address() {
    let directory = TableFile::new(TWO).load();
    assert_eq!(directory.len(), 2);
    assert!(!directory.is_empty());
    let ann = directory.get(&directory.key("Ann").unwrap()).unwrap();
    assert_eq!(ann.maildir(), std::path::Path::new("/home/ann/Maildir"));
    assert!(directory.get(&key("ann@example.org")).is_none());
    assert_eq!(keys(&directory.all()), ["ann@example.net", "bob@example.net"]);
    assert_eq!(keys(&directory.owners(&mailbox("Ann@EXAMPLE.net"))), ["ann@example.net"]);
    let team = directory.owners(&mailbox("team@example.net"));
    assert_eq!(keys(&team), ["ann@example.net", "bob@example.net"]);
    assert!(directory.owners(&mailbox("nobody@example.net")).is_empty());
    assert_eq!(directory.default_domain().map(Domain::as_str), Some("example.net"));
}

#[test]
fn mail_goes_to_whose_primary_address_it_is() {
    let directory = TableFile::new(TWO).load();
    let into = |address: &str| {
        directory.local_mailbox(&mailbox(address)).map(|account| account.key().to_string())
    };
    assert_eq!(into("team@example.net").as_deref(), Some("bob@example.net"));
    assert_eq!(into("ANN@example.net").as_deref(), Some("ann@example.net"));
    assert_eq!(into("ann@example.org"), None);
    // In whichever way its domain is written.
    let lists = "carl:{PLAIN}x::::/c::addresses=carl@example.net,info@bücher.example\n\
                 dora:{PLAIN}x::::/d::addresses=info@xn--bcher-kva.example\n";
    let directory = TableFile::new(lists).load();
    for address in ["info@bücher.example", "info@xn--bcher-kva.example"] {
        let owner = directory.local_mailbox(&mailbox(address)).unwrap();
        assert_eq!(owner.key().as_str(), "dora@example.net", "{address}");
    }
    let disabled = self::directory(vec![account("off@example.net", plain("x"), true)]);
    assert!(disabled.local_mailbox(&mailbox("off@example.net")).is_some(), "mail still comes");
}

#[test]
fn a_table_that_is_wrong_is_refused_whole_and_the_old_one_stays() {
    let file = TableFile::new(TWO);
    let directory = file.load();
    file.replace("carl:{PLAIN}x::::/home/carl\nann:{MD5}abc::::/h\n");
    let error = directory.reload().unwrap_err().to_string();
    assert!(error.contains("passwd:2:5: unknown password scheme \"MD5\"; expected"), "{error}");
    assert_eq!(keys(&directory.all()), ["ann@example.net", "bob@example.net"]);
    file.replace("carl:{PLAIN}x::::/home/carl\n");
    assert_eq!(directory.reload().unwrap(), Reload::Loaded { accounts: 1 });
    assert_eq!(keys(&directory.all()), ["carl@example.net"]);
}

#[test]
fn a_changed_file_is_noticed_and_a_refused_one_reported_once() {
    let file = TableFile::new(TWO);
    let directory = file.load();
    let clone = directory.clone();
    assert_eq!(directory.reload_if_changed().unwrap(), Reload::Unchanged);
    file.replace("carl:{PLAIN}x::::/home/carl\n");
    assert_eq!(directory.reload_if_changed().unwrap(), Reload::Loaded { accounts: 1 });
    assert_eq!(clone.len(), 1, "clones share the table");
    assert_eq!(clone.reload_if_changed().unwrap(), Reload::Unchanged);
    file.replace("broken\n");
    assert!(directory.reload_if_changed().is_err());
    assert_eq!(directory.reload_if_changed().unwrap(), Reload::Unchanged);
    assert!(directory.reload().is_err(), "whoever asks is told again");
    std::fs::remove_file(&file.config.passwd_file).unwrap();
    assert!(matches!(directory.reload_if_changed(), Err(AccountsError::Read { .. })));
    assert_eq!(directory.reload_if_changed().unwrap(), Reload::Unchanged);
    assert_eq!(directory.len(), 1);
    file.replace(TWO);
    assert_eq!(directory.reload_if_changed().unwrap(), Reload::Loaded { accounts: 2 });
    // An edit in place that keeps the size.
    std::fs::write(&file.config.passwd_file, TWO.replace("ann", "ben")).unwrap();
    assert_eq!(directory.reload_if_changed().unwrap(), Reload::Loaded { accounts: 2 });
    assert_eq!(keys(&directory.all())[0], "ben@example.net");
}

#[tokio::test]
async fn it_keeps_itself_fresh() {
    let file = TableFile::new(TWO);
    let directory = file.load();
    let task = tokio::spawn(directory.clone().keep_fresh());
    for text in ["broken\n", "carl:{PLAIN}x::::/home/carl\n"] {
        file.replace(text);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    let patience = Duration::from_secs(20);
    let seen = async {
        while directory.len() != 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(patience, seen).await.expect("the change was not noticed");
    task.abort();
    // Without a file there is nothing to look at.
    self::directory(Vec::new()).keep_fresh().await;
}

#[test]
fn a_missing_file_and_a_wrong_configuration_are_named() {
    let file = TableFile::new("");
    let config = AccountsConfig { default_domain: "bad domain".to_owned(), ..file.config.clone() };
    let error = Directory::load(&config).unwrap_err().to_string();
    assert!(error.starts_with("accounts.default_domain: \"bad domain\""), "{error}");
    let passwd_file = file.config.passwd_file.with_file_name("absent");
    let error = Directory::load(&AccountsConfig { passwd_file, ..file.config.clone() });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("absent: cannot read the accounts"), "{error}");
}

#[test]
fn a_table_that_everybody_can_read_is_warned_of() {
    let file = TableFile::new(TWO);
    let set = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&file.config.passwd_file, permissions).unwrap();
    };
    set(0o644);
    let warned = |directory: &Directory| directory.warnings().iter().any(|w| w.contains("chmod"));
    let directory = file.load();
    assert!(warned(&directory), "{:?}", directory.warnings());
    set(0o640);
    assert_eq!(directory.reload_if_changed().unwrap(), Reload::Loaded { accounts: 2 });
    assert!(!warned(&directory), "{:?}", directory.warnings());
}

#[test]
fn decoys_have_the_costs_of_accounts_in_their_proportion() {
    let sha = "$5$rounds=1500$saltstring$f69uhRgrhvZiW3zMEC.WRd8rShdlHApB6Mg2nrEpig1";
    let mut accounts = Vec::new();
    for n in 0..30 {
        let hash = match n {
            0..20 => cheap("x"),
            20..29 => StoredHash::parse(sha).unwrap(),
            _ => plain("x"),
        };
        accounts.push(account(&format!("u{n}@example.net"), hash, n % 2 == 0));
    }
    let directory = self::directory(accounts);
    let mut found = HashMap::new();
    for seed in 0..30 {
        let decoy = directory.decoy(seed);
        assert!(Arc::ptr_eq(&decoy, &directory.decoy(seed)), "always the same");
        *found.entry(decoy.cost_class().unwrap()).or_insert(0) += 1;
    }
    let of = |hash: &StoredHash| found.get(&hash.cost_class().unwrap()).copied();
    assert_eq!(of(&cheap("y")), Some(20));
    assert_eq!(of(&StoredHash::parse(sha).unwrap()), Some(9));
    assert_eq!(of(&plain("y")), Some(1));
}

#[test]
fn one_login_twice_is_refused_without_a_file_too() {
    let accounts = vec![
        account("ann@example.net", plain("x"), false),
        account("ann@example.net", plain("y"), false),
    ];
    let error = Directory::from_accounts(accounts, None).unwrap_err();
    assert_eq!(error.to_string(), "ann@example.net stands there twice; expected each login once");
}

#[test]
fn readers_see_one_table_or_the_other_while_it_is_replaced() {
    let file = TableFile::new("a:{PLAIN}x::::/h\nb:{PLAIN}x::::/h\n");
    let directory = file.load();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let all = directory.all();
                    let whole = [vec!["a@example.net", "b@example.net"], vec!["c@example.net"]];
                    assert!(whole.contains(&keys(&all)), "{:?}", keys(&all));
                }
            });
        }
        for round in 0..300 {
            let text = if round % 2 == 0 {
                "c:{PLAIN}x::::/h\n"
            } else {
                "a:{PLAIN}x::::/h\nb:{PLAIN}x::::/h\n"
            };
            file.replace(text);
            directory.reload().unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn a_walk_through_the_table_outlives_its_replacement() {
    let file = TableFile::new(
        "a:{PLAIN}x::::/h\nb:{PLAIN}x::::/h::login_delay=60s\nc:{PLAIN}x::::/h::login_delay=10s\n",
    );
    let directory = file.load();
    let at = |position: usize| directory.nth(position).map(|account| account.key().to_string());
    assert_eq!(at(1).as_deref(), Some("b@example.net"));
    assert_eq!((directory.position(&key("c@example.net")), at(3)), (Some(2), None));
    let delays = || directory.policies().login_delay.map(|d| (d.least.as_secs(), d.most.as_secs()));
    assert_eq!(delays(), Some((10, 60)));
    file.replace("c:{PLAIN}x::::/h\n");
    directory.reload().unwrap();
    assert_eq!((at(1), directory.position(&key("c@example.net"))), (None, Some(0)));
    assert_eq!((directory.position(&key("a@example.net")), delays()), (None, None));
}
