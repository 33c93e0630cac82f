//! The seconds by which windows are counted.

use auth::Moment;

/// Seconds that only grow: begun at the wall clock (or where the last run ended, if the clock
/// has been set back since), moved on by the monotonic clock. Steps of the wall clock while the
/// process runs do nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    begin: u64,
    mono: u64,
}

impl Timeline {
    /// A line that shows no less than `least` at `start`.
    pub(crate) fn new(start: Moment, least: u64) -> Self {
        let wall = u64::try_from(start.wall.as_second()).unwrap_or(0);
        Self { begin: wall.max(least), mono: start.mono.as_secs() }
    }

    /// Seconds at `moment`.
    pub(crate) fn at(&self, moment: Moment) -> u64 {
        self.begin.saturating_add(moment.mono.as_secs().saturating_sub(self.mono))
    }
}
