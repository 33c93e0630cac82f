//! A message in the relay's hands.

use spool::Job;
use tokio::sync::OwnedSemaphorePermit;

use crate::stats::Raised;

/// A claimed message, with its place among those that may be in flight. Dropped, it goes back
/// to the queue unchanged.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) job: Job,
    /// The recipients to be tried, as indices into the envelope.
    pub(crate) recipients: Vec<usize>,
    /// How often it was put back because a connection it was to share had been closed.
    pub(crate) requeued: u8,
    pub(crate) slot: Slot,
}

/// A place among the messages in flight, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
    _gauge: Raised,
}

impl Slot {
    pub(crate) fn new(permit: OwnedSemaphorePermit, gauge: Raised) -> Self {
        Self { _permit: permit, _gauge: gauge }
    }
}
