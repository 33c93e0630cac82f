//! Time as an argument: what the hour is, and how long the process has run.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// One reading of the clock, taken once per command and passed down, so that a
/// grant, a phase and a ledger entry of the same event share one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Calendar time: for phase dates, logs and headers. May step.
    pub wall: Timestamp,
    /// Monotonic time since an arbitrary start: for windows, delays and ages.
    pub mono: Duration,
}

/// Where a [`Moment`] comes from.
pub trait Clock: Send + Sync + 'static {
    /// Reads the clock.
    fn now(&self) -> Moment;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Moment {
        Moment { wall: Timestamp::now(), mono: self.start.elapsed() }
    }
}

/// A clock that stands still until it is told to move: for tests and rehearsals.
#[derive(Debug)]
pub struct ManualClock {
    moment: std::sync::Mutex<Moment>,
}

impl ManualClock {
    /// A clock that shows `wall`, with monotonic time one day in.
    #[must_use]
    pub fn new(wall: Timestamp) -> Self {
        let mono = Duration::from_secs(24 * 60 * 60);
        Self { moment: std::sync::Mutex::new(Moment { wall, mono }) }
    }

    /// Moves both hands forward.
    pub fn advance(&self, by: Duration) {
        let mut moment = self.lock();
        moment.mono += by;
        moment.wall = moment.wall.checked_add(by).unwrap_or(Timestamp::MAX);
    }

    /// Sets the wall clock alone, as an administrator or NTP would.
    pub fn step_wall(&self, wall: Timestamp) {
        self.lock().wall = wall;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Moment> {
        self.moment.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        *self.lock()
    }
}
