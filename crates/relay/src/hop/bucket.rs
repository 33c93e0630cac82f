//! A limit on how many messages a destination gets in a time.

use std::time::Duration;

use crate::config::Rate;

/// Lets so many through. Times are monotonic.
///
/// Kept as the time at which the bucket would be full again (the generic cell rate algorithm):
/// no counter that needs refilling.
#[derive(Debug)]
pub(super) struct Bucket {
    interval: Duration,
    /// What may come at once after a rest, without the first, in time.
    tolerance: Duration,
    full_at: Duration,
}

impl Bucket {
    pub(super) fn new(rate: Rate) -> Self {
        let interval = rate.interval();
        let tolerance = interval.saturating_mul(rate.burst().saturating_sub(1));
        Self { interval, tolerance, full_at: Duration::ZERO }
    }

    /// Takes one.
    ///
    /// # Errors
    /// How long to wait for the next.
    pub(super) fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let full_at = self.full_at.max(now);
        let ahead = full_at - now;
        match ahead.checked_sub(self.tolerance).filter(|wait| !wait.is_zero()) {
            Some(wait) => Err(wait),
            None => {
                self.full_at = full_at.saturating_add(self.interval);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_through_what_the_rate_says() {
        let mut bucket = Bucket::new(Rate::parse("10/s").unwrap());
        let mut let_through = 0;
        for millisecond in 0..10_000 {
            while bucket.take(Duration::from_millis(millisecond)).is_ok() {
                let_through += 1;
            }
        }
        assert_eq!(let_through, 10 * 10 + 9, "ten a second, and those of the first at once");
    }

    #[test]
    fn slow_rates_have_no_burst() {
        let mut bucket = Bucket::new(Rate::parse("30/m").unwrap());
        assert_eq!(bucket.take(Duration::from_secs(100)), Ok(()));
        assert_eq!(bucket.take(Duration::from_secs(100)), Err(Duration::from_secs(2)));
        assert_eq!(bucket.take(Duration::from_secs(101)), Err(Duration::from_secs(1)));
        assert_eq!(bucket.take(Duration::from_secs(102)), Ok(()));
        assert_eq!(bucket.take(Duration::from_secs(3600)), Ok(()));
        assert!(bucket.take(Duration::from_secs(3600)).is_err(), "a long rest saves up nothing");
    }
}
