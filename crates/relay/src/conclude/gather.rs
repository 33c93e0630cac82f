//! One report for all that becomes of a message at the same time.
//!
//! A message may be on its way to several destinations, and in several transactions. The first of
//! them that has something to report waits for the others, for a while; what they have to report
//! goes with it. Until then nothing of that is recorded, so that a crash makes these recipients
//! be tried again, and never forgets to tell.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use spool::QueueId;
use tokio::time::Instant;

use super::Registrar;
use super::tell::{Item, News};
use crate::parcel::Parcel;

/// How long the first one waits.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How often it looks whether the others are done.
const LOOK: Duration = Duration::from_millis(50);

/// What is gathered of each message.
#[derive(Default)]
pub(super) struct Gathering(Mutex<HashMap<QueueId, Gathered>>);

#[derive(Default)]
struct Gathered {
    failed: Vec<Item>,
    delayed: Vec<(Item, Timestamp)>,
}

impl Gathering {
    /// Adds failures and delays to what is gathered of the message; true if they are the first.
    fn add(&self, id: QueueId, news: &mut News) -> bool {
        let mut all = self.lock();
        let first = !all.contains_key(&id);
        let gathered = all.entry(id).or_default();
        gathered.failed.append(&mut news.failed);
        gathered.delayed.append(&mut news.delayed);
        first
    }

    fn take(&self, id: QueueId) -> Gathered {
        self.lock().remove(&id).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QueueId, Gathered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what was gathered if nobody is left to tell it.
struct Forget<'a>(&'a Gathering, QueueId);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.take(self.1);
    }
}

impl Registrar {
    /// Moves the failures and delays of `news` to those of the other parts of the message. The
    /// first part to have some sees to it that they are told; it does so behind the caller's back.
    pub(super) fn gather(self: &Arc<Self>, job: &Parcel, news: &mut News) {
        let first = self.gathering.add(job.id(), news);
        if !first {
            return;
        }
        let (registrar, job) = (Arc::clone(self), job.share());
        tokio::spawn(async move { registrar.tell_gathered(job).await });
    }

    async fn tell_gathered(&self, job: Parcel) {
        let forget = Forget(&self.gathering, job.id());
        let until = Instant::now() + WAIT_MAX;
        while job.is_shared() && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
        let Gathered { mut failed, delayed } = self.gathering.take(job.id());
        drop(forget);
        failed.sort_by_key(|item| item.index);
        let news = News { failed, delayed, success: Vec::new() };
        let now = self.clock.now();
        let mut outcomes = Vec::new();
        self.tell(&job, news, now, &mut outcomes).await;
        self.record(job, outcomes).await;
    }
}
