//! A message on its way to one destination.

use std::sync::Arc;

use address::AccountKey;
use spool::Origin;

use crate::parcel::Parcel;
use crate::stats::HopCounters;
use crate::verdict::{Kind, Verdict};
use crate::way::Way;

/// Some recipients of a claimed message, which go the same way. Dropped, they go back to the
/// queue unchanged.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) job: Parcel,
    /// The recipients to be tried, as indices into the envelope.
    pub(crate) recipients: Vec<usize>,
    /// How often it was put back because a connection it was to share had been closed.
    pub(crate) requeued: u8,
    pub(crate) journey: Journey,
}

/// What a task has seen of its way.
#[derive(Debug, Default)]
pub(crate) struct Journey {
    /// Where it may go; none: it is for this host.
    pub(crate) way: Option<Arc<Way>>,
    /// The hops of its way to which a connection for it failed, as bits.
    pub(crate) failed: u32,
    /// What the last of these failures was.
    pub(crate) failure: Option<Box<Verdict>>,
    /// The figures of the hop that has it.
    pub(crate) counters: Option<Arc<HopCounters>>,
}

impl Task {
    /// A task without a way: for this host, or to be concluded.
    pub(crate) fn new(job: Parcel, recipients: Vec<usize>) -> Self {
        Self { job, recipients, requeued: 0, journey: Journey::default() }
    }

    /// A task that goes `way`.
    pub(crate) fn bound(job: Parcel, recipients: Vec<usize>, way: &Arc<Way>) -> Self {
        let journey = Journey { way: Some(Arc::clone(way)), ..Journey::default() };
        Self { job, recipients, requeued: 0, journey }
    }

    /// The account that submitted the message, if one did.
    pub(crate) fn account(&self) -> Option<&AccountKey> {
        match self.job.origin() {
            Origin::Submitted { account, .. } => Some(account),
            _ => None,
        }
    }

    /// Counts what became of its recipients for the hop that had it.
    pub(crate) fn count(&self, verdicts: &[(usize, Verdict)]) {
        let Some(counters) = &self.journey.counters else { return };
        for (_, verdict) in verdicts {
            let counter = match verdict.kind {
                Kind::Delivered => &counters.delivered,
                Kind::Deferred { .. } => &counters.deferred,
                Kind::Failed => &counters.failed,
            };
            counter.increment();
        }
    }
}
