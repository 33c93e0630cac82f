//! A million accounts in a database file: how long it takes to put them there, and to find one.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use accounts::sqlite::{Existing, SqliteAccounts, SqliteConfig};
use accounts::{Common, Row};
use address::{AccountKey, Mailbox};
use auth::{AccountSource as _, MaildirTemplate, SystemClock, WeakSchemes};

const ACCOUNTS: u64 = 1_000_000;
const HASH: &str = "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$qL0eWAPz7VbIGksw9rX55g$\
                    MNZQGQ4Vvz2Ffp8rzG1i6WlTcwrniuAvbYMd8xTVeso";

fn login(n: u64) -> String {
    format!("customer{:07}@example.net", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % ACCOUNTS)
}

fn row(n: u64) -> Row {
    let mut row = Row { login: format!("customer{n:07}@example.net"), ..Row::default() };
    row.set("password", HASH).unwrap();
    row.set("home", &format!("/srv/mail/{n:07}")).unwrap();
    row.set("addresses", &format!("{0} first.last{n}@example.net", row.login)).unwrap();
    row
}

/// The median of many, each timed alone.
async fn median(mut work: impl AsyncFnMut(u64)) -> Duration {
    let mut times = Vec::new();
    for n in 0..20_000 {
        let begun = Instant::now();
        work(n).await;
        times.push(begun.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "heavy: a million accounts in SQLite"]
async fn a_million_accounts() {
    let directory = tempfile::tempdir().unwrap();
    let config = SqliteConfig { path: directory.path().join("a.db"), ..SqliteConfig::default() };
    let common = Common {
        default_domain: None,
        maildir: MaildirTemplate::parse("%h/Maildir").unwrap(),
        weak_schemes: WeakSchemes::default(),
        clock: Arc::new(SystemClock::new()),
        state_directory: "/nonexistent".into(),
    };
    let begun = Instant::now();
    let mut editor = SqliteAccounts::editor(&config, &common).unwrap();
    let imported = editor.import((0..ACCOUNTS).map(row), Existing::Refuse, &mut |_| {}).unwrap();
    assert_eq!(imported.added, ACCOUNTS);
    drop(editor);
    let size = std::fs::metadata(&config.path).unwrap().len();
    eprintln!("imported in {:?}, {} MB", begun.elapsed(), size / 1_000_000);

    let begun = Instant::now();
    let source = Arc::new(SqliteAccounts::open("main", &config, &common).unwrap());
    eprintln!("opened in {:?}", begun.elapsed());
    let find = median(async |n| {
        let key = AccountKey::parse(&login(n), None).unwrap();
        assert!(source.find(&key).await.unwrap().is_some());
    })
    .await;
    let unknown = median(async |n| {
        let key = AccountKey::parse(&format!("nobody{n}@example.net"), None).unwrap();
        assert!(source.find(&key).await.unwrap().is_none());
    })
    .await;
    let owners = median(async |n| {
        let address = Mailbox::parse(&format!("First.Last{n}@example.net")).unwrap();
        assert_eq!(source.owners(&address).await.unwrap().len(), 1);
    })
    .await;
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..64 {
        let source = Arc::clone(&source);
        tasks.spawn(async move {
            for n in 0..2_000 {
                let key = AccountKey::parse(&login(task * 2_000 + n), None).unwrap();
                assert!(source.find(&key).await.unwrap().is_some());
            }
        });
    }
    tasks.join_all().await;
    let many = 128_000.0 / begun.elapsed().as_secs_f64();
    eprintln!("find {find:?}, unknown {unknown:?}, owners {owners:?}, 64 at a time {many:.0}/s");
    // What is built without optimisation needs half as long again.
    let limit = Duration::from_micros(if cfg!(debug_assertions) { 100 } else { 50 });
    // Whose an address is takes two look-ups: the address, then its account.
    for (median, look_ups) in [(find, 1), (unknown, 1), (owners, 2)] {
        assert!(median < limit * look_ups, "{median:?}");
    }
    let (begun, mut listed, mut after) = (Instant::now(), 0, None);
    loop {
        let page = source.page(after.as_ref(), 1000).await.unwrap().unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key().clone());
        listed += page.len() as u64;
    }
    assert_eq!(listed, ACCOUNTS);
    eprintln!("listed in {:?}", begun.elapsed());
}
