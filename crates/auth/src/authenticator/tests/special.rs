//! Logins that are more than a name and its password: master users, app passwords, passwords
//! that must be changed, sources that are down or verify themselves.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use address::{AccountKey, Mailbox};

use super::*;
use crate::testing::{TableFile, key};
use crate::{
    Account, AccountSource, Answer, AppPasswordName, AppPasswords, Credential, MasterConfig,
    Origin, PolicySpread, Service, StoredHash, Unavailable,
};

async fn login(
    auth: &Authenticator,
    login: &str,
    password: &str,
    client: &str,
) -> Result<crate::Login, Denied> {
    auth.verify(login, &Secret::from(password), &origin(client), moment(0.0)).await
}

/// `help` (password `staff`) may open accounts from 192.0.2.0/24.
fn with_masters() -> (Authenticator, Arc<TableFile>) {
    let masters = TableFile::new(&format!("help:{}\n", cheap("staff").to_field().as_str()));
    let networks = vec!["192.0.2.0/24".parse().unwrap()];
    let passwd_file = masters.config.passwd_file.clone();
    let master = MasterConfig { passwd_file, networks, ..MasterConfig::default() };
    let accounts = directory(vec![
        account("ann@example.net", cheap("right"), false),
        account("off@example.net", cheap("right"), true),
    ]);
    (Authenticator::new(&AuthConfig { master, ..config() }, accounts).unwrap(), masters)
}

#[tokio::test]
async fn a_master_user_opens_an_account_with_a_password_of_his_own() {
    let (auth, _masters) = with_masters();
    for _ in 0..2 {
        let opened = login(&auth, "Ann@Example.net*help", "staff", "192.0.2.9").await.unwrap();
        assert_eq!(opened.account.key().as_str(), "ann@example.net");
        assert_eq!(opened.acting, Some(key("help")));
    }
    let own = login(&auth, "ann@example.net", "right", "192.0.2.9").await.unwrap();
    assert_eq!(own.acting, None);
    for (name, password, client) in [
        ("ann@example.net*help", "right", "192.0.2.9"),
        ("ann@example.net*help", "staff", "203.0.113.9"),
        ("ann@example.net*nobody", "staff", "192.0.2.9"),
        ("nobody@example.net*help", "staff", "192.0.2.9"),
        ("off@example.net*help", "staff", "192.0.2.9"),
        ("ann@example.net", "staff", "192.0.2.9"),
        ("help", "staff", "192.0.2.9"),
        ("*help", "staff", "192.0.2.9"),
        ("help*ann@example.net", "right", "192.0.2.9"),
    ] {
        let denied = login(&auth, name, password, client).await.unwrap_err();
        assert_eq!(denied, Denied::Invalid, "{name} {password} {client}");
    }
    assert_eq!(auth.statistics().master, 2);
}

#[test]
fn masters_without_networks_or_with_a_letter_between_the_names_are_a_mistake() {
    let passwd_file = "/masters".into();
    let master = MasterConfig { passwd_file, ..MasterConfig::default() };
    let error = AuthConfig { master, ..config() }.check().unwrap_err();
    assert_eq!(error.key, "auth.master.networks");
    let master = MasterConfig { separator: 'x', ..MasterConfig::default() };
    assert_eq!(AuthConfig { master, ..config() }.check().unwrap_err().key, "auth.master.separator");
}

#[tokio::test]
async fn a_password_that_must_be_changed_is_told_to_whoever_knows_it_alone() {
    let stale = account("ann@example.net", cheap("right"), false).with_must_change(true);
    let config = AuthConfig { must_change_url: "https://me.example".to_owned(), ..config() };
    let auth = Authenticator::new(&config, directory(vec![stale])).unwrap();
    let denied = login(&auth, "ann@example.net", "right", "192.0.2.1").await.unwrap_err();
    assert_eq!(denied, Denied::MustChange { url: Some("https://me.example".into()) });
    assert!(denied.to_string().ends_with("changed first: https://me.example"));
    let denied = login(&auth, "ann@example.net", "wrong", "192.0.2.1").await.unwrap_err();
    assert_eq!(denied, Denied::Invalid);
    assert_eq!((auth.statistics().must_change, auth.statistics().succeeded), (1, 0));
}

/// One app password, `app-secret`, of everybody.
struct Apps(AtomicUsize);

impl AppPasswords for Apps {
    fn has_shape(&self, password: &Secret) -> bool {
        password.expose().starts_with(b"app-")
    }

    fn check<'a>(
        &'a self,
        _: &'a AccountKey,
        password: &'a Secret,
        service: Service,
        _: IpAddr,
        _: Moment,
    ) -> Answer<'a, Result<Option<AppPasswordName>, Unavailable>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let good = password.expose() == b"app-secret" && service == Service::Pop3;
        let name = good.then(|| AppPasswordName("phone".into()));
        Box::pin(std::future::ready(Ok(name)))
    }
}

#[tokio::test]
async fn an_app_password_costs_no_hash_and_opens_nothing_that_is_closed() {
    let apps = Arc::new(Apps(AtomicUsize::new(0)));
    let accounts = vec![
        account("ann@example.net", cheap("app-real"), false).with_must_change(true),
        account("bob@example.net", cheap("app-real"), false),
        account("off@example.net", cheap("right"), true),
    ];
    let auth = over(directory(accounts)).with_app_passwords(Arc::clone(&apps) as _);
    login(&auth, "ann@example.net", "app-secret", "192.0.2.1").await.unwrap();
    assert_eq!((auth.statistics().hashes, auth.statistics().app_password), (0, 1));
    login(&auth, "bob@example.net", "app-real", "192.0.2.1")
        .await
        .expect("a real password may look like one");
    assert_eq!(apps.0.load(Ordering::Relaxed), 2);
    for (name, password) in [
        ("off@example.net", "app-secret"),
        ("nobody@example.net", "app-secret"),
        ("bob@example.net", "app-wrong"),
    ] {
        let denied = login(&auth, name, password, "192.0.2.1").await.unwrap_err();
        assert_eq!(denied, Denied::Invalid, "{name}");
    }
    let submission = crate::Channel { service: Service::Submission, ..origin("::1").channel };
    let from = Origin { channel: submission, ..origin("192.0.2.1") };
    let secret = Secret::from("app-secret");
    let elsewhere = auth.verify("bob@example.net", &secret, &from, moment(0.0)).await;
    assert_eq!(elsewhere.unwrap_err(), Denied::Invalid);
}

/// A source that verifies the passwords of `ann` itself, unless it is down.
struct Elsewhere {
    version: Option<&'static str>,
    down: bool,
    asked: AtomicUsize,
}

impl AccountSource for Elsewhere {
    fn name(&self) -> &str {
        "elsewhere"
    }

    fn find<'a>(
        &'a self,
        wanted: &'a AccountKey,
    ) -> Answer<'a, Result<Option<Arc<Account>>, Unavailable>> {
        let credential = Credential::AtSource { version: self.version.map(Into::into) };
        let known = *wanted == key("ann@example.net");
        let account = known.then(|| {
            let addresses = vec![Mailbox::parse("ann@example.net").unwrap()];
            Arc::new(Account::new(wanted.clone(), addresses, credential, "/m".into(), false))
        });
        Box::pin(std::future::ready(Ok(account)))
    }

    fn owners<'a>(&'a self, _: &'a Mailbox) -> Answer<'a, Result<Vec<Arc<Account>>, Unavailable>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn page<'a>(
        &'a self,
        _: Option<&'a AccountKey>,
        _: usize,
    ) -> Answer<'a, Result<Option<Vec<Arc<Account>>>, Unavailable>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn verify<'a>(
        &'a self,
        _: &'a Arc<Account>,
        password: &'a Secret,
        _: &'a Origin,
    ) -> Answer<'a, Result<bool, Unavailable>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let unavailable =
            Unavailable { source_name: "elsewhere".to_owned(), problem: "it is down".to_owned() };
        let answer = if self.down { Err(unavailable) } else { Ok(password.expose() == b"right") };
        Box::pin(std::future::ready(answer))
    }

    fn policies(&self) -> PolicySpread {
        PolicySpread::default()
    }
}

async fn asked_of(version: Option<&'static str>, down: bool) -> (Vec<Result<(), Denied>>, usize) {
    let source = Arc::new(Elsewhere { version, down, asked: AtomicUsize::new(0) });
    let chain = Directory::chain(vec![Arc::clone(&source) as _], None).unwrap();
    let auth = over(chain);
    let mut answers = Vec::new();
    for (name, password) in [
        ("ann@example.net", "right"),
        ("ann@example.net", "right"),
        ("ann@example.net", "wrong"),
        ("ann@example.net", "wrong"),
        ("zoe@example.net", "right"),
    ] {
        answers.push(login(&auth, name, password, "192.0.2.1").await.map(|_| ()));
    }
    (answers, source.asked.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_source_that_verifies_itself_is_asked_again_unless_it_says_what_changes() {
    let invalid = || Err(Denied::Invalid);
    let expected = vec![Ok(()), Ok(()), invalid(), invalid(), invalid()];
    assert_eq!(asked_of(None, false).await, (expected.clone(), 4));
    assert_eq!(asked_of(Some("v1"), false).await, (expected, 2), "once for each password");
}

#[tokio::test]
async fn a_source_that_is_down_is_no_wrong_password() {
    let (answers, _) = asked_of(None, true).await;
    assert_eq!(answers[..4], vec![Err(Denied::Unavailable); 4]);
    assert_eq!(answers[4], Err(Denied::Invalid), "nobody of that name has to be asked about");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_answered_at_the_same_time_whatever_was_asked_before() {
    let delay = Duration::from_millis(500);
    let config = AuthConfig { failure_delay: delay, ..config() };
    for (slow, name) in [(0, "ann"), (200, "ann"), (0, "zoe"), (499, "zoe")] {
        let chain = Directory::chain(vec![Arc::new(Slow(slow))], None).unwrap();
        let auth = Authenticator::new(&config, chain).unwrap();
        let begun = tokio::time::Instant::now();
        let name = format!("{name}@example.net");
        let denied = login(&auth, &name, "wrong", "192.0.2.1").await.unwrap_err();
        assert_eq!((denied, begun.elapsed()), (Denied::Invalid, delay), "{name} after {slow} ms");
    }
}

/// Takes so many milliseconds to find `ann`, or nobody.
struct Slow(u64);

impl AccountSource for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn find<'a>(
        &'a self,
        wanted: &'a AccountKey,
    ) -> Answer<'a, Result<Option<Arc<Account>>, Unavailable>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(self.0)).await;
            let known = *wanted == key("ann@example.net");
            Ok(known.then(|| Arc::new(account("ann@example.net", plain("right"), false))))
        })
    }

    fn owners<'a>(&'a self, _: &'a Mailbox) -> Answer<'a, Result<Vec<Arc<Account>>, Unavailable>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn page<'a>(
        &'a self,
        _: Option<&'a AccountKey>,
        _: usize,
    ) -> Answer<'a, Result<Option<Vec<Arc<Account>>>, Unavailable>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn policies(&self) -> PolicySpread {
        PolicySpread::default()
    }

    fn decoy(&self, _: u64) -> Option<Arc<StoredHash>> {
        Some(Arc::new(plain("nobody's")))
    }
}
