//! What was told and heard.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShareStatistics {
    /// Events told to the other daemon of this host.
    pub told_daemon: u64,
    /// Events told to other hosts.
    pub told_hosts: u64,
    /// Events that nobody was told of: too many at once, or nobody there.
    pub lost: u64,
    /// Events taken in.
    pub heard: u64,
    /// Messages that were none, or not sealed under our key.
    pub malformed: u64,
    /// Times that the server was lost.
    pub failures: u64,
    /// Whether the server answers at present.
    pub connected: bool,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) told_daemon: Count,
    pub(crate) told_hosts: Count,
    pub(crate) lost: Count,
    pub(crate) heard: Count,
    pub(crate) malformed: Count,
    pub(crate) failures: Count,
    pub(crate) connected: AtomicBool,
}

#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    pub(crate) fn shown(&self) -> ShareStatistics {
        ShareStatistics {
            told_daemon: self.told_daemon.get(),
            told_hosts: self.told_hosts.get(),
            lost: self.lost.get(),
            heard: self.heard.get(),
            malformed: self.malformed.get(),
            failures: self.failures.get(),
            connected: self.connected.load(Ordering::Relaxed),
        }
    }
}
