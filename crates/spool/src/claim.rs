//! The way out: waiting for what is due, claiming it, settling it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::job::Claim;
use crate::message::{milliseconds, timestamp};
use crate::progress::{Progress, State, next_due};
use crate::queue::Marks;
use crate::request::{Effect, Fault, Request};
use crate::segment::Segment;
use crate::text::EAGER;
use crate::{Job, Outcome, QueueId, RecipientState, SettleError, Spool};

/// Messages claimed by one call, at most.
const CLAIM_MAX: usize = 1024;

/// Outcomes that are not on disk yet, from which on nothing is claimed: each would be an attempt
/// more after a crash.
const UNSAVED_MAX: usize = 1024;

/// Messages that are read where they are claimed, if they are in memory.
const AT_HAND_MAX: usize = 64;

/// Messages brought forward before the queue's lock is given to others.
const BRING: usize = 256;

/// How long [`Spool::due`] trusts the wall clock to run on as it did.
const RECHECK: Duration = Duration::from_secs(1);

impl Spool {
    /// Claims up to `max` (at most 1024) messages that are due at `at` (wall clock), the
    /// longest due first. Does not wait for any; see [`Self::due`]. None while more than a
    /// thousand outcomes wait for a disk that works. Cancelled, it claims nothing.
    pub async fn claim(&self, at: Timestamp, max: usize) -> Vec<Job> {
        self.claim_reading(at, max, true).await
    }

    /// As [`Self::claim`], but no text is read ahead: for messages of which most will be
    /// postponed.
    pub async fn claim_envelopes(&self, at: Timestamp, max: usize) -> Vec<Job> {
        self.claim_reading(at, max, false).await
    }

    async fn claim_reading(&self, at: Timestamp, max: usize, eager: bool) -> Vec<Job> {
        let at = milliseconds(at);
        let views = {
            let mut queue = self.shared.queue();
            if self.shared.unsaved(&queue) >= UNSAVED_MAX {
                return Vec::new();
            }
            queue.claim(at, max.min(CLAIM_MAX))
        };
        if views.is_empty() {
            return Vec::new();
        }
        let claimed: Vec<_> = views
            .into_iter()
            .map(|view| (Claim::new(Arc::clone(&self.shared), view.id), view))
            .collect();
        let shared = Arc::clone(&self.shared);
        let is_at_hand = claimed.len() <= AT_HAND_MAX
            && claimed.iter().all(|(_, view)| view.is_at_hand(eager, EAGER));
        let read = move || {
            let mut jobs = Vec::with_capacity(claimed.len());
            for (claim, view) in claimed {
                match Job::read(&view, claim, at, eager) {
                    Ok(job) => jobs.push(job),
                    Err(error) => {
                        tracing::error!(
                            target: "lastpost::spool", id = %view.id, %error,
                            "spool: a queued message does not read"
                        );
                        let damaged =
                            |e: &mut crate::queue::Entry| e.marks.set(Marks::BROKEN, true);
                        shared.queue().change(view.id, damaged);
                    }
                }
            }
            Ok(jobs)
        };
        // A way to another thread and back costs more than reading a few messages.
        let jobs = match is_at_hand {
            true => read(),
            false => self.shared.blocking(read).await,
        };
        let jobs = jobs.unwrap_or_default();
        jobs.into_iter().filter_map(|job| self.with_a_turn(job)).collect()
    }

    /// Gives the job back unless it is some recipient's turn. If there is none any more (its
    /// last outcomes came by [`Self::record`], and then the process ended), it is done.
    fn with_a_turn(&self, job: Job) -> Option<Job> {
        if !job.remaining().is_empty() {
            return Some(job);
        }
        let (id, due) = (job.id(), next_due(&job.progress()));
        if let Some(due) = due {
            job.claim.postpone(due);
        } else if let Ok(place) = self.requests.try_reserve() {
            job.claim.settle();
            place.send(Request::new(Effect::Done { id }, Vec::new(), None));
        }
        None
    }

    /// Makes messages due that wait because of [`Job::postpone`]; recipients that were deferred
    /// keep their times. Those that are unknown, claimed, held or delayed by their sender stay
    /// as they are.
    pub fn bring_forward(&self, ids: &[QueueId]) {
        let now = self.shared.now();
        for some in ids.chunks(BRING) {
            let mut queue = self.shared.queue();
            some.iter().for_each(|id| queue.bring_forward(*id, now));
        }
        self.shared.changed.notify_waiters();
    }

    /// Waits until some message is due and unclaimed by the spool's clock. Notices within a
    /// second if the clock is set.
    pub async fn due(&self) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            let next = {
                let queue = self.shared.queue();
                let stuck = self.shared.unsaved(&queue) >= UNSAVED_MAX;
                queue.next_due().filter(|_| !stuck)
            };
            let now = self.shared.now();
            let wait = match next {
                Some(due) if due <= now => return,
                Some(due) => Duration::from_millis(due.abs_diff(now)).min(RECHECK),
                None => RECHECK,
            };
            let _ = tokio::time::timeout(wait, changed).await;
        }
    }

    /// When the next unclaimed message is due, if any is queued.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.shared.queue().next_due().map(timestamp)
    }

    /// Records what became of a job's recipients (index into the envelope, outcome) and gives
    /// it back to the queue, or ends it when every recipient is done or failed.
    ///
    /// Resolves after the flush. A recipient of [`Job::remaining`] without an outcome stays
    /// due at once; an outcome for one that is not pending is ignored. The attempts of each
    /// named recipient rise by one. Dropped before it resolves, either the outcomes count or
    /// the job goes back unchanged.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn settle(
        &self,
        job: Job,
        outcomes: Vec<(usize, Outcome)>,
    ) -> Result<(), SettleError> {
        let id = job.id();
        let Ok(place) = self.requests.reserve().await else {
            return Err(SettleError::Closed(id));
        };
        let (ack, acknowledged) = oneshot::channel();
        let (request, claim) = self.settlement(job, outcomes, ack);
        claim.settle();
        place.send(request);
        match acknowledged.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(SettleError::NotDurable(id)),
            Err(_) => Err(SettleError::Closed(id)),
        }
    }

    /// Records what became of some of a job's recipients, durably as [`Self::settle`] does, and
    /// leaves the job with its owner: for a message on its way to several destinations, so that
    /// what one of them took need not wait for the others. [`Job::remaining`] stays as it was.
    ///
    /// # Errors
    /// [`SettleError`].
    pub async fn record(
        &self,
        job: &Job,
        outcomes: Vec<(usize, Outcome)>,
    ) -> Result<(), SettleError> {
        let id = job.id();
        let Ok(place) = self.requests.reserve().await else {
            return Err(SettleError::Closed(id));
        };
        let (ack, acknowledged) = oneshot::channel();
        {
            // Kept until it is sent: records of one job are written in the order of their making.
            let mut progress = job.progress();
            take_in(id, &mut progress, outcomes);
            let due = next_due(&progress).unwrap_or_else(|| self.shared.now());
            let payload = self.state(id, due, progress.clone());
            place.send(Request::new(Effect::Record { id }, payload, Some(ack)));
        }
        match acknowledged.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(SettleError::NotDurable(id)),
            Err(_) => Err(SettleError::Closed(id)),
        }
    }

    fn settlement(
        &self,
        job: Job,
        outcomes: Vec<(usize, Outcome)>,
        ack: oneshot::Sender<Result<(), Fault>>,
    ) -> (Request, Claim) {
        let id: QueueId = job.id();
        let (claim, mut progress) = job.into_parts();
        take_in(id, &mut progress, outcomes);
        let Some(due) = next_due(&progress) else {
            return (Request::new(Effect::Done { id }, Vec::new(), Some(ack)), claim);
        };
        let payload = self.state(id, due, progress);
        (Request::new(Effect::Progress { id, due }, payload, Some(ack)), claim)
    }

    fn state(&self, id: QueueId, due: i64, recipients: Vec<Progress>) -> Vec<u8> {
        // The committer knows whether it is held.
        let state = State { id, held: false, due, recipients };
        let most = Segment::capacity(self.shared.config.segment_size.0) / 2;
        state.encode(usize::try_from(most).unwrap_or(usize::MAX))
    }
}

fn take_in(id: QueueId, progress: &mut [Progress], outcomes: Vec<(usize, Outcome)>) {
    for (index, outcome) in outcomes {
        match progress.get_mut(index) {
            Some(recipient) if recipient.state == RecipientState::Pending => {
                recipient.apply(outcome);
            }
            _ => {
                tracing::warn!(
                    target: "lastpost::spool", %id, index,
                    "spool: an outcome for no pending recipient"
                )
            }
        }
    }
}
