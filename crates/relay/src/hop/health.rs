//! Whether a next hop is worth a connection just now.

use std::time::Duration;

use super::HopFailure;

/// The first wait after a failure; each further one doubles it.
const WAIT_FIRST: Duration = Duration::from_secs(15);
/// So many connections in a row that were lost before they carried a message count as a
/// failure of the hop; fewer may be the fault of a message.
const BROKEN_MAX: u32 = 3;

/// What is known of a hop's state. Times are monotonic.
#[derive(Debug)]
pub(super) struct Health {
    failures: u32,
    broken: u32,
    closed: Option<(Duration, HopFailure)>,
    wait_max: Duration,
}

/// A hop that is left alone for a while.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) remaining: Duration,
    pub(super) reason: HopFailure,
}

impl Health {
    /// Sound; after failures it is left alone for `wait_max` at most.
    pub(super) fn new(wait_max: Duration) -> Self {
        Self { failures: 0, broken: 0, closed: None, wait_max }
    }

    /// Whether more than one connection may be tried.
    pub(super) fn is_sound(&self) -> bool {
        self.failures == 0
    }

    /// Why the hop is left alone, if it is, and for how long still.
    pub(super) fn closed(&self, now: Duration) -> Option<Closed> {
        let (until, reason) = self.closed.as_ref()?;
        let remaining = until.checked_sub(now).filter(|left| !left.is_zero())?;
        Some(Closed { remaining, reason: reason.clone() })
    }

    /// What its last failure was, if it has not taken a message since.
    pub(super) fn reason(&self) -> Option<&HopFailure> {
        self.closed.as_ref().map(|(_, reason)| reason)
    }

    /// It may be tried at once, whatever was said before.
    pub(super) fn reopen(&mut self) {
        if let Some((until, _)) = &mut self.closed {
            *until = Duration::ZERO;
        }
    }

    /// Whether nobody will miss the memory of its failures: there are none, or they are older
    /// than `memory`.
    pub(super) fn is_forgettable(&self, now: Duration, memory: Duration) -> bool {
        self.closed.as_ref().is_none_or(|(until, _)| now.saturating_sub(*until) > memory)
    }

    /// A connection did not come about; says how long the hop is left alone. Several that
    /// failed together count once.
    pub(super) fn fail(&mut self, now: Duration, reason: HopFailure) -> Duration {
        self.broken = 0;
        if let Some(closed) = self.closed(now) {
            return closed.remaining;
        }
        let wait = WAIT_FIRST.saturating_mul(1 << self.failures.min(16)).min(self.wait_max);
        self.failures = self.failures.saturating_add(1);
        self.closed = Some((now + wait, reason));
        wait
    }

    /// A connection was lost before it had carried a message; says how long the hop is left
    /// alone, if that was one too many.
    pub(super) fn note_broken(&mut self, now: Duration, reason: &HopFailure) -> Option<Duration> {
        self.broken += 1;
        (self.broken >= BROKEN_MAX).then(|| self.fail(now, reason.clone()))
    }

    /// A message was carried. True if that is news.
    pub(super) fn succeed(&mut self) -> bool {
        self.broken = 0;
        self.closed = None;
        std::mem::take(&mut self.failures) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::code;

    fn failure() -> HopFailure {
        HopFailure::new(code(4, 4, 1), "connection refused")
    }

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn waits_double_up_to_a_bound() {
        let mut health = Health::new(secs(900));
        assert!(health.is_sound() && health.closed(secs(0)).is_none());
        let mut now = secs(100);
        for expected in [15, 30, 60, 120, 240, 480, 900, 900] {
            assert_eq!(health.fail(now, failure()), secs(expected));
            assert_eq!(health.closed(now).unwrap().remaining, secs(expected));
            now += secs(expected);
            assert!(health.closed(now).is_none(), "open again for a try");
            assert!(!health.is_sound(), "but only one");
        }
    }

    #[test]
    fn failures_are_remembered_for_a_while() {
        let mut health = Health::new(secs(900));
        health.fail(secs(0), failure());
        assert!(!health.is_forgettable(secs(10), secs(600)));
        assert!(!health.is_forgettable(secs(600), secs(600)));
        assert!(health.is_forgettable(secs(616), secs(600)));
    }

    #[test]
    fn somebody_who_knows_better_may_have_it_tried() {
        let mut health = Health::new(secs(900));
        health.fail(secs(100), failure());
        health.reopen();
        assert!(health.closed(secs(101)).is_none() && !health.is_sound());
        assert_eq!(health.fail(secs(101), failure()), secs(30), "the pauses go on growing");
    }

    #[test]
    fn failures_at_one_time_count_once() {
        let mut health = Health::new(secs(900));
        for _ in 0..10 {
            assert_eq!(health.fail(secs(5), failure()), secs(15));
        }
        assert_eq!(health.fail(secs(20), failure()), secs(30));
    }

    #[test]
    fn one_success_heals() {
        let mut health = Health::new(secs(900));
        assert!(!health.succeed());
        health.fail(secs(0), failure());
        health.fail(secs(20), failure());
        assert!(health.succeed());
        assert!(health.is_sound() && health.closed(secs(21)).is_none());
        assert!(health.reason().is_none() && health.is_forgettable(secs(21), secs(600)));
        assert_eq!(health.fail(secs(30), failure()), secs(15));
    }

    #[test]
    fn a_few_broken_connections_are_forgiven() {
        let mut health = Health::new(secs(900));
        let broken = |health: &mut Health| health.note_broken(secs(0), &failure());
        assert_eq!((broken(&mut health), broken(&mut health)), (None, None));
        health.succeed();
        assert_eq!((broken(&mut health), broken(&mut health)), (None, None));
        assert!(health.closed(secs(0)).is_none());
        assert_eq!(broken(&mut health), Some(secs(15)));
        assert_eq!(health.closed(secs(0)).unwrap().remaining, secs(15));
    }
}
