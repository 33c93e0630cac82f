//! The status page, from the rooms' own figures.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use auth::{Authenticator, Clock};
use pop3d::Pop3d;
use relay::RelayStats;
use spool::Spool;

use super::seams::Figures;
use crate::control::{Listening, Status};

/// Where the figures come from.
pub(super) struct Sources {
    clock: Arc<dyn Clock>,
    authenticator: Authenticator,
    pub(super) addresses: BTreeMap<String, SocketAddr>,
    pub(super) pop3: Option<Pop3d>,
    pub(super) submission: Option<submissiond::Observer>,
    pub(super) spool: Option<Spool>,
    pub(super) relay: Option<Arc<RelayStats>>,
    pub(super) figures: Vec<Figures>,
}

impl Sources {
    pub(super) fn new(clock: Arc<dyn Clock>, authenticator: Authenticator) -> Self {
        Self {
            clock,
            authenticator,
            addresses: BTreeMap::new(),
            pop3: None,
            submission: None,
            spool: None,
            relay: None,
            figures: Vec::new(),
        }
    }

    /// A function that takes the figures at the moment it is called.
    pub(super) fn into_status(self) -> Box<dyn Fn() -> Status + Send + Sync> {
        let begin = self.clock.now().mono;
        Box::new(move || Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: self.clock.now().mono.saturating_sub(begin).as_secs(),
            listeners: self
                .addresses
                .iter()
                .map(|(name, address)| Listening {
                    name: name.clone(),
                    address: address.to_string(),
                })
                .collect(),
            queued: self.spool.as_ref().map_or(0, |spool| spool.stats().queued),
            counters: self.counters(),
        })
    }

    fn counters(&self) -> Vec<(String, u64)> {
        let mut counters = Vec::new();
        let mut add = |name: &str, value: u64| counters.push((name.to_owned(), value));
        let auth = self.authenticator.statistics();
        add("auth.attempts", auth.attempts);
        add("auth.succeeded", auth.succeeded);
        add("auth.hashes", auth.hashes);
        if let Some(pop3) = &self.pop3 {
            let statistics = pop3.statistics();
            add("pop3.sessions", pop3.gate().counts().sessions as u64);
            add("pop3.logins", statistics.logins);
            add("pop3.in_use", statistics.in_use);
            add("pop3.taken_over", statistics.taken_over);
            add("pop3.too_soon", statistics.too_soon);
            add("pop3.too_many", statistics.too_many);
            add("pop3.retrieved", statistics.retrieved);
            add("pop3.removed", statistics.removed);
            add("pop3.expired", statistics.expired);
        }
        if let Some(submission) = &self.submission {
            let statistics = submission.statistics();
            add("submission.sessions", submission.gate().counts().sessions as u64);
            add("submission.accepted", statistics.messages_accepted);
            add("submission.senders_refused", statistics.senders_refused);
        }
        if let Some(spool) = &self.spool {
            let stats = spool.stats();
            add("spool.segments", stats.segments);
            add("spool.batches", stats.batches);
            add("spool.records", stats.records);
        }
        if let Some(relay) = &self.relay {
            add("relay.relayed", relay.relayed.get());
            add("relay.delivered", relay.delivered.get());
            add("relay.deferred", relay.deferred.get());
            add("relay.failed", relay.failed.get());
        }
        counters.extend(self.figures.iter().flat_map(|figures| figures()));
        counters
    }
}
