//! How many connections a destination bears, learnt from what it says to them.

use std::time::Duration;

/// What one begins with, where as many are allowed.
const START: usize = 5;
/// How long after a connection too many no further one is tried.
const REST: Duration = Duration::from_secs(60);

/// The number of connections that may be open. Times are monotonic.
#[derive(Debug)]
pub(super) struct Window {
    size: usize,
    max: usize,
    /// Messages carried since the last growth.
    carried: usize,
    /// A connection was refused: from now on it grows by one for a whole round of messages, not
    /// for each.
    careful: bool,
    rest_until: Duration,
}

impl Window {
    pub(super) fn new(max: usize) -> Self {
        let rest_until = Duration::ZERO;
        Self { size: START.min(max), max, carried: 0, careful: false, rest_until }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// A message was carried. True if one connection more may be open now.
    pub(super) fn succeed(&mut self, now: Duration) -> bool {
        if self.size >= self.max || now < self.rest_until {
            return false;
        }
        self.carried += 1;
        let grows = !self.careful || self.carried >= self.size;
        if grows {
            self.carried = 0;
            self.size += 1;
        }
        grows
    }

    /// A connection did not come about while `open` others were at work.
    pub(super) fn shrink(&mut self, open: usize, now: Duration) {
        self.size = open.clamp(1, self.max).min(self.size);
        self.carried = 0;
        self.careful = true;
        self.rest_until = now.saturating_add(REST);
    }

    /// The destination was away: it begins with one.
    pub(super) fn restart(&mut self) {
        *self = Self { size: 1, ..Self::new(self.max) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn grows_with_each_message_until_one_is_refused() {
        let mut window = Window::new(20);
        assert_eq!(window.size(), 5);
        for _ in 0..100 {
            window.succeed(secs(1));
        }
        assert_eq!(window.size(), 20);

        window.shrink(12, secs(2));
        assert_eq!(window.size(), 12, "those that are open are borne");
        for _ in 0..100 {
            window.succeed(secs(30));
        }
        assert_eq!(window.size(), 12, "no further one is tried for a minute");
        for _ in 0..11 {
            window.succeed(secs(62));
        }
        assert_eq!(window.size(), 12);
        window.succeed(secs(62));
        assert_eq!(window.size(), 13, "one for a whole round");
    }

    #[test]
    fn never_leaves_its_bounds() {
        assert_eq!(Window::new(3).size(), 3);
        let mut window = Window::new(1);
        window.succeed(secs(0));
        window.shrink(0, secs(0));
        assert_eq!(window.size(), 1);
        let mut window = Window::new(8);
        window.shrink(50, secs(0));
        assert_eq!(window.size(), 5, "it does not grow by a failure");
        window.restart();
        assert_eq!(window.size(), 1);
        window.succeed(secs(0));
        assert_eq!(window.size(), 2);
    }
}
