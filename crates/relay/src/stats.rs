//! Counters for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

/// What the relay has done since it started. All but the gauges only rise.
#[derive(Debug, Default)]
pub struct RelayStats {
    /// Recipients delivered to a next hop.
    pub relayed: Counter,
    /// Recipients delivered into a Maildir.
    pub delivered: Counter,
    /// Attempts on a recipient that failed for the time being.
    pub deferred: Counter,
    /// Recipients given up because they were refused.
    pub failed: Counter,
    /// Recipients given up because the message had become too old.
    pub expired: Counter,
    /// Reports of failures put into the queue, without copies to the postmaster.
    pub reports: Counter,
    /// Reports of delays put into the queue.
    pub delay_reports: Counter,
    /// Reports of success put into the queue.
    pub success_reports: Counter,
    /// Recipients given up of which nobody could be told, for the message had no sender.
    pub unreported: Counter,
    /// Connections to a next hop that came to take mail.
    pub connections: Counter,
    /// Connections that did not come about.
    pub connections_failed: Counter,
    /// Transactions whose body had gone out when the connection broke: each may have made a
    /// duplicate.
    pub ambiguous: Counter,
    /// Messages converted for a next hop that does not take them as they are.
    pub converted: Counter,
    /// Gauge: messages being delivered now.
    pub in_flight: Counter,
    /// Gauge: connections open now.
    pub connections_open: Counter,
    pub(crate) overview: Overview,
}

impl RelayStats {
    /// The destinations: those of the configuration, then the busiest of the others, of which
    /// there may be thousands, until there are `max` in all.
    #[must_use]
    pub fn destinations(&self, max: usize) -> Vec<HopStatus> {
        self.overview.0.get().map_or_else(Vec::new, |list| list(max))
    }
}

/// Takes the figures of destinations at the moment it is called.
type List = Box<dyn Fn(usize) -> Vec<HopStatus> + Send + Sync>;

/// The way to the figures of each destination.
#[derive(Default)]
pub(crate) struct Overview(OnceLock<List>);

impl Overview {
    pub(crate) fn set(&self, list: List) {
        // There is one relay to these figures.
        let _ = self.0.set(list);
    }
}

impl std::fmt::Debug for Overview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Overview")
    }
}

/// What a destination has done since it is remembered.
#[derive(Debug, Default)]
pub(crate) struct HopCounters {
    pub(crate) delivered: Counter,
    pub(crate) deferred: Counter,
    pub(crate) failed: Counter,
    pub(crate) connections: Counter,
    pub(crate) connections_failed: Counter,
}

/// How a destination is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HopStatus {
    /// Its name in the configuration, or its domain.
    pub name: String,
    /// What connections are made to.
    pub address: String,
    /// Whether it takes mail.
    pub state: HopState,
    /// Why it does not, or did not.
    pub reason: Option<String>,
    /// Seconds until it is tried again.
    pub retry_in_s: Option<u64>,
    /// Messages in memory that wait for it.
    pub queued: u64,
    /// Messages in the spool that wait until it has room, or works again.
    pub in_line: u64,
    /// Connections now.
    pub connections_open: u64,
    /// Connections that may be open now; grows with success.
    pub connections_allowed: u64,
    /// Recipients delivered.
    pub delivered: u64,
    /// Attempts on a recipient that failed for the time being.
    pub deferred: u64,
    /// Recipients refused for good.
    pub failed: u64,
    /// Connections that came to take mail.
    pub connections: u64,
    /// Connections that did not come about.
    pub connections_failed: u64,
}

/// Whether a destination takes mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HopState {
    /// As far as is known.
    Up,
    /// It did not, and may be tried again.
    Doubtful,
    /// It did not, and is left alone for a while.
    Down,
}

impl std::fmt::Display for HopState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Up => "up",
            Self::Doubtful => "doubtful",
            Self::Down => "down",
        })
    }
}

/// One number.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Its value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn increment(&self) {
        self.add(1);
    }

    pub(crate) fn decrement(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Raises a gauge for as long as it lives.
#[derive(Debug)]
pub(crate) struct Raised {
    stats: Arc<RelayStats>,
    gauge: fn(&RelayStats) -> &Counter,
}

impl Raised {
    pub(crate) fn new(stats: &Arc<RelayStats>, gauge: fn(&RelayStats) -> &Counter) -> Self {
        gauge(stats).increment();
        Self { stats: Arc::clone(stats), gauge }
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        (self.gauge)(&self.stats).decrement();
    }
}
