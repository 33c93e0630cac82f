//! Counters for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Reports put into the queue.
    pub reports: Counter,
    /// Recipients given up of which nobody could be told, for the message had no sender.
    pub unreported: Counter,
    /// Connections to a next hop that came to take mail.
    pub connections: Counter,
    /// Connections that did not come about.
    pub connections_failed: Counter,
    /// Transactions whose body had gone out when the connection broke: each may have made a
    /// duplicate.
    pub ambiguous: Counter,
    /// Gauge: messages being delivered now.
    pub in_flight: Counter,
    /// Gauge: connections open now.
    pub connections_open: Counter,
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
