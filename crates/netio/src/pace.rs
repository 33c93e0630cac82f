//! A writer's deadline, which moves only while the client takes something in; and how much the
//! system holds unsent meanwhile.
//!
//! What the system holds hides the client's progress: a writer hears of it when half of that is
//! gone. So the system holds little, until a client has shown that it is fast; for then waking
//! up often costs more than it tells.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::NetError;

/// A client that reads slower than this, in octets a second over one timeout, is cut off.
pub const WRITE_RATE_MIN: u64 = 128;

/// What the system holds unsent for one client before it says that the client is slow
/// (`TCP_NOTSENT_LOWAT`).
pub(crate) const UNSENT_OCTETS: u32 = 16 * 1024;
/// The same for a client that is fast.
pub(crate) const UNSENT_OCTETS_FAST: u32 = 128 * 1024;
/// A client that takes so many octets within so much time is fast. More than its system takes in
/// on its behalf while it does nothing.
const FAST_OCTETS: u64 = 512 * 1024;
const FAST_WITHIN: Duration = Duration::from_millis(500);

/// How fast a client has been of late, over all writes.
#[derive(Debug, Default)]
pub(crate) struct Speed {
    since: Option<Instant>,
    octets: u64,
}

impl Speed {
    /// The client has taken `octets` at `now`; whether it is fast.
    pub(crate) fn note(&mut self, octets: usize, now: Instant) -> bool {
        let recent = |since: &Instant| now.saturating_duration_since(*since) < FAST_WITHIN;
        if !self.since.as_ref().is_some_and(recent) {
            *self = Self { since: Some(now), octets: 0 };
        }
        self.octets = self.octets.saturating_add(octets as u64);
        self.octets >= FAST_OCTETS
    }
}

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

    /// Another window, for a client that was fast and whose progress may have been hidden.
    pub(crate) fn begin_again(&mut self) {
        self.taken = 0;
        self.deadline = Instant::now() + self.window;
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
