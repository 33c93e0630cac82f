//! A claimed message that may be on its way to several destinations at once.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use spool::{Job, Outcome, SettleError, Spool};
use tokio::sync::OwnedSemaphorePermit;

use crate::stats::Raised;

/// One handle on a claimed message. What becomes of some of its recipients is recorded at once;
/// the message goes back to the spool with its last handle.
#[derive(Debug)]
pub(crate) struct Parcel(Arc<Whole>);

#[derive(Debug)]
struct Whole {
    job: Job,
    /// Some outcome was recorded.
    recorded: AtomicBool,
    /// When those that nobody could try are to be tried: the earliest.
    postponed: Mutex<Option<Timestamp>>,
    slot: Slot,
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

impl Deref for Parcel {
    type Target = Job;

    fn deref(&self) -> &Job {
        &self.0.job
    }
}

impl Parcel {
    pub(crate) fn new(job: Job, slot: Slot) -> Self {
        let (recorded, postponed) = (AtomicBool::new(false), Mutex::new(None));
        Self(Arc::new(Whole { job, recorded, postponed, slot }))
    }

    /// Another handle, for other recipients.
    pub(crate) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Whether there are other handles.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Records what became of the recipients that were this handle's.
    ///
    /// # Errors
    /// As [`Spool::settle`].
    pub(crate) async fn settle(
        self,
        spool: &Spool,
        outcomes: Vec<(usize, Outcome)>,
    ) -> Result<(), SettleError> {
        let shared = match Arc::try_unwrap(self.0) {
            Ok(whole) => return whole.end(spool, outcomes).await,
            Err(shared) => shared,
        };
        shared.recorded.store(true, Ordering::Release);
        let recorded = spool.record(&shared.job, outcomes).await;
        // Meanwhile the others may have gone.
        let ended = match Arc::into_inner(shared) {
            Some(whole) => whole.end(spool, Vec::new()).await,
            None => Ok(()),
        };
        recorded.and(ended)
    }

    /// Lets the recipients that were this handle's wait until `until`, without a record.
    pub(crate) fn postpone(self, until: Timestamp) {
        let whole = {
            let mut postponed = self.0.postponed.lock().unwrap_or_else(PoisonError::into_inner);
            *postponed = Some(postponed.map_or(until, |before| before.min(until)));
            drop(postponed);
            Arc::into_inner(self.0)
        };
        let Some(Whole { job, recorded, postponed, slot }) = whole else { return };
        // With outcomes on record the rest is due at once, and is postponed by itself then:
        // `Job::postpone` would let those that were deferred wait as long.
        if !recorded.into_inner() {
            let until = postponed.into_inner().unwrap_or_else(PoisonError::into_inner);
            job.postpone(until.unwrap_or(Timestamp::MIN));
        }
        drop(slot);
    }
}

impl Whole {
    async fn end(self, spool: &Spool, outcomes: Vec<(usize, Outcome)>) -> Result<(), SettleError> {
        let Self { job, slot, .. } = self;
        let settled = spool.settle(job, outcomes).await;
        drop(slot);
        settled
    }
}
