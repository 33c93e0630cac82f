//! How fast a message must come.

use std::time::Duration;

use tokio::time::Instant;

/// Octets a second that a client must bring, taken over a window.
pub(crate) const RATE_MIN: u64 = 500;

/// A deadline that moves only with progress: each window must bring [`RATE_MIN`] octets for
/// each of its seconds, then the next one begins. A fast link never meets it, a slow one that
/// gets on does not either, and one that trickles is cut off.
#[derive(Debug)]
pub(crate) struct Pace {
    window: Duration,
    deadline: Instant,
    taken: u64,
}

impl Pace {
    pub(crate) fn new(window: Duration, now: Instant) -> Self {
        Self { window, deadline: now + window, taken: 0 }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(crate) fn progress(&mut self, octets: usize, now: Instant) {
        self.taken = self.taken.saturating_add(octets as u64);
        if self.taken >= self.window.as_secs().saturating_mul(RATE_MIN).max(1) {
            self.taken = 0;
            self.deadline = now + self.window;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_progress_moves_the_deadline() {
        let start = Instant::now();
        let window = Duration::from_secs(10);
        let mut pace = Pace::new(window, start);
        let later = start + Duration::from_secs(9);
        pace.progress(4999, later);
        assert_eq!(pace.deadline(), start + window);
        pace.progress(1, later);
        assert_eq!(pace.deadline(), later + window);
        pace.progress(4999, later);
        assert_eq!(pace.deadline(), later + window);
    }
}
