//! No more than so many in a second.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A bucket that fills by `per_second` and holds `burst`.
pub(crate) struct Rate {
    per_second: f64,
    burst: f64,
    /// What is in it, and when that was so.
    state: Mutex<(f64, Duration)>,
}

impl Rate {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let burst = f64::from(burst);
        Self { per_second: per_second.into(), burst, state: Mutex::new((burst, Duration::ZERO)) }
    }

    /// Whether one more may pass.
    pub(crate) fn take(&self, now: Duration) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (level, then) = *state;
        let passed = now.saturating_sub(then).as_secs_f64();
        let level = passed.mul_add(self.per_second, level).min(self.burst);
        let passes = level >= 1.0;
        *state = (if passes { level - 1.0 } else { level }, then.max(now));
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_so_many_in_a_second() {
        let rate = Rate::new(100, 50);
        let passed = |from: u64| {
            (from..from + 1000).filter(|ms| rate.take(Duration::from_millis(*ms))).count()
        };
        assert!((145..=151).contains(&passed(1000)), "a burst and a second's worth");
        assert!((98..=101).contains(&passed(2000)));
        assert!(rate.take(Duration::from_secs(60)), "a clock may stand or jump");
        assert!(rate.take(Duration::from_secs(1)));
    }
}
