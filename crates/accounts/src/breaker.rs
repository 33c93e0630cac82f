//! Keeps questions away from a service that does not answer, so that they fail at once instead
//! of piling up, and lets one through now and then to see whether it answers again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Counts failures in a row. Times are monotonic, see [`auth::Moment::mono`].
#[derive(Debug)]
pub(crate) struct Breaker {
    /// Failures in a row after which nothing is asked for a while.
    failures_max: u32,
    /// How long nothing is asked; then one question may try.
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Until when nothing is asked.
    closed_until: Option<Duration>,
    /// What the last failure was.
    problem: String,
}

/// What a success or a failure changed: for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// As before.
    None,
    /// It has just been given up for a while.
    Down,
    /// It answers again.
    Up,
}

impl Breaker {
    pub(crate) fn new(failures_max: u32, pause: Duration) -> Self {
        Self { failures_max, pause, state: Mutex::default() }
    }

    /// Whether a question may be asked. If it is one that tries, others have to wait until it
    /// has failed or succeeded, or another pause is over.
    ///
    /// # Errors
    /// The problem that the service had last.
    pub(crate) fn admit(&self, now: Duration) -> Result<(), String> {
        let mut state = self.lock();
        match state.closed_until {
            Some(until) if now < until => Err(format!("not asked again yet: {}", state.problem)),
            Some(_) => {
                state.closed_until = Some(now.saturating_add(self.pause));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Whether it is worth waiting for a turn: as [`Self::admit`], but nothing is tried by it.
    ///
    /// # Errors
    /// The problem that the service had last.
    #[cfg(any(feature = "postgresql", feature = "mysql"))]
    pub(crate) fn may_wait(&self, now: Duration) -> Result<(), String> {
        let state = self.lock();
        match state.closed_until {
            Some(until) if now < until => Err(format!("not asked again yet: {}", state.problem)),
            _ => Ok(()),
        }
    }

    /// The service answered.
    pub(crate) fn succeeded(&self) -> Change {
        let mut state = self.lock();
        let was_closed = state.closed_until.is_some();
        *state = State::default();
        if was_closed { Change::Up } else { Change::None }
    }

    /// It did not answer, or not in a way that makes sense.
    pub(crate) fn failed(&self, now: Duration, problem: &str) -> Change {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        problem.clone_into(&mut state.problem);
        if state.failures < self.failures_max {
            return Change::None;
        }
        let was_closed = state.closed_until.is_some();
        state.closed_until = Some(now.saturating_add(self.pause));
        if was_closed { Change::None } else { Change::Down }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn failures_in_a_row_close_it_and_one_success_opens_it() {
        let breaker = Breaker::new(3, seconds(2));
        let at = seconds(100);
        assert_eq!(breaker.failed(at, "a"), Change::None);
        assert_eq!(breaker.failed(at, "b"), Change::None);
        assert_eq!(breaker.succeeded(), Change::None, "it never was down");
        assert_eq!(breaker.failed(at, "c"), Change::None, "counted from the beginning");
        assert_eq!(breaker.failed(at, "d"), Change::None);
        assert_eq!(breaker.admit(at), Ok(()));
        assert_eq!(breaker.failed(at, "e"), Change::Down);
        assert_eq!(breaker.admit(at), Err("not asked again yet: e".to_owned()));
        assert!(breaker.admit(seconds(101)).is_err());
        assert_eq!(breaker.admit(seconds(102)), Ok(()), "one tries");
        assert!(breaker.admit(seconds(102)).is_err(), "and no other meanwhile");
        assert_eq!(breaker.failed(seconds(103), "f"), Change::None, "known already");
        assert!(breaker.admit(seconds(104)).is_err());
        assert_eq!(breaker.admit(seconds(105)), Ok(()));
        assert_eq!(breaker.succeeded(), Change::Up);
        assert_eq!(breaker.admit(seconds(105)), Ok(()));
    }

    #[test]
    fn a_try_that_never_ends_gives_way_to_the_next() {
        let breaker = Breaker::new(1, seconds(1));
        assert_eq!(breaker.failed(seconds(1), "gone"), Change::Down);
        assert_eq!(breaker.admit(seconds(2)), Ok(()));
        assert!(breaker.admit(seconds(2)).is_err());
        assert_eq!(breaker.admit(seconds(3)), Ok(()));
    }
}
