//! Since when a client keeps its session waiting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Nobody waits for the client.
const AT_WORK: u64 = 0;

/// Since when a session waits for its client: for a command, or for it to take in something of
/// a reply. Shared between the session, which notes it, and whoever wants the session's place.
#[derive(Debug)]
pub struct Idleness {
    origin: Instant,
    /// Milliseconds from `origin`, and one.
    since: AtomicU64,
}

impl Idleness {
    /// The client is not waited for.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now(), since: AtomicU64::new(AT_WORK) }
    }

    /// The client has been waited for since `at`.
    pub fn begin(&self, at: Instant) {
        let millis = at.saturating_duration_since(self.origin).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        self.since.store(millis.saturating_add(1), Ordering::Relaxed);
    }

    /// It is the session's turn: what it does now is not the client's idleness.
    pub fn end(&self) {
        self.since.store(AT_WORK, Ordering::Relaxed);
    }

    /// How long the client has been waited for, at `now`; zero while the session is at work.
    #[must_use]
    pub fn lasts(&self, now: Instant) -> Duration {
        match self.since.load(Ordering::Relaxed) {
            AT_WORK => Duration::ZERO,
            since => {
                let waited = Duration::from_millis(since.saturating_sub(1));
                now.saturating_duration_since(self.origin).saturating_sub(waited)
            }
        }
    }
}

impl Default for Idleness {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_from_its_beginning_to_its_end() {
        let idleness = Idleness::new();
        let begun = idleness.origin;
        assert_eq!(idleness.lasts(begun + Duration::from_secs(9)), Duration::ZERO);
        idleness.begin(begun);
        assert_eq!(idleness.lasts(begun + Duration::from_secs(9)), Duration::from_secs(9));
        idleness.begin(begun + Duration::from_secs(8));
        assert_eq!(idleness.lasts(begun + Duration::from_secs(9)), Duration::from_secs(1));
        // A reader of another thread may be a little behind.
        assert_eq!(idleness.lasts(begun), Duration::ZERO);
        idleness.end();
        assert_eq!(idleness.lasts(begun + Duration::from_secs(99)), Duration::ZERO);
    }
}
