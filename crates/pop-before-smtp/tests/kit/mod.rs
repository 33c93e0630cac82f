//! A provider with a few customers, a clock that obeys, and a bridge.

#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use address::{AccountKey, Domain, Mailbox, ReversePath};
use auth::{
    Account, Attempt, Chain, Channel, Clock, Directory, Login, ManualClock, Permit, Refusal,
    Service, Settlement, SmtpAuth, StoredHash, SubmissionAuthority, authorize,
};
use pop_before_smtp::{Bridge, BridgeConfig, Published};

/// The day of the tests.
pub(crate) const TODAY: &str = "2027-02-20T12:00:00Z";

/// Three cohorts: `open.example` is open, `notice.example` in notice, `closed.example` closed
/// since 10 January; `brown.example` browns out on Saturdays (like the day of the tests) from
/// noon to two.
pub(crate) const SCHEDULE: &str = r#"
[schedule]
zone = "UTC"
[[schedule.cohort]]
name = "closed"
domains = ["closed.example"]
notice = 2026-12-01
closed = 2027-01-10
[[schedule.cohort]]
name = "brown"
domains = ["brown.example"]
brownout = 2027-02-01
brownout_windows = [{ days = ["sat"], from = "12:00", to = "14:00" }]
closed = 2027-04-01
[[schedule.cohort]]
name = "notice"
domains = ["notice.example"]
notice = 2027-02-01
closed = 2027-03-01
[[schedule.cohort]]
name = "open"
rest = true
"#;

pub(crate) const HOME: &str = "198.51.100.7";
pub(crate) const ELSEWHERE: &str = "203.0.113.9";

/// What `pop-before-smtp.toml` begins with; the schedule follows.
pub(crate) const ENABLED: &str = "enabled = true\nreply.help_url = \"https://isp.example/mail\"\n\
                           ledger.path = \"ledger.sqlite\"\nsocket.path = \"grants.sock\"\n";

pub(crate) struct Provider {
    pub(crate) bridge: Arc<Bridge>,
    pub(crate) chain: Chain,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) directory: Directory,
    pub(crate) file: PathBuf,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) fn account(name: &str) -> Account {
    let key = AccountKey::parse(name, None).unwrap();
    let mut addresses = vec![Mailbox::parse(name).unwrap()];
    if name == "alice@open.example" {
        addresses.push(Mailbox::parse("sales@open.example").unwrap());
    }
    let hash = StoredHash::parse("{PLAIN}secret").unwrap();
    Account::new(key, addresses, hash, PathBuf::from("/nowhere"), name.starts_with("gone"))
}

pub(crate) fn directory() -> Directory {
    let mut names: Vec<String> = Vec::new();
    for domain in ["open", "notice", "brown", "closed"] {
        for name in ["alice", "bob", "carol", "dave", "gone"] {
            names.push(format!("{name}@{domain}.example"));
        }
    }
    names.extend((0..50).map(|n| format!("crowd{n}@open.example")));
    let accounts = names.iter().map(|name| account(name)).collect();
    Directory::from_accounts(accounts, Domain::parse("open.example").ok()).unwrap()
}

impl Provider {
    /// A provider with the default file, and `more` keys in it.
    pub(crate) fn with(more: &str) -> Self {
        Self::with_file(&format!("{ENABLED}{more}\n{SCHEDULE}"))
    }

    pub(crate) fn with_file(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pop-before-smtp.toml");
        std::fs::write(&file, text).unwrap();
        let clock = Arc::new(ManualClock::new(TODAY.parse().unwrap()));
        let directory = directory();
        let config = BridgeConfig::load(&file, directory.default_domain())
            .unwrap_or_else(|error| panic!("{error}"));
        let bridge = Arc::new(Bridge::start(config, directory.clone(), clock.now()).unwrap());
        let authorities: Vec<Arc<dyn SubmissionAuthority>> =
            vec![Arc::new(SmtpAuth), Arc::clone(&bridge) as _];
        let chain = Chain::new(authorities, Vec::new());
        Self { bridge, chain, clock, directory, file, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn login(&self, name: &str, client: &str) -> Login {
        Login {
            account: {
                let key = AccountKey::parse(name, None).unwrap();
                self.directory.blocking().find(&key).unwrap().unwrap()
            },
            client: client.parse().unwrap(),
            channel: Channel { service: Service::Pop3, tls: true, genuine_address: true },
            at: self.clock.now(),
            acting: None,
        }
    }

    /// `name` fetches mail from `client`.
    pub(crate) fn fetch(&self, name: &str, client: &str) -> Published {
        self.bridge.publish(&self.login(name, client))
    }

    /// Somebody at `client` says `MAIL FROM:<sender>`.
    pub(crate) fn mail(&self, sender: &str, client: &str) -> Result<Permit, Refusal> {
        self.mail_as(sender, client, |_| {})
    }

    pub(crate) fn mail_as(
        &self,
        sender: &str,
        client: &str,
        change: impl FnOnce(&mut Attempt<'_>),
    ) -> Result<Permit, Refusal> {
        self.attempt(sender, client, None, change)
    }

    /// The same in a session that authenticated as `login`.
    pub(crate) fn mail_with(
        &self,
        login: &Login,
        sender: &str,
        client: &str,
    ) -> Result<Permit, Refusal> {
        self.attempt(sender, client, Some(login), |_| {})
    }

    fn attempt(
        &self,
        sender: &str,
        client: &str,
        login: Option<&Login>,
        change: impl FnOnce(&mut Attempt<'_>),
    ) -> Result<Permit, Refusal> {
        let sender = ReversePath::parse(&format!("<{sender}>")).unwrap();
        let mut attempt = Attempt {
            client: client.parse().unwrap(),
            genuine_address: true,
            login,
            failed_auth: false,
            sender: &sender,
            helo: "desktop",
            extended: true,
            tls: false,
            listener: "legacy",
            at: self.clock.now(),
        };
        change(&mut attempt);
        now(authorize(&self.chain, &attempt))
    }

    /// The reason of a refusal, or `allowed`; what is allowed is given up again.
    pub(crate) fn outcome(&self, sender: &str, client: &str) -> &'static str {
        match self.mail(sender, client) {
            Ok(permit) => {
                self.settle(&permit, false, 0);
                "allowed"
            }
            Err(refusal) => refusal.reason,
        }
    }

    pub(crate) fn settle(&self, permit: &Permit, accepted: bool, recipients: u32) {
        self.chain.settle(permit, Settlement { accepted, recipients, octets: 1_000 });
    }

    /// `MAIL`, one recipient, a message that is accepted.
    pub(crate) fn send(&self, sender: &str, client: &str) -> Result<(), Refusal> {
        let permit = self.mail(sender, client)?;
        assert!(permit.may_send_as(&Mailbox::parse(sender).unwrap()));
        self.settle(&permit, true, 1);
        Ok(())
    }
}

/// The result of a future that is ready at once, as all of the bridge's are.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the bridge must not wait"),
    }
}

/// Reads the files of the accounts again.
pub(crate) fn reread(directory: &Directory) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(directory.reload()).unwrap();
}
