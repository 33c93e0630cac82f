//! Deliveries into Maildirs: so many at the same time, and so many messages that wait for that.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use spool::Spool;
use tokio::sync::Semaphore;

use crate::conclude::Registrar;
use crate::hop::Line;
use crate::local::{self, Place};
use crate::task::Task;

/// Messages that may wait in memory for a disk that is slow: others have the rest of those in
/// flight.
const WAITING_MAX: usize = 500;
/// How long one more waits in the spool if nobody calls it.
const UNCALLED: Duration = Duration::from_secs(60);

/// This host as a destination.
pub(crate) struct Here {
    registrar: Arc<Registrar>,
    spool: Spool,
    places: Semaphore,
    waiting: AtomicUsize,
    line: Mutex<Line>,
    stopping: AtomicBool,
}

impl Here {
    /// With `deliveries_max` deliveries at the same time.
    pub(crate) fn new(registrar: Arc<Registrar>, spool: Spool, deliveries_max: usize) -> Self {
        Self {
            registrar,
            spool,
            places: Semaphore::new(deliveries_max),
            waiting: AtomicUsize::new(0),
            line: Mutex::default(),
            stopping: AtomicBool::new(false),
        }
    }

    /// Delivers a message into `maildirs`, each with the index of its recipient. Never waits:
    /// where there are too many already, it waits in the spool.
    pub(crate) fn deliver(self: &Arc<Self>, task: Task, maildirs: Vec<(usize, Place)>) {
        if self.waiting.load(Ordering::Relaxed) >= WAITING_MAX {
            let now = self.registrar.clock().now().wall;
            self.line().insert(task.job.id());
            task.job.postpone(now.saturating_add(UNCALLED).unwrap_or(Timestamp::MAX));
            return;
        }
        self.line().remove(task.job.id());
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let here = Arc::clone(self);
        tokio::spawn(async move {
            let _one_less = OneLess(&here);
            let Ok(_place) = here.places.acquire().await else { return };
            if here.stopping.load(Ordering::Relaxed) {
                return;
            }
            let registrar = Arc::clone(&here.registrar);
            let deliveries = tokio::task::spawn_blocking(move || {
                let now = registrar.clock().now();
                let mut verdicts = Vec::with_capacity(maildirs.len());
                for (index, place) in maildirs {
                    if let Some(recipient) = task.job.envelope().recipients.get(index) {
                        let verdict = local::deliver(&task.job, &recipient.mailbox, &place, now);
                        verdicts.push((index, verdict));
                    }
                }
                (task, verdicts)
            });
            // If the pool is gone the process ends, and the message is back in the queue.
            if let Ok((task, verdicts)) = deliveries.await {
                here.registrar.conclude(task, verdicts).await;
            }
        });
    }

    /// What has not begun goes back to the spool.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        let line = self.line().empty();
        self.spool.bring_forward(&line);
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message that waits no longer.
struct OneLess<'a>(&'a Here);

impl Drop for OneLess<'_> {
    fn drop(&mut self) {
        let waiting = self.0.waiting.fetch_sub(1, Ordering::Relaxed).saturating_sub(1);
        let called = self.0.line().call(waiting, WAITING_MAX);
        if !called.is_empty() {
            self.0.spool.bring_forward(&called);
        }
    }
}
