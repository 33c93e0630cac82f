//! A writer's deadline, which moves only while the client takes something in.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::NetError;

/// A client that reads slower than this, in octets a second over one timeout, is cut off.
pub const WRITE_RATE_MIN: u64 = 128;

/// The deadline of one write. Each window of one timeout must bring so many octets forward;
/// then the next begins.
#[derive(Debug)]
pub(crate) struct Pace {
    window: Duration,
    deadline: Instant,
    wanted: u64,
    taken: u64,
}

impl Pace {
    pub(crate) fn new(window: Duration) -> Self {
        Self {
            window,
            deadline: Instant::now() + window,
            wanted: window.as_secs().saturating_mul(WRITE_RATE_MIN).max(1),
            taken: 0,
        }
    }

    /// Waits for `step`, but not beyond the deadline.
    pub(crate) async fn bound<T>(
        &self,
        step: impl Future<Output = io::Result<T>>,
    ) -> Result<T, NetError> {
        match timeout_at(self.deadline, step).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(NetError::TimedOut),
        }
    }

    /// The client took `octets`.
    pub(crate) fn progress(&mut self, octets: usize) {
        self.taken = self.taken.saturating_add(octets as u64);
        if self.taken >= self.wanted {
            self.taken = 0;
            self.deadline = Instant::now() + self.window;
        }
    }
}
