//! A whole daemon on loopback, with accounts, a spool and an authority that tests can steer.

pub(crate) mod client;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use address::{AccountKey, Mailbox};
use auth::{
    Account, Allowance, Answer, Attempt, AuthConfig, Authenticator, Chain, Directory, Permit,
    Refusal, Ruling, Settlement, SmtpAuth, StoredHash, SubmissionAuthority, SystemClock,
};
use netio::{Drain, DrainTrigger, Tls, TlsConfig, TlsMode};
use spool::{Envelope, Origin, Spool, SpoolConfig};
use submissiond::{Means, Observer, SubmissionConfig, Submissiond};
use tempfile::TempDir;

pub(crate) use client::Client;

/// What the daemon is to be.
pub(crate) struct Plan {
    pub(crate) config: String,
    /// `[limits]` and `[filter]`, if anybody is asked beside the authorities.
    pub(crate) checks: Option<Checks>,
    pub(crate) spool: Box<dyn FnOnce(&mut SpoolConfig)>,
    /// What is written into headers, and who signs.
    pub(crate) header: submissiond::HeaderOptions,
    pub(crate) signer: Option<dkim::Signer>,
    /// Who verifies logins; anna and ben and their likes, if nobody else.
    pub(crate) authenticator: Option<Authenticator>,
}

/// Those who are asked beside the authorities.
pub(crate) struct Checks {
    pub(crate) limits: &'static str,
    pub(crate) filter: String,
}

impl Plan {
    pub(crate) fn new(config: impl Into<String>) -> Self {
        Self {
            config: config.into(),
            checks: None,
            spool: Box::new(|_| {}),
            header: submissiond::HeaderOptions::default(),
            signer: None,
            authenticator: None,
        }
    }
}

/// One listener, without TLS, with SMTP AUTH and the steered authority.
pub(crate) const LEGACY: &str = r#"
    [[listen]]
    name = "legacy"
    address = "127.0.0.1:0"
    tls = "none"
    authorities = ["smtp-auth", "steered"]
"#;

/// The same, but mail from elsewhere comes in too.
pub(crate) const RECEIVING: &str = r#"
    [[listen]]
    name = "legacy"
    address = "127.0.0.1:0"
    tls = "none"
    authorities = ["smtp-auth", "steered"]
    receives_local_mail = true
"#;

/// The two ports of RFC 8314.
pub(crate) const SUBMISSION: &str = r#"
    [[listen]]
    name = "submission"
    address = "127.0.0.1:0"

    [[listen]]
    name = "submissions"
    address = "127.0.0.1:0"
    tls = "implicit"
"#;

/// A running daemon.
pub(crate) struct Daemon {
    pub(crate) addresses: HashMap<String, SocketAddr>,
    pub(crate) spool: Spool,
    pub(crate) limits: Option<limits::Limits>,
    pub(crate) steered: Arc<Steered>,
    pub(crate) trigger: DrainTrigger,
    pub(crate) observer: Observer,
    pub(crate) certificate: Vec<u8>,
    directory: TempDir,
}

/// A message that lies in the spool.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) envelope: Envelope,
    pub(crate) origin: Origin,
    pub(crate) text: Vec<u8>,
}

impl Queued {
    pub(crate) fn recipients(&self) -> Vec<String> {
        self.envelope.recipients.iter().map(|r| r.mailbox.to_string()).collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.text.clone()).unwrap()
    }
}

pub(crate) async fn start(listeners: &str) -> Daemon {
    start_plan(Plan::new(listeners)).await
}

pub(crate) async fn start_plan(plan: Plan) -> Daemon {
    let directory = tempfile::tempdir().unwrap();
    let config: SubmissionConfig = toml::from_str(&plan.config).unwrap();
    let clock = Arc::new(SystemClock::new());
    let mut spool_config = SpoolConfig {
        free_space_min: spool::Size(0),
        free_inodes_min: 0,
        segment_size: spool::Size::mib(1),
        ..SpoolConfig::at(directory.path().join("spool"))
    };
    (plan.spool)(&mut spool_config);
    let (spool, _) = Spool::open(&spool_config, clock.clone()).unwrap();
    let wants_tls = config.listen.iter().any(|listen| listen.tls != TlsMode::None);
    let (tls, certificate) = if wants_tls { self_signed(&directory) } else { (None, Vec::new()) };
    let accounts = plan.authenticator.unwrap_or_else(accounts);
    let (mut limits, mut filters) = (None, filter::FilterConfig::default());
    if let Some(checks) = plan.checks {
        let config = toml::from_str(checks.limits).unwrap();
        let at = directory.path().join("limits");
        limits = Some(limits::Limits::open(&config, &at, clock.clone()).unwrap());
        filters = toml::from_str(&checks.filter).unwrap();
    }
    let steered = Arc::new(Steered::new(Arc::new(account("anna", &["anna@example.net"]))));
    let means = Means {
        limits: limits.clone(),
        filters: filter::Filters::new(&filters).unwrap(),
        signer: plan.signer,
        header: plan.header,
        hostname: "mail.example.net".into(),
        authenticator: accounts,
        spool: spool.clone(),
        clock,
        tls,
        local_domains: vec!["example.net".parse().unwrap()],
    };
    let chain_of = |listen: &submissiond::SubmissionListen| {
        let authority = |name: &String| -> Arc<dyn SubmissionAuthority> {
            if name == SmtpAuth::NAME { Arc::new(SmtpAuth) } else { steered.clone() }
        };
        Chain::new(listen.authorities.iter().map(authority).collect(), Vec::new())
    };
    let daemon = Submissiond::bind(&config, means, chain_of).unwrap();
    let addresses = daemon.local_addrs().map(|(name, at)| (name.to_owned(), at)).collect();
    let observer = daemon.observer();
    let (trigger, drain) = Drain::new();
    tokio::spawn(async move { daemon.serve(drain).await.unwrap() });
    Daemon { addresses, spool, limits, steered, trigger, observer, certificate, directory }
}

impl Daemon {
    pub(crate) async fn client(&self, listener: &str) -> Client {
        Client::connect(self.addresses[listener]).await
    }

    pub(crate) fn spool_directory(&self) -> PathBuf {
        self.directory.path().join("spool")
    }

    /// A client that has said EHLO on the legacy listener.
    pub(crate) async fn legacy(&self) -> Client {
        let mut client = self.client("legacy").await;
        assert_eq!(client.reply().await, "220 mail.example.net ESMTP Lastpost ready");
        client.say("EHLO client").await;
        client
    }

    /// As [`Self::legacy`], authenticated as anna.
    pub(crate) async fn anna(&self) -> Client {
        let mut client = self.legacy().await;
        client.expect(ANNAS_PASSWORD, "235 2.7.0").await;
        client
    }

    /// Everything in the spool, in order of arrival.
    pub(crate) async fn queued(&self) -> Vec<Queued> {
        let mut queued = Vec::new();
        for job in self.spool.claim("2100-01-01T00:00:00Z".parse().unwrap(), 100_000).await {
            let mut text = Vec::new();
            let mut body = job.body().await.unwrap();
            while let Some(block) = body.next().await.unwrap() {
                text.extend_from_slice(&block);
            }
            let (envelope, origin) = (job.envelope().clone(), job.origin().clone());
            queued.push((job.id(), Queued { envelope, origin, text }));
        }
        queued.sort_by_key(|(id, _)| *id);
        queued.into_iter().map(|(_, message)| message).collect()
    }
}

/// Waits until `done` says so.
pub(crate) async fn eventually(done: impl Fn() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain");
}

/// `anna`, `secret`.
pub(crate) const ANNAS_PASSWORD: &str = "AUTH PLAIN AGFubmFAZXhhbXBsZS5uZXQAc2VjcmV0";
/// `anna`, `wrong`.
pub(crate) const WRONG_PASSWORD: &str = "AUTH PLAIN AGFubmFAZXhhbXBsZS5uZXQAd3Jvbmc=";

pub(crate) fn account(name: &str, addresses: &[&str]) -> Account {
    Account::new(
        AccountKey::parse(&format!("{name}@example.net"), None).unwrap(),
        addresses.iter().map(|address| Mailbox::parse(address).unwrap()).collect(),
        StoredHash::parse("{PLAIN}secret").unwrap(),
        format!("/nonexistent/{name}").into(),
        false,
    )
}

fn accounts() -> Authenticator {
    authenticator(AuthConfig::default(), the_usual())
}

/// The accounts of every daemon that is not asked for others.
pub(crate) fn the_usual() -> Vec<Account> {
    vec![
        account("anna", &["anna@example.net", "meier@example.net"]),
        account("ben", &["ben@example.net"]),
        account("post", &["postmaster@mail.example.net"]),
    ]
}

/// An authenticator over `accounts` that makes nobody wait.
pub(crate) fn authenticator(config: AuthConfig, accounts: Vec<Account>) -> Authenticator {
    let domain = Some("example.net".parse().unwrap());
    over(config, Directory::from_accounts(accounts, domain).unwrap())
}

/// The same over any directory.
pub(crate) fn over(config: AuthConfig, directory: Directory) -> Authenticator {
    let config = AuthConfig { failure_delay: Duration::ZERO, ..config };
    Authenticator::new(&config, directory).unwrap()
}

fn self_signed(directory: &TempDir) -> (Option<Tls>, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(["mail.example.net".to_owned()]).unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let config = TlsConfig { certificate, key, client_ca: None, named: Vec::new() };
    (Some(Tls::load(&config).unwrap()), made.cert.der().to_vec())
}

/// An authority that says what the test wants, and notes what it was asked and told.
pub(crate) struct Steered {
    account: Arc<Account>,
    pub(crate) says: Mutex<Says>,
    pub(crate) asked: AtomicUsize,
    pub(crate) settled: Mutex<Vec<Settlement>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Says {
    Abstain,
    AllowAnna { recipients_max: Option<u32> },
    Refuse(Refusal),
}

impl Steered {
    fn new(account: Arc<Account>) -> Self {
        Self {
            account,
            says: Mutex::new(Says::Abstain),
            asked: AtomicUsize::new(0),
            settled: Mutex::default(),
        }
    }

    pub(crate) fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until so many permits were settled.
    pub(crate) async fn settlements(&self, count: usize) -> Vec<Settlement> {
        for _ in 0..500 {
            let settled = self.settled.lock().unwrap().clone();
            if settled.len() >= count {
                return settled;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not {count} settlements: {:?}", self.settled.lock().unwrap());
    }
}

impl SubmissionAuthority for Steered {
    fn name(&self) -> &'static str {
        "steered"
    }

    fn rule<'a>(&'a self, attempt: &'a Attempt<'a>) -> Answer<'a, Ruling> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert!(attempt.login.is_none() && !attempt.failed_auth, "asked in spite of AUTH");
        let ruling = match self.says.lock().unwrap().clone() {
            Says::Abstain => Ruling::Abstain,
            Says::Refuse(refusal) => Ruling::Refuse(refusal),
            Says::AllowAnna { recipients_max } => {
                Ruling::Allow(Allowance { account: Arc::clone(&self.account), recipients_max })
            }
        };
        Box::pin(std::future::ready(ruling))
    }

    fn settle(&self, permit: &Permit, settlement: Settlement) {
        assert_eq!(permit.authority(), "steered");
        self.settled.lock().unwrap().push(settlement);
    }
}
