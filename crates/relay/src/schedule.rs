//! When to try again, and when to give up.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

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

/// A failed attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// Which one it was; the first is 1.
    pub(crate) number: u32,
    /// When the message could first be sent.
    pub(crate) born: Timestamp,
    /// When it failed.
    pub(crate) now: Timestamp,
    /// How much the wall clock has jumped ahead meanwhile: that time did not pass.
    pub(crate) jumped: SignedDuration,
    /// The next hop asks for at least this much patience.
    pub(crate) not_before: Option<Timestamp>,
}

impl Attempt {
    /// The time since the message was born; `None` if it was born in the future, for then the
    /// clock has been set back and nobody knows.
    fn age(&self) -> Option<Duration> {
        let age = self.now.duration_since(self.born).checked_sub(self.jumped)?;
        Duration::try_from(age).ok()
    }
}

impl Schedule {
    /// `waits` between attempts; the last repeats.
    pub(crate) fn new(waits: Vec<Duration>, expire_after: Duration) -> Self {
        Self { waits, expire_after }
    }

    /// When a message born then is given up, if no clock is set.
    pub(crate) fn expiry(&self, born: Timestamp) -> Timestamp {
        born.saturating_add(signed(self.expire_after)).unwrap_or(Timestamp::MAX)
    }

    /// What follows a failed attempt. The pauses grow with the age of the message, so that a hop
    /// that was down for a minute costs a message no hours; the last attempt is made when it
    /// expires. `random` spreads attempts that failed together.
    ///
    /// No message is given up at its first attempt: whoever was away for a week, or turns
    /// strangers away once, gets a second one.
    pub(crate) fn after(&self, attempt: &Attempt, random: u32) -> Next {
        let age = attempt.age().unwrap_or_else(|| self.least_age(attempt.number));
        let left = self.expire_after.checked_sub(age).filter(|left| !left.is_zero());
        if left.is_none() && attempt.number > 1 {
            return Next::Expired;
        }
        let wait = match attempt.age() {
            Some(age) => self.wait_at(age),
            None => self.wait_number(attempt.number.saturating_sub(1) as usize),
        };
        let later = |wait| attempt.now.saturating_add(signed(wait)).unwrap_or(Timestamp::MAX);
        let wanted = attempt.not_before.unwrap_or_else(|| later(lengthened(wait, random)));
        Next::At(left.map_or(wanted, |left| wanted.min(later(left))))
    }

    /// The pause that begins at this age.
    fn wait_at(&self, age: Duration) -> Duration {
        let mut begins = Duration::ZERO;
        let mut number = 0;
        for wait in &self.waits {
            begins = begins.saturating_add(*wait);
            if age < begins {
                break;
            }
            number += 1;
        }
        self.wait_number(number)
    }

    fn wait_number(&self, number: usize) -> Duration {
        let wait = self.waits.get(number).or(self.waits.last()).copied();
        wait.unwrap_or(Duration::from_secs(60))
    }

    /// How old a message is at least before this attempt, by the pauses that lay between.
    fn least_age(&self, number: u32) -> Duration {
        let pauses = number.saturating_sub(1);
        let listed: Duration = self.waits.iter().take(pauses as usize).sum();
        let further = pauses.saturating_sub(u32::try_from(self.waits.len()).unwrap_or(u32::MAX));
        let last = self.waits.last().copied().unwrap_or_default();
        listed.saturating_add(last.saturating_mul(further))
    }
}

/// `wait` and up to a tenth of it more.
pub(crate) fn lengthened(wait: Duration, random: u32) -> Duration {
    let tenth = u64::try_from(wait.as_millis() / 10).unwrap_or(u64::MAX);
    let more = u128::from(tenth) * u128::from(random) / u128::from(u32::MAX);
    wait.saturating_add(Duration::from_millis(u64::try_from(more).unwrap_or(u64::MAX)))
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// A random number for [`lengthened`]; without one, attempts are not spread.
pub(crate) fn random() -> u32 {
    getrandom::u32().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn schedule() -> Schedule {
        let waits = [60, 300, 900].map(Duration::from_secs).to_vec();
        Schedule::new(waits, Duration::from_secs(24 * 3600))
    }

    fn attempt(number: u32, born: i64, now: i64) -> Attempt {
        let (born, now, jumped) = (at(born), at(now), SignedDuration::ZERO);
        Attempt { number, born, now, jumped, not_before: None }
    }

    fn after(number: u32, born: i64, now: i64) -> Next {
        schedule().after(&attempt(number, born, now), 0)
    }

    #[test]
    fn pauses_grow_with_the_age_and_the_last_repeats() {
        for (age, wait) in [(0, 60), (59, 60), (60, 300), (366, 900), (1300, 900), (9000, 900)] {
            assert_eq!(after(2, 1000, 1000 + age), Next::At(at(1000 + age + wait)), "{age}");
        }
        // Many attempts in a short time are the hop's fault, and cost the message nothing.
        assert_eq!(after(30, 1000, 1030), Next::At(at(1090)));
    }

    #[test]
    fn jitter_is_at_most_a_tenth() {
        assert_eq!(schedule().after(&attempt(1, 0, 0), u32::MAX), Next::At(at(66)));
        assert_eq!(lengthened(Duration::from_secs(100), u32::MAX / 2).as_secs(), 104);
        assert_eq!(lengthened(Duration::MAX, u32::MAX), Duration::MAX);
    }

    #[test]
    fn last_attempt_is_at_the_expiry() {
        assert_eq!(after(9, 0, DAY - 100), Next::At(at(DAY)));
        assert_eq!(after(9, 0, DAY), Next::Expired);
        let patient = Attempt { not_before: Some(at(DAY * 10)), ..attempt(9, 0, DAY - 100) };
        assert_eq!(schedule().after(&patient, 0), Next::At(at(DAY)));
        assert_eq!(schedule().expiry(at(0)), at(DAY));
    }

    #[test]
    fn the_first_attempt_is_not_the_last() {
        assert_eq!(after(1, 0, 9 * DAY), Next::At(at(9 * DAY + 900)));
        assert_eq!(after(2, 0, 9 * DAY + 900), Next::Expired);
    }

    #[test]
    fn the_hop_decides_while_it_is_down() {
        let told = Attempt { not_before: Some(at(700)), ..attempt(1, 0, 10) };
        assert_eq!(schedule().after(&told, 9), Next::At(at(700)));
    }

    #[test]
    fn a_clock_that_was_set_back_does_no_harm() {
        assert_eq!(after(1, 5000, 10), Next::At(at(70)));
        assert_eq!(after(2, 5000, 70), Next::At(at(370)));
        // Born in a year that has not come: the attempts tell the age.
        assert_eq!(after(90, i64::from(u32::MAX), 10), Next::At(at(910)));
        assert_eq!(after(200, i64::from(u32::MAX), 10), Next::Expired);
    }

    #[test]
    fn a_jump_ahead_does_not_age_the_mail() {
        let year = 365 * DAY;
        let jumped = SignedDuration::from_secs(year);
        let late = Attempt { jumped, ..attempt(5, 0, year + 400) };
        assert_eq!(schedule().after(&late, 0), Next::At(at(year + 400 + 900)));
        assert_eq!(after(5, 0, year + 400), Next::Expired);
    }
}
