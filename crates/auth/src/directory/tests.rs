//! Loading, reloading, and finding accounts.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::StoredHash;
use crate::testing::{AtOnce, TableFile, account, cheap, directory, key, plain};

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
    let ann = directory.get(&directory.key("Ann").unwrap()).unwrap();
    assert_eq!(ann.maildir(), std::path::Path::new("/home/ann/Maildir"));
    assert!(directory.get(&key("ann@example.org")).is_none());
    assert_eq!(keys(&directory.everybody()), ["ann@example.net", "bob@example.net"]);
    assert_eq!(keys(&directory.owning(&mailbox("Ann@EXAMPLE.net"))), ["ann@example.net"]);
    let team = directory.owning(&mailbox("team@example.net"));
    assert_eq!(keys(&team), ["bob@example.net", "ann@example.net"], "whose primary it is first");
    assert!(directory.owning(&mailbox("nobody@example.net")).is_empty());
    assert_eq!(directory.default_domain().map(Domain::as_str), Some("example.net"));
}

#[test]
fn mail_goes_to_whose_primary_address_it_is() {
    let directory = TableFile::new(TWO).load();
    let into = |address: &str| {
        directory.mailbox_of(&mailbox(address)).map(|account| account.key().to_string())
    };
    assert_eq!(into("team@example.net").as_deref(), Some("bob@example.net"));
    assert_eq!(into("ANN@example.net").as_deref(), Some("ann@example.net"));
    assert_eq!(into("ann@example.org"), None);
    // In whichever way its domain is written.
    let lists = "carl:{PLAIN}x::::/c::addresses=carl@example.net,info@bücher.example\n\
                 dora:{PLAIN}x::::/d::addresses=info@xn--bcher-kva.example\n";
    let directory = TableFile::new(lists).load();
    for address in ["info@bücher.example", "info@xn--bcher-kva.example"] {
        let owner = directory.mailbox_of(&mailbox(address)).unwrap();
        assert_eq!(owner.key().as_str(), "dora@example.net", "{address}");
    }
    let disabled = self::directory(vec![account("off@example.net", plain("x"), true)]);
    assert!(disabled.mailbox_of(&mailbox("off@example.net")).is_some(), "mail still comes");
}

#[test]
fn a_table_that_is_wrong_is_refused_whole_and_the_old_one_stays() {
    let file = TableFile::new(TWO);
    let directory = file.load();
    file.replace("carl:{PLAIN}x::::/home/carl\nann:{NTLM}abc::::/h\n");
    let error = directory.reread().unwrap_err();
    assert!(error.contains("passwd:2:5: unknown password scheme \"NTLM\"; expected"), "{error}");
    assert_eq!(keys(&directory.everybody()), ["ann@example.net", "bob@example.net"]);
    file.replace("carl:{PLAIN}x::::/home/carl\n");
    directory.reread().unwrap();
    assert_eq!(keys(&directory.everybody()), ["carl@example.net"]);
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
    directory.reread().unwrap();
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
                    let all = first_page(&directory);
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
            directory.reread().unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[tokio::test]
async fn a_walk_goes_through_all_sources_and_outlives_their_replacement() {
    let first = TableFile::new("a:{PLAIN}x::::/h\nb:{PLAIN}x::::/h::login_delay=60s\n");
    let second = TableFile::new("c:{PLAIN}x::::/h::login_delay=10s\n");
    let sources = [&first, &second].map(|file| file.source() as Arc<dyn AccountSource>);
    let directory = Directory::chain(sources.into(), None).unwrap();
    let delays = || directory.policies().login_delay.map(|d| (d.least.as_secs(), d.most.as_secs()));
    assert_eq!(delays(), Some((10, 60)));
    let mut walk = directory.walk();
    assert_eq!(keys(&walk.next_page().await.unwrap()), ["a@example.net", "b@example.net"]);
    first.replace("d:{PLAIN}x::::/h\n");
    directory.reload().await.unwrap();
    assert_eq!(delays(), Some((10, 10)));
    let mut seen = Vec::new();
    loop {
        let page = walk.next_page().await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(keys(&seen), ["d@example.net", "c@example.net"]);
    let mut resumed = directory.walk();
    resumed.resume_at(&key("c@example.net")).await.unwrap();
    assert_eq!(keys(&resumed.next_page().await.unwrap()), ["c@example.net"]);
    assert!(resumed.next_page().await.unwrap().is_empty());
}

/// Knows one account, or is down.
struct Sometimes(Option<Arc<Account>>);

impl AccountSource for Sometimes {
    fn name(&self) -> &str {
        "sometimes"
    }

    fn find<'a>(
        &'a self,
        key: &'a AccountKey,
    ) -> crate::Answer<'a, Result<Option<Arc<Account>>, Unavailable>> {
        let known = self.0.as_ref().ok_or_else(|| Unavailable {
            source_name: "sometimes".to_owned(),
            problem: "it is down".to_owned(),
        });
        let found = known.map(|account| Some(account).filter(|a| a.key() == key).cloned());
        Box::pin(std::future::ready(found))
    }

    fn owners<'a>(
        &'a self,
        address: &'a Mailbox,
    ) -> crate::Answer<'a, Result<Vec<Arc<Account>>, Unavailable>> {
        Box::pin(async move {
            let key = AccountKey::parse(&address.to_string(), None).unwrap();
            Ok(self.find(&key).await?.into_iter().collect())
        })
    }

    fn page<'a>(
        &'a self,
        _: Option<&'a AccountKey>,
        _: usize,
    ) -> crate::Answer<'a, Result<Option<Vec<Arc<Account>>>, Unavailable>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn policies(&self) -> PolicySpread {
        PolicySpread::ANYTHING
    }
}

#[tokio::test]
async fn the_first_source_that_knows_decides_and_one_that_is_down_ends_the_question() {
    let file = TableFile::new(TWO);
    let other = account("ann@example.net", plain("other"), true);
    let chain = |sources: Vec<Arc<dyn AccountSource>>| Directory::chain(sources, None).unwrap();
    let up: Arc<dyn AccountSource> = Arc::new(Sometimes(Some(Arc::new(other))));
    let down: Arc<dyn AccountSource> = Arc::new(Sometimes(None));
    let ann = key("ann@example.net");

    let directory = chain(vec![file.source(), Arc::clone(&up)]);
    assert!(!directory.find(&ann).await.unwrap().unwrap().is_disabled());
    let directory = chain(vec![up, file.source()]);
    assert!(directory.find(&ann).await.unwrap().unwrap().is_disabled());
    assert!(directory.find(&key("bob@example.net")).await.unwrap().is_some());
    assert_eq!(directory.count(), None);

    let directory = chain(vec![file.source(), Arc::clone(&down)]);
    assert!(directory.find(&ann).await.unwrap().is_some(), "it is not even asked");
    assert!(directory.find(&key("zoe@example.net")).await.is_err());
    let directory = chain(vec![down, file.source()]);
    assert!(directory.find(&ann).await.is_err(), "ann must not become somebody else");
    assert!(directory.owners(&mailbox("ann@example.net")).await.is_err());
    let mut walk = directory.walk();
    assert_eq!(walk.next_page().await.unwrap().len(), 2);
    assert_eq!(walk.unlisted(), ["sometimes"]);
}

/// What a reader sees of the table at one moment.
fn first_page(directory: &Directory) -> Vec<Arc<Account>> {
    let mut walk = directory.walk();
    let page = std::pin::pin!(walk.next_page());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match page.poll(&mut context) {
        std::task::Poll::Ready(page) => page.unwrap(),
        std::task::Poll::Pending => panic!("a table in memory answers at once"),
    }
}
