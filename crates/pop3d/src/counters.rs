//! What the daemon counts, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was counted since the daemon was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pop3Statistics {
    /// Logins that reached their maildrop.
    pub logins: u64,
    /// Right passwords that found the maildrop in use.
    pub in_use: u64,
    /// Sessions that a login of the same account ended, because their clients were idle.
    pub taken_over: u64,
    /// Right passwords that came too soon after the last login of the account.
    pub too_soon: u64,
    /// Right passwords of accounts that had all their sessions.
    pub too_many: u64,
    /// Right passwords that found the maildrop unreadable.
    pub unavailable: u64,
    /// Messages sent whole, by `RETR`.
    pub retrieved: u64,
    /// Answers to `TOP`.
    pub tops: u64,
    /// Octets of both.
    pub octets: u64,
    /// Messages that broke off or could not be opened.
    pub unreadable: u64,
    /// Messages removed by `QUIT`.
    pub removed: u64,
    /// `QUIT`s that could not remove everything.
    pub failed_updates: u64,
    /// Messages removed because they had been kept long enough.
    pub expired: u64,
    /// Runs through all maildrops for that, each to its end.
    pub expiry_runs: u64,
    /// Maildrops that such a run left alone because a session had them.
    pub expiry_in_use: u64,
    /// Files that broken deliveries had left behind and such a run removed.
    pub tmp_removed: u64,
}

/// A count that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counts of one daemon.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) logins: Counter,
    pub(crate) in_use: Counter,
    pub(crate) taken_over: Counter,
    pub(crate) too_soon: Counter,
    pub(crate) too_many: Counter,
    pub(crate) unavailable: Counter,
    pub(crate) retrieved: Counter,
    pub(crate) tops: Counter,
    pub(crate) octets: Counter,
    pub(crate) unreadable: Counter,
    pub(crate) removed: Counter,
    pub(crate) failed_updates: Counter,
    pub(crate) expired: Counter,
    pub(crate) expiry_runs: Counter,
    pub(crate) expiry_in_use: Counter,
    pub(crate) tmp_removed: Counter,
}

impl Counters {
    pub(crate) fn read(&self) -> Pop3Statistics {
        Pop3Statistics {
            logins: self.logins.get(),
            in_use: self.in_use.get(),
            taken_over: self.taken_over.get(),
            too_soon: self.too_soon.get(),
            too_many: self.too_many.get(),
            unavailable: self.unavailable.get(),
            retrieved: self.retrieved.get(),
            tops: self.tops.get(),
            octets: self.octets.get(),
            unreadable: self.unreadable.get(),
            removed: self.removed.get(),
            failed_updates: self.failed_updates.get(),
            expired: self.expired.get(),
            expiry_runs: self.expiry_runs.get(),
            expiry_in_use: self.expiry_in_use.get(),
            tmp_removed: self.tmp_removed.get(),
        }
    }
}
