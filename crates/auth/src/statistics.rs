//! What the authenticator counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the process started, and sizes now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Logins tried.
    pub attempts: u64,
    /// Logins that succeeded.
    pub succeeded: u64,
    /// Of these, those that the cache answered.
    pub cached: u64,
    /// Logins of nobody, names that cannot be one included.
    pub unknown: u64,
    /// Logins of a disabled account, whatever the password.
    pub disabled: u64,
    /// Wrong passwords of accounts.
    pub wrong: u64,
    /// Failures, of the three kinds above, that repeated a recent failure word for word.
    pub repeated: u64,
    /// Logins put off because too many waited.
    pub busy: u64,
    /// Logins that a source of accounts could not decide.
    pub unavailable: u64,
    /// Right passwords that have to be changed first.
    pub must_change: u64,
    /// Logins of master users, among those that succeeded.
    pub master: u64,
    /// Logins with an app password, among those that succeeded.
    pub app_password: u64,
    /// Hashes computed, for decoys too.
    pub hashes: u64,
    /// Logins that gave their place in the queue to others.
    pub displaced: u64,
    /// Answers held back.
    pub delayed: u64,
    /// Logins from blocked networks, answered without a look.
    pub blocked: u64,
    /// Blocks made here.
    pub blocks: u64,
    /// Of these, those for password spraying.
    pub sprayings: u64,
    /// Accounts that were found here to be attacked from many networks.
    pub attacked: u64,
    /// Logins of strangers at such accounts for which there was no room.
    pub attacked_refused: u64,
    /// Events heard from other daemons and hosts.
    pub heard: u64,
    /// Logins waiting for a hash now.
    pub waiting: u64,
    /// Most hashes that ever ran at the same time.
    pub running_peak: u64,
    /// Most KiB that hashes ever took together.
    pub memory_peak: u64,
    /// Passwords remembered now.
    pub remembered: u64,
}

/// One count.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn raise_to(&self, value: u64) {
        self.0.fetch_max(value, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
