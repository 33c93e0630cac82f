//! What a client reads whose password is right and who is not let in, or whose password nobody
//! can look at; and master users.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use address::{AccountKey, Mailbox};
use auth::{Account, AccountSource, Answer, Directory, PolicySpread, StoredHash, Unavailable};

use crate::counting::Counting;
use crate::kit::{Client, Daemon, Setup, put};

fn try_login(client: &mut Client, login: &str, password: &str) -> String {
    client.ask(&format!("USER {login}"), "+OK");
    client.ask(&format!("PASS {password}"), "")
}

#[test]
fn a_password_to_be_changed_is_told_to_whoever_knows_it() {
    let mut setup = Setup::aiko(&[b"x\n"]);
    setup.must_change();
    setup.auth.must_change_url = "https://account.example.net/password".to_owned();
    setup.config.errors_max = 20;
    let told = Arc::new(Counting::default());
    setup.observers = vec![Arc::<Counting>::clone(&told)];
    let daemon = setup.start();
    let mut client = daemon.greeted();
    let expected = "-ERR [AUTH] The password has to be changed before mail can be fetched: \
                    https://account.example.net/password";
    assert_eq!(try_login(&mut client, "aiko", "secret"), expected);
    assert_eq!(client.ask("AUTH PLAIN AGFpa28Ac2VjcmV0", "-ERR"), expected);
    let wrong = try_login(&mut client, "aiko", "wrong");
    assert_eq!(wrong, try_login(&mut client, "nobody", "secret"));
    assert!(wrong.starts_with("-ERR [AUTH] Login failed"), "{wrong}");
    client.ask("LANG ja", "+OK");
    let japanese = try_login(&mut client, "aiko", "secret");
    assert!(japanese.starts_with("-ERR [AUTH] メール"), "{japanese}");
    assert!(japanese.ends_with(": https://account.example.net/password"), "{japanese}");
    client.ask("STAT", "-ERR");
    assert!(told.told().is_empty());
    assert_eq!(daemon.pop3d.statistics().logins, 0);
}

/// A source with one account that is down at times.
struct Moody {
    account: Arc<Account>,
    down: AtomicBool,
}

impl Moody {
    fn say<T>(&self, answer: T) -> Answer<'_, Result<T, Unavailable>>
    where
        T: Send + 'static,
    {
        let down = self.down.load(Ordering::SeqCst);
        let trouble = || Unavailable {
            source_name: "moody".to_owned(),
            problem: "connection refused by 192.0.2.99".to_owned(),
        };
        let answer = if down { Err(trouble()) } else { Ok(answer) };
        Box::pin(std::future::ready(answer))
    }
}

impl AccountSource for Moody {
    fn name(&self) -> &str {
        "moody"
    }

    fn find<'a>(
        &'a self,
        key: &'a AccountKey,
    ) -> Answer<'a, Result<Option<Arc<Account>>, Unavailable>> {
        let account = (key == self.account.key()).then(|| Arc::clone(&self.account));
        self.say(account)
    }

    fn owners<'a>(&'a self, _: &'a Mailbox) -> Answer<'a, Result<Vec<Arc<Account>>, Unavailable>> {
        self.say(Vec::new())
    }

    fn page<'a>(
        &'a self,
        _: Option<&'a AccountKey>,
        _: usize,
    ) -> Answer<'a, Result<Option<Vec<Arc<Account>>>, Unavailable>> {
        self.say(None)
    }

    fn policies(&self) -> PolicySpread {
        PolicySpread::default()
    }
}

#[test]
fn a_source_that_is_down_is_nobodys_fault() {
    let mut setup = Setup::new();
    let maildir = setup.path().join("Maildir");
    maildrop::create(&maildir).unwrap();
    put(&maildir, "1.m", b"x\n");
    let key = AccountKey::parse("aiko", None).unwrap();
    let hash = StoredHash::parse("{PLAIN}secret").unwrap();
    let account = Arc::new(Account::new(key, Vec::new(), hash, maildir, false));
    let moody = Arc::new(Moody { account, down: AtomicBool::new(true) });
    setup.accounts_of = Some(Directory::chain(vec![Arc::<Moody>::clone(&moody)], None).unwrap());
    setup.config.errors_max = 2;
    let daemon = setup.start();
    let mut client = daemon.greeted();
    // More often than bad passwords would be borne, whether there is such an account or not.
    let mut replies = Vec::new();
    for login in ["aiko", "nobody", "aiko"] {
        replies.push(try_login(&mut client, login, "secret"));
        replies.push(client.ask("AUTH PLAIN AGFpa28Ac2VjcmV0", "-ERR"));
    }
    replies.dedup();
    assert_eq!(
        replies,
        ["-ERR [SYS/TEMP] The login service is unavailable: try again in a minute"]
    );
    moody.down.store(false, Ordering::SeqCst);
    client.log_in("aiko", "secret");
    client.ask("STAT", "+OK 1 3");
}

/// `aiko`, and `help` who may open any account from this host.
fn with_master(change: impl FnOnce(&mut Setup)) -> (Daemon, Arc<Counting>) {
    let mut setup = Setup::aiko(&[b"x\n"]);
    let file = setup.path().join("masters");
    std::fs::write(&file, "help:{PLAIN}staff::::::\n").unwrap();
    setup.auth.master.passwd_file = file;
    setup.auth.master.networks = vec!["127.0.0.1/32".parse().unwrap()];
    setup.config.errors_max = 20;
    let told = Arc::new(Counting::default());
    setup.observers = vec![Arc::<Counting>::clone(&told)];
    change(&mut setup);
    (setup.start(), told)
}

#[test]
fn a_master_users_visit_is_no_login_of_the_account() {
    let (daemon, told) = with_master(|setup| {
        setup.config.maildrop.login_delay = Duration::from_secs(3600);
    });
    // Neither told to anybody, nor does it use the account's delay up.
    for _ in 0..2 {
        let mut client = daemon.greeted();
        client.log_in("aiko*help", "staff");
        client.ask("STAT", "+OK 1 3");
        client.ask("QUIT", "+OK");
    }
    // NUL aiko*help NUL staff.
    let mut client = daemon.greeted();
    client.ask("AUTH PLAIN AGFpa28qaGVscABzdGFmZg==", "+OK 1 messages");
    client.ask("QUIT", "+OK");
    assert!(told.told().is_empty(), "{:?}", told.told());
    daemon.logged_in("aiko", "secret").ask("QUIT", "+OK");
    assert_eq!(told.told(), ["aiko 127.0.0.1 false"]);
    let refused = try_login(&mut daemon.greeted(), "aiko", "secret");
    assert!(refused.starts_with("-ERR [LOGIN-DELAY]"), "{refused}");
}

#[test]
fn a_master_user_waits_for_the_lock_like_anybody() {
    let (daemon, told) = with_master(|setup| {
        setup.config.maildrop.lock_wait = Duration::ZERO;
    });
    let mut owner = daemon.logged_in("aiko", "secret");
    let refused = try_login(&mut daemon.greeted(), "aiko*help", "staff");
    assert!(refused.starts_with("-ERR [IN-USE]"), "{refused}");
    owner.ask("QUIT", "+OK");
    for (login, password) in [("aiko*help", "secret"), ("aiko*help", "wrong"), ("aiko*x", "staff")]
    {
        let refused = try_login(&mut daemon.greeted(), login, password);
        assert!(refused.starts_with("-ERR [AUTH]"), "{login} {password}: {refused}");
    }
    assert_eq!(told.told().len(), 1);
}
