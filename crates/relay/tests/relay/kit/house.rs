//! A spool, accounts of which one has no Maildir yet, a clock that stands still, and a relay on top.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use address::{AccountKey, Mailbox, ReversePath};
use auth::{
    Account, Attempt, Chain, Channel, Clock, Directory, Login, ManualClock, Permit, Service,
    SmtpAuth, StoredHash, authorize,
};
use envelope::Coding;
use netio::{Drain, DrainTrigger};
use relay::config::{HopConfig, Hops, Period, RouteConfig, Timeouts, TlsPolicy};
use relay::{LocalAccounts, NextHopConfig, Relay, RelayConfig, RelayStats, Router, Settings};
use spool::{Envelope, Filter, QueueEntry, QueueId, Recipient, Spool, SpoolConfig, Wishes};
use tempfile::TempDir;

/// How long what must come true may take; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything but the next hop.
pub(crate) struct House {
    pub(crate) directory: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) spool: Spool,
    pub(crate) config: RelayConfig,
    pub(crate) timeouts: Timeouts,
    /// What is asked for mail exchangers, instead of the DNS.
    pub(crate) resolver: Option<mx::Resolver>,
    /// What senders wish.
    pub(crate) wishes: Wishes,
    accounts: Directory,
}

/// A relay at work.
pub(crate) struct Running {
    pub(crate) stats: Arc<RelayStats>,
    pub(crate) router: Router,
    trigger: DrainTrigger,
    task: tokio::task::JoinHandle<()>,
}

impl House {
    /// A house whose relay sends to `next_hop`.
    pub(crate) fn new(next_hop: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse().unwrap()));
        let spool = try_open_spool(&directory, &clock).unwrap();
        let accounts = Directory::from_accounts(accounts(&directory), None).unwrap();
        let config = RelayConfig {
            next_hop: Some(NextHopConfig {
                address: next_hop.to_owned(),
                tls: TlsPolicy::None,
                ..NextHopConfig::default()
            }),
            local_domains: vec!["example.org".to_owned()],
            connection_idle: Period::from_secs(1),
            ..RelayConfig::default()
        };
        let (timeouts, resolver, wishes) = (Timeouts::default(), None, Wishes::default());
        Self { directory, clock, spool, config, timeouts, resolver, wishes, accounts }
    }

    /// Gives an account a limit in octets.
    pub(crate) fn limit(&mut self, name: &str, octets: u64) {
        let quota = auth::Quota { octets: Some(octets), messages: None };
        let policy = auth::AccountPolicy { quota: Some(quota), ..auth::AccountPolicy::default() };
        let limited = accounts(&self.directory).into_iter().map(|account| {
            let meant = account.key().as_str().starts_with(name);
            if meant { account.with_policy(policy.clone()) } else { account }
        });
        self.accounts = Directory::from_accounts(limited.collect(), None).unwrap();
    }

    pub(crate) fn hop(&mut self) -> &mut NextHopConfig {
        self.config.next_hop.as_mut().unwrap()
    }

    /// Another hop, without TLS.
    pub(crate) fn name_hop(&mut self, name: &str, address: &str) -> &mut HopConfig {
        let (name, address, tls) = (name.to_owned(), address.to_owned(), TlsPolicy::None);
        let hop = HopConfig { name, address, tls, ..HopConfig::default() };
        self.config.hop.push(hop);
        self.config.hop.last_mut().unwrap()
    }

    /// Another route, behind those that are there.
    pub(crate) fn route(&mut self, domains: &[&str], hops: &[&[&str]]) -> &mut RouteConfig {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let hops = Hops(hops.iter().map(|group| owned(group)).collect());
        let route = RouteConfig { domains: owned(domains), hops, ..RouteConfig::default() };
        self.config.route.push(route);
        self.config.route.last_mut().unwrap()
    }

    pub(crate) fn settings(&self) -> Settings {
        let settings = self.config.resolve("mail.example.org").unwrap();
        Settings { timeouts: self.timeouts, resolver: self.resolver.clone(), ..settings }
    }

    /// Starts the relay.
    pub(crate) fn run(&self) -> Running {
        self.run_with(|relay| relay)
    }

    /// The same, and `observer` is told of failures.
    pub(crate) fn run_observed(&self, observer: Arc<dyn relay::FailureObserver>) -> Running {
        self.run_with(|relay| relay.observed_by(observer))
    }

    fn run_with(&self, adorn: impl FnOnce(Relay) -> Relay) -> Running {
        let settings = self.settings();
        let local = LocalAccounts::new(self.accounts.clone(), &settings.local_domains);
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        let relay = Relay::new(&settings, self.spool.clone(), Arc::new(local), clock).unwrap();
        let relay = adorn(relay);
        let (stats, router) = (relay.stats(), relay.router());
        let (trigger, drain) = Drain::new();
        Running { stats, router, trigger, task: tokio::spawn(relay.run(drain)) }
    }

    /// Closes the spool and opens it again, as a restart does. Tasks of a relay that was killed
    /// may hold it a moment longer.
    pub(crate) async fn reopen_spool(self) -> Self {
        let Self { directory, clock, spool, config, timeouts, resolver, wishes, accounts } = self;
        spool.close().await;
        let mut opened = None;
        eventually("the spool is free", || {
            opened = try_open_spool(&directory, &clock).ok();
            opened.is_some()
        })
        .await;
        let spool = opened.unwrap();
        Self { directory, clock, spool, config, timeouts, resolver, wishes, accounts }
    }

    /// Queues a message as a customer would. `from` may be `<>`.
    pub(crate) async fn submit(&self, from: &str, to: &[&str], text: &[u8]) -> QueueId {
        self.submit_flagged(from, to, text, false, false).await
    }

    pub(crate) async fn submit_flagged(
        &self,
        from: &str,
        to: &[&str],
        text: &[u8],
        eight_bit: bool,
        smtputf8: bool,
    ) -> QueueId {
        let coding = if eight_bit { Coding::EightBit } else { Coding::SevenBit };
        let adorn = |envelope: &mut Envelope| {
            envelope.coding = coding;
            envelope.smtputf8 = smtputf8;
        };
        self.submit_as(from, to, text, adorn).await
    }

    /// As [`Self::submit`], and `adorn` sets what else is in the envelope.
    pub(crate) async fn submit_as(
        &self,
        from: &str,
        to: &[&str],
        text: &[u8],
        adorn: impl FnOnce(&mut Envelope),
    ) -> QueueId {
        let sender = ReversePath::parse(&format!("<{}>", from.trim_matches(['<', '>']))).unwrap();
        let permit = self.permit(&sender).await;
        let mut draft = self.spool.draft().unwrap();
        draft.write(text).await.unwrap();
        let recipients = to.iter().map(|to| Recipient::new(Mailbox::parse(to).unwrap()));
        let mut envelope = Envelope {
            sender,
            recipients: recipients.collect(),
            smtputf8: false,
            coding: Coding::SevenBit,
            wishes: self.wishes.clone(),
            received_at: self.clock.now().wall,
        };
        adorn(&mut envelope);
        self.spool.intake(&permit, envelope, draft).await.unwrap()
    }

    async fn permit(&self, sender: &ReversePath) -> Permit {
        let accounts = self.accounts.blocking().all().unwrap();
        let owns = |a: &&Arc<Account>| sender.mailbox().is_none_or(|mailbox| a.owns(mailbox));
        let account = Arc::clone(accounts.iter().find(owns).unwrap());
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let channel = Channel { service: Service::Submission, tls: true, genuine_address: true };
        let at = self.clock.now();
        let login = Login { account, client, channel, at, acting: None };
        let attempt = Attempt {
            client,
            genuine_address: true,
            login: Some(&login),
            failed_auth: false,
            sender,
            helo: "client.example",
            extended: true,
            tls: true,
            listener: "submission",
            at,
        };
        let chain = Chain::new(vec![Arc::new(SmtpAuth)], Vec::new());
        authorize(&chain, &attempt).await.unwrap()
    }

    pub(crate) async fn queue(&self) -> Vec<QueueEntry> {
        self.spool.list(Filter::default()).await
    }

    /// Has the relay look at the clock, which it otherwise does once a second.
    fn wake(&self) {
        self.spool.bring_forward(&[]);
    }

    /// Waits until nothing is queued.
    pub(crate) async fn emptied(&self) {
        let start = Instant::now();
        while self.spool.stats().queued > 0 {
            if start.elapsed() > PATIENCE {
                panic!("still queued: {:#?}", self.queue().await);
            }
            self.wake();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until nothing is due or being delivered.
    pub(crate) async fn settled(&self, running: &Running) {
        eventually("nothing is due", || {
            self.wake();
            let now = self.clock.now().wall;
            let due = self.spool.next_due().is_some_and(|due| due <= now);
            let stats = self.spool.stats();
            !due && stats.in_delivery == 0 && running.stats.in_flight.get() == 0
        })
        .await;
    }

    pub(crate) fn maildir(&self, name: &str) -> PathBuf {
        self.directory.path().join("home").join(name)
    }

    /// The messages in a Maildir, oldest first.
    pub(crate) fn mail_of(&self, name: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.maildir(name).join("new")) else {
            return Vec::new();
        };
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort_by_key(|file| std::fs::metadata(file).unwrap().modified().unwrap());
        let read =
            |file: &PathBuf| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        files.iter().map(read).collect()
    }
}

impl Running {
    /// Asks it to end and waits for that.
    pub(crate) async fn stop(self) {
        self.trigger.request();
        tokio::time::timeout(Duration::from_secs(20), self.task).await.unwrap().unwrap();
    }

    /// Cuts it off, as a crash would.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Waits for something that must come true; the machine may be busy.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "still not so: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn try_open_spool(
    directory: &TempDir,
    clock: &Arc<ManualClock>,
) -> Result<Spool, spool::SpoolError> {
    let config = SpoolConfig {
        segment_size: spool::Size::mib(4),
        free_space_min: spool::Size::mib(1),
        free_inodes_min: 1,
        ..SpoolConfig::at(directory.path().join("spool"))
    };
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    Spool::open(&config, clock).map(|(spool, _)| spool)
}

fn accounts(directory: &TempDir) -> Vec<Account> {
    let home = directory.path().join("home");
    for name in ["aiko", "ben"] {
        maildrop::create(&home.join(name)).unwrap();
    }
    let account = |name: &str, addresses: &[&str]| {
        let addresses = addresses.iter().map(|text| Mailbox::parse(text).unwrap()).collect();
        let key = AccountKey::parse(&format!("{name}@example.org"), None).unwrap();
        let hash = StoredHash::parse("{PLAIN}geheim").unwrap();
        Account::new(key, addresses, hash, home.join(name), false)
    };
    vec![
        account("aiko", &["aiko@example.org", "aiko@elsewhere.example", "愛子@example.org"]),
        account("ben", &["ben@example.org"]),
        account("carl", &["carl@example.org", "charles@example.org"]),
    ]
}
