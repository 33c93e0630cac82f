//! A worker serves the queue of a next hop over one connection at a time.

use std::sync::Arc;
use std::time::Duration;

use super::Hop;
use super::session::{Ended, Session};
use crate::stats::Raised;
use crate::task::Task;

/// Serves until there has been nothing to do for a while, or the hop fails.
pub(super) async fn work(hop: Arc<Hop>) {
    let _employed = Employed(Arc::clone(&hop));
    let Some(mut task) = hop.first_task() else { return };
    loop {
        let connection = match hop.connector.open().await {
            Ok(connection) => connection,
            Err(failure) => {
                hop.registrar.stats().connections_failed.increment();
                hop.note_failure(task, &failure);
                return;
            }
        };
        let stats = hop.registrar.stats();
        stats.connections.increment();
        let open = Raised::new(stats, |stats| &stats.connections_open);
        let ended = Session::new(&hop, connection).run(task).await;
        drop(open);
        task = match ended {
            Ended::Idle => return,
            Ended::Used | Ended::Broken => match hop.try_take() {
                Some(task) => task,
                None => return,
            },
        };
    }
}

/// On the list of workers for as long as it lives.
struct Employed(Arc<Hop>);

impl Drop for Employed {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.workers -= 1;
        // A message may have arrived for this one in the moment in which it went.
        self.0.staff(&mut state);
        drop(state);
        self.0.left.notify_waiters();
    }
}

impl Hop {
    /// The message for which this worker was started; another one may have been faster.
    fn first_task(&self) -> Option<Task> {
        let mut state = self.lock();
        state.starting -= 1;
        if state.stopping {
            return None;
        }
        self.left.notify_one();
        state.queue.pop_front()
    }

    /// Waits for a message up to `patience`.
    pub(super) async fn take(&self, patience: Duration) -> Option<Task> {
        let _waiting = Waiting::new(self);
        let wait = async {
            loop {
                let arrived = self.arrived.notified();
                if let Some(task) = self.try_take() {
                    return Some(task);
                }
                if self.lock().stopping {
                    return None;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(patience, wait).await.ok().flatten()
    }
}

/// On the list of those who wait for a message.
struct Waiting<'a>(&'a Hop);

impl<'a> Waiting<'a> {
    fn new(hop: &'a Hop) -> Self {
        hop.lock().waiting += 1;
        Self(hop)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}
