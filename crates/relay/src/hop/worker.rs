//! A worker serves the queue of a destination over one connection at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Hop;
use super::connect::Connection;
use super::failure::HopFailure;
use super::session::{Ended, Session};
use super::state::State;
use super::tls::Assurance;
use crate::stats::Raised;
use crate::task::Task;
use crate::way;

/// How long a worker sleeps at most before it looks whether the rate allows a message.
const LOOK: Duration = Duration::from_secs(1);

/// Serves until there has been nothing to do for a while, or the hop fails.
pub(super) async fn work(hop: Arc<Hop>) {
    let mut employed = Employed { hop: Arc::clone(&hop), is_starting: true };
    let Some(mut task) = hop.first_task().await else { return };
    employed.start();
    loop {
        let opening = Counted::new(&hop, |state| &mut state.opening);
        let opened = hop.connect(&task).await;
        drop(opening);
        let connection = match opened {
            Ok(connection) => connection,
            Err(failure) => {
                hop.registrar.stats().connections_failed.increment();
                hop.counters.connections_failed.increment();
                hop.note_failure(task, &failure);
                return;
            }
        };
        let stats = hop.registrar.stats();
        stats.connections.increment();
        hop.counters.connections.increment();
        let raised = Raised::new(stats, |stats| &stats.connections_open);
        let open = Counted::new(&hop, |state| &mut state.open);
        let ended = Session::new(&hop, connection).run(task).await;
        drop((open, raised));
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
struct Employed {
    hop: Arc<Hop>,
    is_starting: bool,
}

impl Employed {
    fn start(&mut self) {
        self.is_starting = false;
        self.hop.lock().starting -= 1;
    }
}

impl Drop for Employed {
    fn drop(&mut self) {
        let mut state = self.hop.lock();
        state.workers -= 1;
        state.starting -= usize::from(self.is_starting);
        // A message may have arrived for this one in the moment in which it went.
        self.hop.staff(&mut state);
        drop(state);
        self.hop.left.notify_waiters();
    }
}

/// Raises a number of the hop's state for as long as it lives.
struct Counted<'a> {
    hop: &'a Hop,
    number: fn(&mut State) -> &mut usize,
}

impl<'a> Counted<'a> {
    fn new(hop: &'a Hop, number: fn(&mut State) -> &mut usize) -> Self {
        *number(&mut hop.lock()) += 1;
        Self { hop, number }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        *(self.number)(&mut self.hop.lock()) -= 1;
    }
}

impl Hop {
    /// The message for which this worker was started; another one may have been faster.
    async fn first_task(&self) -> Option<Task> {
        loop {
            match self.take_now() {
                Ok(task) => return Some(task),
                Err(None) => return None,
                Err(Some(wait)) => tokio::time::sleep(wait.min(LOOK)).await,
            }
        }
    }

    /// A connection for `task`: one of its own if it wants to go even where what the domain's
    /// owner demands of TLS cannot be met (RFC 8689 section 5).
    async fn connect(self: &Arc<Self>, task: &Task) -> Result<Connection, HopFailure> {
        match self.open(task, Assurance::Policy).await {
            Err(failure)
                if failure.is_about_security() && task.job.envelope().wishes.tls_optional =>
            {
                self.open(task, Assurance::Relaxed).await
            }
            opened => opened,
        }
    }

    /// Where `task` could go another way, nobody waits as long as RFC 5321 would.
    async fn open(
        self: &Arc<Self>,
        task: &Task,
        assurance: Assurance,
    ) -> Result<Connection, HopFailure> {
        let now = self.registrar.clock().now();
        let opening = self.connector.open(now, assurance);
        if !way::has_alternative(task, self) {
            return opening.await;
        }
        let limit = self.connector.timeouts.failover;
        timeout(limit, opening).await.unwrap_or_else(|_| {
            let text = "no greeting in time; another hop is tried";
            Err(HopFailure::no_answer(text))
        })
    }

    /// Waits for a message up to `patience`.
    pub(super) async fn take(&self, patience: Duration) -> Option<Task> {
        let _waiting = Counted::new(self, |state| &mut state.waiting);
        let wait = async {
            loop {
                let arrived = self.arrived.notified();
                let pause = match self.take_now() {
                    Ok(task) => return Some(task),
                    Err(pause) => pause,
                };
                if self.lock().stopping {
                    return None;
                }
                match pause {
                    // A further arrival changes nothing about the rate.
                    Some(pause) => tokio::time::sleep(pause.min(LOOK)).await,
                    None => arrived.await,
                }
            }
        };
        timeout(patience, wait).await.ok().flatten()
    }
}
