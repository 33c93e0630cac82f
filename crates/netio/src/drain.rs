//! Stopping: sessions are asked to end, waited for, and at a deadline cut off.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// How far stopping has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Running,
    Requested,
    Aborted,
}

#[derive(Debug)]
struct Shared {
    stage: watch::Sender<Stage>,
    sessions: watch::Sender<usize>,
}

/// Asks all sessions to end.
#[derive(Debug)]
pub struct DrainTrigger(Arc<Shared>);

/// Knows whether the daemon wants to stop. Clones share one state.
#[derive(Clone, Debug)]
pub struct Drain(Arc<Shared>);

/// Counts as a session while it lives.
#[derive(Debug)]
pub(crate) struct SessionGuard(Arc<Shared>);

impl Drain {
    /// A pair: who asks, and who is asked.
    // The two halves are the point; neither is of use alone.
    #[allow(clippy::new_ret_no_self)]
    #[must_use]
    pub fn new() -> (DrainTrigger, Self) {
        let shared = Arc::new(Shared {
            stage: watch::Sender::new(Stage::Running),
            sessions: watch::Sender::new(0),
        });
        (DrainTrigger(Arc::clone(&shared)), Self(shared))
    }

    /// Whether sessions should end.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.stage.borrow() >= Stage::Requested
    }

    /// Ends when sessions should end; at once if they should already. Wait for it beside each
    /// read of a command.
    pub async fn requested(&self) {
        self.reached(Stage::Requested).await;
    }

    /// Ends when sessions are cut off.
    pub(crate) async fn aborted(&self) {
        self.reached(Stage::Aborted).await;
    }

    pub(crate) fn session(&self) -> SessionGuard {
        self.0.sessions.send_modify(|count| *count += 1);
        SessionGuard(Arc::clone(&self.0))
    }

    async fn reached(&self, stage: Stage) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.0.stage.subscribe().wait_for(|now| *now >= stage).await;
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.0.sessions.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl DrainTrigger {
    /// Asks all sessions to end: listeners close, and [`Drain::requested`] ends everywhere.
    pub fn request(&self) {
        self.advance(Stage::Requested);
    }

    /// Sessions that are still there.
    #[must_use]
    pub fn sessions(&self) -> usize {
        *self.0.sessions.borrow()
    }

    /// Asks all sessions to end, waits for them, and cuts off those that are there after
    /// `deadline`. Returns how many had to be cut off.
    pub async fn drain(self, deadline: Duration) -> usize {
        self.request();
        if self.emptied(deadline).await {
            return 0;
        }
        let left = self.sessions();
        self.advance(Stage::Aborted);
        // Cutting off is a matter of scheduling; a handler that blocks its thread is left alone.
        self.emptied(Duration::from_secs(1)).await;
        left
    }

    async fn emptied(&self, deadline: Duration) -> bool {
        let mut sessions = self.0.sessions.subscribe();
        tokio::time::timeout(deadline, sessions.wait_for(|count| *count == 0)).await.is_ok()
    }

    fn advance(&self, stage: Stage) {
        self.0.stage.send_if_modified(|now| {
            let forward = *now < stage;
            *now = stage.max(*now);
            forward
        });
    }
}
