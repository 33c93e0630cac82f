//! What the limits did, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::Limits;

/// Figures since the start, and how things stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Messages that no limit was against.
    pub passed: u64,
    /// Messages that were over a limit which only logs.
    pub logged: u64,
    /// Messages that were held.
    pub held: u64,
    /// Senders, recipients and messages that were deferred.
    pub deferred: u64,
    /// Accounts that a limit has suspended.
    pub suspended: u64,
    /// Questions that the shared counters did not answer.
    pub shared_failures: u64,
    /// Whether this host counts together with others: the shared counters answer.
    pub sharing: bool,
    /// Accounts that are counted now.
    pub accounts: u64,
    /// Addresses that are counted now.
    pub addresses: u64,
    /// Accounts that are suspended now.
    pub suspensions: u64,
}

/// A counter.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// [`Statistics`] while they grow.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    pub(crate) passed: Counter,
    pub(crate) logged: Counter,
    pub(crate) held: Counter,
    pub(crate) deferred: Counter,
    pub(crate) suspended: Counter,
}

impl Limits {
    /// What was done since the start.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let core = self.core();
        Statistics {
            passed: core.done.passed.get(),
            logged: core.done.logged.get(),
            held: core.done.held.get(),
            deferred: core.done.deferred.get(),
            suspended: core.done.suspended.get(),
            shared_failures: core.shared.as_ref().map_or(0, |shared| shared.failures()),
            sharing: core.shared.as_ref().is_some_and(|shared| shared.is_asked(core.clock.now())),
            accounts: core.accounts.len() as u64,
            addresses: core.addresses.len() as u64,
            suspensions: core.suspensions.all().len() as u64,
        }
    }
}
