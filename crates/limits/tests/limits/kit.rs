//! Limits in a directory of their own, with a clock that stands still.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use address::{AccountKey, Mailbox};
use auth::{Clock, ManualClock, Moment};
use limits::{Limits, LimitsConfig, Ruling, Verdict, Who};

pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);

pub(crate) struct House {
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) directory: Arc<tempfile::TempDir>,
    section: LimitsConfig,
}

/// Who sends, as tests write it.
#[derive(Clone)]
pub(crate) struct Sender {
    pub(crate) account: AccountKey,
    pub(crate) client: &'static str,
    pub(crate) listener: &'static str,
    pub(crate) profile: Option<&'static str>,
}

impl Sender {
    pub(crate) fn who(&self) -> Who<'_> {
        Who {
            account: &self.account,
            client: (!self.client.is_empty()).then(|| self.client.parse().unwrap()),
            listener: self.listener,
            profile: self.profile,
        }
    }
}

pub(crate) fn sender(account: &str) -> Sender {
    let account = AccountKey::parse(account, None).unwrap();
    Sender { account, client: "192.0.2.1", listener: "submission", profile: None }
}

pub(crate) fn from(account: &str, client: &'static str) -> Sender {
    Sender { client, ..sender(account) }
}

pub(crate) fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

impl House {
    pub(crate) fn new(section: &str) -> Self {
        let clock = ManualClock::new("2026-11-24T12:00:00Z".parse().unwrap());
        Self::at(section, Arc::new(tempfile::tempdir().unwrap()), Arc::new(clock))
    }

    pub(crate) fn at(
        section: &str,
        directory: Arc<tempfile::TempDir>,
        clock: Arc<ManualClock>,
    ) -> Self {
        let section: LimitsConfig = toml::from_str(section).unwrap();
        let limits = Limits::open(&section, directory.path(), clock.clone()).unwrap();
        Self { limits, clock, directory, section }
    }

    /// The same after the process has died, with what was on disk.
    pub(crate) fn restarted(&self) -> Self {
        self.restarted_with(self.clock.clone())
    }

    pub(crate) fn restarted_with(&self, clock: Arc<ManualClock>) -> Self {
        let limits = Limits::open(&self.section, self.directory.path(), clock.clone()).unwrap();
        let (directory, section) = (self.directory.clone(), self.section.clone());
        Self { limits, clock, directory, section }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// `MAIL` alone.
    pub(crate) async fn mail(&self, sender: &Sender) -> Verdict {
        self.limits.mail(&sender.who(), self.now()).await
    }

    /// The end of data of a message.
    pub(crate) async fn rule(&self, sender: &Sender, to: &[Mailbox], octets: u64) -> Ruling {
        self.limits.message(&sender.who(), to, octets, self.now()).await
    }

    /// A whole transaction of 2 KB: what it ended with.
    pub(crate) async fn send(&self, sender: &Sender, to: &[Mailbox]) -> Verdict {
        match self.mail(sender).await {
            Verdict::Pass => {}
            refused => return refused,
        }
        for (so_far, recipient) in (0..).zip(to) {
            let at = self.now();
            match self.limits.recipient(&sender.who(), recipient, so_far, at).await {
                Verdict::Pass => {}
                refused => return refused,
            }
        }
        let ruling = self.rule(sender, to, 2000).await;
        if let Some(charge) = ruling.charge {
            charge.keep();
        }
        ruling.verdict
    }

    /// Sends to a friend until it is not taken any more, at most `most` times.
    pub(crate) async fn sent(&self, sender: &Sender, most: u32) -> u32 {
        let friend = [mailbox("friend@b.example")];
        for count in 0..most {
            if self.send(sender, &friend).await != Verdict::Pass {
                return count;
            }
        }
        most
    }

    pub(crate) fn count(&self, sender: &Sender, limit: &str) -> u64 {
        let figures = self.limits.figures(&sender.account, sender.profile, self.now());
        figures.figures.iter().find(|figure| figure.limit == limit).unwrap().count
    }
}

pub(crate) fn is_deferred(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Defer { .. })
}
