//! Old hashes go with the next login, once, and never against somebody else's change.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use address::Mailbox;

use super::*;
use crate::testing::{TableFile, account, cheap, key, moment, origin, plain};
use crate::{
    Answer, Argon2Params, AuthConfig, Authenticator, PasswdEditor, PolicySpread, Scheme,
    Unavailable,
};

const TABLE: &str = "# customers\nann:{PLAIN}secret::::/home/ann::quota=1G\n\
                     bob:!{SSHA}JDUhh1TmesktMbDt8WiE8Z0zf+HbJQbM::::/home/bob\n\
                     carl:$1$salt$M17PcHxFIEt5v7SAsS4v60::::/home/carl\n";

fn recipe() -> HashRecipe {
    HashRecipe::new(Scheme::Argon2id, Argon2Params::new(64, 1, 1).unwrap()).unwrap()
}

fn as_source(source: Arc<impl AccountSource + 'static>) -> Arc<dyn AccountSource> {
    source
}

async fn find(source: &Arc<dyn AccountSource>, login: &str) -> Arc<Account> {
    source.find(&key(login)).await.unwrap().unwrap()
}

/// Lets the thread and the tasks go on until `reached`.
async fn until(what: &str, reached: impl Fn() -> bool) {
    for _ in 0..20_000 {
        if reached() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what}: not within 20 seconds");
}

async fn done(upgrader: &Upgrader, count: u64) -> UpgradeCounts {
    until("upgrades", || {
        let UpgradeCounts { upgraded, overtaken, failed, .. } = upgrader.counts();
        upgraded + overtaken + failed >= count
    })
    .await;
    upgrader.counts()
}

#[tokio::test(start_paused = true)]
async fn an_old_hash_goes_and_every_other_octet_stays() {
    let file = TableFile::new(TABLE);
    let source = as_source(file.source());
    let upgrader = Upgrader::new(recipe()).unwrap();
    let secret = Secret::from("secret");
    let ann = find(&source, "ann@example.net").await;
    upgrader.offer(&source, &ann, &secret, moment(0.0));
    upgrader.offer(&source, &ann, &secret, moment(0.0));
    assert_eq!(done(&upgrader, 1).await, UpgradeCounts { upgraded: 1, ..Default::default() });
    let text = file.text();
    let (before, rest) = text.split_once("{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$").unwrap();
    let (hash, rest) = rest.split_once(':').unwrap();
    assert_eq!(format!("{before}{{PLAIN}}secret:{rest}"), TABLE);
    assert!(hash.len() > 60);
    // The table in memory still shows the old record: once is enough.
    upgrader.offer(&source, &ann, &secret, moment(1.0));
    source.reload().await.unwrap();
    let ann = find(&source, "ann@example.net").await;
    assert!(ann.hash().unwrap().verify(b"secret"));
    upgrader.offer(&source, &ann, &secret, moment(2.0));
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(upgrader.counts(), UpgradeCounts { upgraded: 1, ..Default::default() });
    assert_eq!(upgrader.shared.room.available_permits(), ROOM);
}

#[tokio::test(start_paused = true)]
async fn a_password_that_was_changed_meanwhile_stays() {
    let file = TableFile::new(TABLE);
    let source = as_source(file.source());
    let upgrader = Upgrader::new(recipe()).unwrap();
    let ann = find(&source, "ann@example.net").await;
    upgrader.offer(&source, &ann, &Secret::from("secret"), moment(0.0));
    // Changes are gathered for a second: this one comes first.
    let mut editor = PasswdEditor::open(&file.config).unwrap();
    editor.set_password(&key("ann@example.net"), &plain("other")).unwrap();
    editor.save().unwrap();
    assert_eq!(done(&upgrader, 1).await, UpgradeCounts { overtaken: 1, ..Default::default() });
    assert!(file.text().contains("ann:{PLAIN}other:"));
    // The new record is one of its own.
    source.reload().await.unwrap();
    let ann = find(&source, "ann@example.net").await;
    upgrader.offer(&source, &ann, &Secret::from("other"), moment(9.0));
    let counts = done(&upgrader, 2).await;
    assert_eq!((counts.overtaken, counts.upgraded), (1, 1));
    source.reload().await.unwrap();
    assert!(find(&source, "ann@example.net").await.hash().unwrap().verify(b"other"));
}

#[tokio::test(start_paused = true)]
async fn two_daemons_and_an_administrator_write_one_file() {
    let lines: String =
        (0..200).map(|n| format!("u{n}:{{PLAIN}}pass{n}::::/home/u{n}\n")).collect();
    let file = TableFile::new(&lines);
    let daemons: Vec<_> =
        (0..2).map(|_| (as_source(file.source()), Upgrader::new(recipe()).unwrap())).collect();
    for n in 0..200 {
        for (source, upgrader) in &daemons {
            let account = find(source, &format!("u{n}@example.net")).await;
            upgrader.offer(source, &account, &Secret::from(&*format!("pass{n}")), moment(0.0));
        }
    }
    let config = file.config.clone();
    let administrator = std::thread::spawn(move || {
        for n in (0..200).step_by(20) {
            let mut editor = PasswdEditor::open(&config).unwrap();
            editor.set_password(&key(&format!("u{n}@example.net")), &plain("changed")).unwrap();
            editor.save().unwrap();
        }
    });
    let mut counts = Vec::new();
    for (_, upgrader) in &daemons {
        counts.push(done(upgrader, 200).await);
    }
    administrator.join().unwrap();
    assert!(counts.iter().all(|counts| counts.failed == 0 && counts.skipped == 0));
    let upgraded: u64 = counts.iter().map(|counts| counts.upgraded).sum();
    assert!((190..=200).contains(&upgraded), "{counts:?}");
    let source = file.source();
    for n in 0..200 {
        let account = find(&as_source(Arc::clone(&source)), &format!("u{n}@example.net")).await;
        let password = if n % 20 == 0 { "changed".to_owned() } else { format!("pass{n}") };
        assert!(account.hash().unwrap().verify(password.as_bytes()), "u{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_upgrades_are_one_rewriting() {
    use std::os::unix::fs::MetadataExt;
    let lines: String = (0..300).map(|n| format!("u{n}:{{PLAIN}}p::::/home/u{n}\n")).collect();
    let file = TableFile::new(&lines);
    let source = as_source(file.source());
    let upgrader = Upgrader::new(recipe()).unwrap();
    for n in 0..300 {
        let account = find(&source, &format!("u{n}@example.net")).await;
        upgrader.offer(&source, &account, &Secret::from("p"), moment(0.0));
    }
    let inode = || std::fs::metadata(&file.config.passwd_file).unwrap().ino();
    let (rewritten, last) = (AtomicUsize::new(0), Mutex::new(inode()));
    until("all upgrades", || {
        let mut last = last.lock().unwrap();
        if inode() != *last {
            *last = inode();
            rewritten.fetch_add(1, Ordering::Relaxed);
        }
        upgrader.counts().upgraded == 300
    })
    .await;
    // Far fewer than accounts, even where the thread is slow and the gathering ends early.
    assert!(rewritten.load(Ordering::Relaxed) <= 60, "{rewritten:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_writer_left_stops_nobody() {
    let file = TableFile::new(TABLE);
    let beside = |name: &str| file.config.passwd_file.with_file_name(name);
    std::fs::write(beside(".passwd.new"), "ann:{PLAIN}half a li").unwrap();
    std::fs::write(beside(".passwd.lock"), "").unwrap();
    // A process that ends before its changes are written loses them, and nothing else.
    {
        let runtime = std::thread::spawn({
            let file = Arc::clone(&file);
            move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                runtime.block_on(async {
                    let source = as_source(file.source());
                    let upgrader = Upgrader::new(recipe()).unwrap();
                    let ann = find(&source, "ann@example.net").await;
                    upgrader.offer(&source, &ann, &Secret::from("secret"), moment(0.0));
                });
            }
        });
        runtime.join().unwrap();
    }
    assert_eq!(file.text(), TABLE);
    let source = as_source(file.source());
    let upgrader = Upgrader::new(recipe()).unwrap();
    let carl = find(&source, "carl@example.net").await;
    upgrader.offer(&source, &carl, &Secret::from("a"), moment(0.0));
    assert_eq!(done(&upgrader, 1).await.upgraded, 1);
    assert!(!beside(".passwd.new").exists());
    assert!(file.text().contains("carl:{ARGON2ID}"));
}

/// A source that stores nothing, or fails, as it is told.
struct Fake {
    works: AtomicBool,
    asked: AtomicUsize,
    /// What it finds, one after the other; the last for good. None: `secret`, stored itself.
    records: Mutex<Vec<StoredHash>>,
}

impl AccountSource for Fake {
    fn name(&self) -> &str {
        "fake"
    }

    fn find<'a>(
        &'a self,
        key: &'a address::AccountKey,
    ) -> Answer<'a, Result<Option<Arc<Account>>, Unavailable>> {
        let mut records = self.records.lock().unwrap();
        let record = match &mut records[..] {
            [] => plain("secret"),
            [last] => last.clone(),
            _ => records.remove(0),
        };
        let found = Arc::new(account(key.as_str(), record, false));
        Box::pin(std::future::ready(Ok(Some(found))))
    }

    fn owners<'a>(&'a self, _: &'a Mailbox) -> Answer<'a, Result<Vec<Arc<Account>>, Unavailable>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn page<'a>(
        &'a self,
        _: Option<&'a address::AccountKey>,
        _: usize,
    ) -> Answer<'a, Result<Option<Vec<Arc<Account>>>, Unavailable>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn policies(&self) -> PolicySpread {
        PolicySpread::default()
    }

    fn can_replace_hash(&self) -> bool {
        true
    }

    fn replace_hash<'a>(
        &'a self,
        _: &'a address::AccountKey,
        old: &'a StoredHash,
        new: &'a StoredHash,
    ) -> Answer<'a, Result<bool, Unavailable>> {
        assert!(old.verify(b"secret") && new.verify(b"secret"));
        self.asked.fetch_add(1, Ordering::Relaxed);
        let works = self.works.load(Ordering::Relaxed);
        let down = || Unavailable { source_name: "fake".into(), problem: "read-only".into() };
        Box::pin(std::future::ready(works.then_some(true).ok_or_else(down)))
    }
}

fn fake(works: bool) -> (Arc<Fake>, Arc<dyn AccountSource>) {
    let records = Mutex::default();
    let fake = Arc::new(Fake { works: works.into(), asked: AtomicUsize::new(0), records });
    (Arc::clone(&fake), fake)
}

/// What a log would have, for tests on one thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_store_is_spoken_of_once_and_tried_again() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (fake, source) = fake(false);
    let upgrader = Upgrader::new(recipe()).unwrap();
    let secret = Secret::from("secret");
    for (seconds, failed) in [(0.0, 1), (1.0, 1), (59.0, 1), (61.0, 2)] {
        for login in ["ann@x.example", "ann@x.example"] {
            let account = find(&source, login).await;
            upgrader.offer(&source, &account, &secret, moment(seconds));
        }
        assert_eq!(done(&upgrader, failed).await.failed, failed, "{seconds}");
    }
    fake.works.store(true, Ordering::Relaxed);
    let account = find(&source, "ann@x.example").await;
    upgrader.offer(&source, &account, &secret, moment(200.0));
    until("the upgrade", || upgrader.counts().upgraded == 1).await;
    assert_eq!(fake.asked.load(Ordering::Relaxed), 3);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.matches("password hashes not upgraded").count(), 2, "{log}");
    assert!(log.contains("problem=\"read-only\"") && log.contains("from=\"PLAIN\""), "{log}");
    assert!(!log.contains("secret") && !log.contains("$argon2"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_full_room_leaves_hashes_as_they_are() {
    let (fake, source) = fake(true);
    let upgrader = Upgrader::with_room(recipe(), 2).unwrap();
    let held = Arc::clone(&upgrader.shared.room).try_acquire_many_owned(2).unwrap();
    let secret = Secret::from("secret");
    for login in ["ann@x.example", "bob@x.example"] {
        upgrader.offer(&source, &find(&source, login).await, &secret, moment(0.0));
    }
    assert_eq!(upgrader.counts(), UpgradeCounts { skipped: 2, ..Default::default() });
    drop(held);
    for login in ["ann@x.example", "bob@x.example"] {
        upgrader.offer(&source, &find(&source, login).await, &secret, moment(1.0));
    }
    assert_eq!(done(&upgrader, 2).await.upgraded, 2);
    assert_eq!(fake.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn what_need_not_or_must_not_be_upgraded_is_not() {
    let (fake, source) = fake(true);
    let strong = crate::hash_new(b"secret", &Argon2Params::new(128, 2, 1).unwrap()).unwrap();
    let upgrader = Upgrader::new(recipe()).unwrap();
    let ann = Arc::new(account("ann@x.example", strong, false));
    upgrader.offer(&source, &ann, &Secret::from("secret"), moment(0.0));
    // bcrypt would forget what lies behind 72 octets.
    let bcrypt = HashRecipe::new(Scheme::BlfCrypt, Argon2Params::default()).unwrap();
    let upgrader = Upgrader::new(bcrypt.with_rounds(4).unwrap()).unwrap();
    let long = "x".repeat(73);
    let ann = Arc::new(account("ann@x.example", plain(&long), false));
    upgrader.offer(&source, &ann, &Secret::from(&*long), moment(0.0));
    // A table that is no file has nowhere to store.
    let table = crate::PasswdSource::of(vec![account("ann@x.example", plain("a"), false)]).unwrap();
    let table = as_source(Arc::new(table));
    let ann = find(&table, "ann@x.example").await;
    upgrader.offer(&table, &ann, &Secret::from("a"), moment(0.0));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(upgrader.counts(), UpgradeCounts::default());
    assert_eq!(fake.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_login_upgrades_and_the_next_one_is_still_right() {
    let file = TableFile::new(TABLE);
    let config = AuthConfig {
        upgrade_to: "SCRAM-SHA-256".to_owned(),
        failure_delay: Duration::ZERO,
        ..AuthConfig::default()
    };
    let directory = file.load();
    let authenticator = Authenticator::new(&config, directory.clone()).unwrap();
    let login = |password: &'static str, seconds| {
        let authenticator = authenticator.clone();
        async move {
            let secret = Secret::from(password);
            let origin = origin("192.0.2.1");
            authenticator.verify("ann", &secret, &origin, moment(seconds)).await.is_ok()
        }
    };
    assert!(!login("wrong", 0.0).await);
    assert_eq!(authenticator.upgrades(), Some(UpgradeCounts::default()));
    assert!(login("secret", 1.0).await);
    // Only the gathering need not be waited for; the pool's limits are for real time.
    tokio::time::pause();
    until("the upgrade", || authenticator.upgrades().unwrap().upgraded == 1).await;
    tokio::time::resume();
    assert!(file.text().contains("ann:{SCRAM-SHA-256}15000,"));
    directory.reload().await.unwrap();
    assert!(login("secret", 2.0).await && !login("wrong", 3.0).await);
    assert_eq!(authenticator.upgrades().unwrap().upgraded, 1);
}

#[tokio::test]
async fn a_hash_that_is_upgraded_during_another_login_locks_nobody_out() {
    let (fake, source) = fake(true);
    let directory = crate::Directory::chain(vec![source], None).unwrap();
    let config = AuthConfig { failure_delay: Duration::ZERO, ..AuthConfig::default() };
    let authenticator = Authenticator::new(&config, directory).unwrap();
    let origin = origin("192.0.2.1");
    // At first, when the verified record is looked at once more, and from then on.
    for (records, right) in [
        (["secret", "secret", "secret"], true),
        (["secret", "other", "other"], false),
        (["secret", "secret", "other"], false),
    ] {
        *fake.records.lock().unwrap() = records.map(cheap).to_vec();
        let secret = Secret::from("secret");
        let login = authenticator.verify("ann@x.example", &secret, &origin, moment(0.0)).await;
        assert_eq!(login.is_ok(), right, "{records:?}");
    }
    assert_eq!(authenticator.statistics().hashes, 6);
}
