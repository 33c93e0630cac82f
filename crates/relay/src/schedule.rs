//! When to try again, and when to give up.

use std::time::Duration;

use jiff::Timestamp;

/// The plan of attempts on one recipient.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    waits: Vec<Duration>,
    expire_after: Duration,
}

/// What follows a failure for the time being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another attempt.
    At(Timestamp),
    /// The message is too old.
    Expired,
}

impl Schedule {
    /// `waits` after the first, second, … attempt; the last repeats.
    pub(crate) fn new(waits: Vec<Duration>, expire_after: Duration) -> Self {
        Self { waits, expire_after }
    }

    /// What follows the attempt number `attempts` (the first is 1) that failed at `now` on a
    /// message received at `received`. `not_before`: the next hop asks for at least this much
    /// patience. The last attempt is made when the message expires. `random` spreads attempts
    /// that failed together.
    pub(crate) fn after(
        &self,
        attempts: u32,
        received: Timestamp,
        now: Timestamp,
        not_before: Option<Timestamp>,
        random: u32,
    ) -> Next {
        let expiry = received.saturating_add(signed(self.expire_after)).unwrap_or(Timestamp::MAX);
        if now >= expiry {
            return Next::Expired;
        }
        let wanted = not_before.unwrap_or_else(|| {
            let index = (attempts.max(1) - 1) as usize;
            let wait = self.waits.get(index).or(self.waits.last()).copied();
            let wait = lengthened(wait.unwrap_or(Duration::from_secs(60)), random);
            now.saturating_add(signed(wait)).unwrap_or(Timestamp::MAX)
        });
        Next::At(wanted.min(expiry))
    }
}

/// `wait` and up to a tenth of it more.
pub(crate) fn lengthened(wait: Duration, random: u32) -> Duration {
    let tenth = wait.as_millis() as u64 / 10;
    wait + Duration::from_millis(tenth * u64::from(random) / u64::from(u32::MAX))
}

fn signed(duration: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX)
}

/// A random number for [`lengthened`]; without one, attempts are not spread.
pub(crate) fn random() -> u32 {
    getrandom::u32().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn schedule() -> Schedule {
        Schedule::new(vec![Duration::from_secs(60), Duration::from_secs(300)], DAY)
    }

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn waits_in_order_and_repeats_the_last() {
        let next = |attempts| schedule().after(attempts, at(0), at(1000), None, 0);
        assert_eq!(next(1), Next::At(at(1060)));
        assert_eq!(next(2), Next::At(at(1300)));
        assert_eq!(next(3), Next::At(at(1300)));
        assert_eq!(next(u32::MAX), Next::At(at(1300)));
        assert_eq!(next(0), Next::At(at(1060)));
    }

    #[test]
    fn jitter_is_at_most_a_tenth() {
        assert_eq!(schedule().after(1, at(0), at(0), None, u32::MAX), Next::At(at(66)));
        assert_eq!(lengthened(Duration::from_secs(100), u32::MAX / 2).as_secs(), 104);
    }

    #[test]
    fn last_attempt_is_at_the_expiry() {
        let day = 24 * 3600;
        assert_eq!(schedule().after(9, at(0), at(day - 100), None, 0), Next::At(at(day)));
        assert_eq!(schedule().after(9, at(0), at(day), None, 0), Next::Expired);
        assert_eq!(schedule().after(9, at(0), at(day * 9), Some(at(day * 10)), 0), Next::Expired);
    }

    #[test]
    fn the_hop_decides_while_it_is_down() {
        assert_eq!(schedule().after(1, at(0), at(10), Some(at(700)), 9), Next::At(at(700)));
    }

    #[test]
    fn a_clock_that_was_set_back_does_no_harm() {
        assert_eq!(schedule().after(1, at(5000), at(10), None, 0), Next::At(at(70)));
    }
}
