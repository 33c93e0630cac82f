//! What the daemon counts, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Figures since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// SMTP AUTH that succeeded.
    pub logins: u64,
    /// SMTP AUTH that the authenticator denied, for whatever reason.
    pub logins_denied: u64,
    /// `MAIL` that some authority permitted.
    pub senders_permitted: u64,
    /// `MAIL` that was refused by an authority, or for want of one.
    pub senders_refused: u64,
    /// Recipients that were refused.
    pub recipients_refused: u64,
    /// Messages on disk.
    pub messages_accepted: u64,
    /// Octets of these.
    pub octets_accepted: u64,
    /// Messages that were received and refused.
    pub messages_refused: u64,
    /// Messages of those accepted that are held for review.
    pub messages_held: u64,
    /// Messages that a filter had dropped, and whose client was told that they were accepted.
    pub messages_discarded: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// [`Statistics`] while they grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) logins: Counter,
    pub(crate) logins_denied: Counter,
    pub(crate) senders_permitted: Counter,
    pub(crate) senders_refused: Counter,
    pub(crate) recipients_refused: Counter,
    pub(crate) messages_accepted: Counter,
    pub(crate) octets_accepted: Counter,
    pub(crate) messages_refused: Counter,
    pub(crate) messages_held: Counter,
    pub(crate) messages_discarded: Counter,
}

impl Counters {
    pub(crate) fn read(&self) -> Statistics {
        Statistics {
            logins: self.logins.get(),
            logins_denied: self.logins_denied.get(),
            senders_permitted: self.senders_permitted.get(),
            senders_refused: self.senders_refused.get(),
            recipients_refused: self.recipients_refused.get(),
            messages_accepted: self.messages_accepted.get(),
            octets_accepted: self.octets_accepted.get(),
            messages_refused: self.messages_refused.get(),
            messages_held: self.messages_held.get(),
            messages_discarded: self.messages_discarded.get(),
        }
    }
}
