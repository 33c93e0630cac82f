//! Jumps of the wall clock while the relay runs.

use std::sync::{Mutex, PoisonError};

use auth::Moment;
use jiff::{SignedDuration, Timestamp};

/// What the two clocks may differ by before the wall clock is said to have jumped: slewing, and
/// a machine that was busy.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(2);
/// Jumps ahead that are remembered: those of old are of no matter to any mail.
const JUMPS_MAX: usize = 32;

/// Compares the wall clock with the one that is never set.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last: Moment,
    /// For each jump ahead: what the clock showed before, and how far it jumped.
    jumps: Vec<(Timestamp, SignedDuration)>,
}

/// What the wall clock did since it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It went on.
    None,
    /// It was set ahead by this much.
    Ahead(SignedDuration),
    /// It was set back by this much.
    Back(SignedDuration),
}

impl ClockWatch {
    pub(crate) fn new(now: Moment) -> Self {
        Self { state: Mutex::new(State { last: now, jumps: Vec::new() }) }
    }

    /// Looks at the clock.
    pub(crate) fn look(&self, now: Moment) -> Step {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Readings of several tasks may come out of order.
        let Some(passed) = now.mono.checked_sub(state.last.mono) else { return Step::None };
        let last = std::mem::replace(&mut state.last, now);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        let step = now.wall.duration_since(last.wall).saturating_sub(passed);
        if step > TOLERANCE {
            if state.jumps.len() >= JUMPS_MAX {
                state.jumps.remove(0);
            }
            state.jumps.push((last.wall, step));
            Step::Ahead(step)
        } else if step < -TOLERANCE {
            // What was ahead of its time is not any more.
            state.jumps.retain(|(before, _)| *before <= now.wall);
            Step::Back(-step)
        } else {
            Step::None
        }
    }

    /// How far the clock has jumped ahead since it showed `since`.
    pub(crate) fn jumped_since(&self, since: Timestamp) -> SignedDuration {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let later = state.jumps.iter().filter(|(before, _)| *before >= since);
        later.fold(SignedDuration::ZERO, |sum, (_, by)| sum.saturating_add(*by))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn moment(wall: i64, mono: u64) -> Moment {
        Moment { wall: Timestamp::from_second(wall).unwrap(), mono: Duration::from_secs(mono) }
    }

    fn at(wall: i64) -> Timestamp {
        moment(wall, 0).wall
    }

    #[test]
    fn jumps_are_told_from_the_course_of_time() {
        let watch = ClockWatch::new(moment(1000, 50));
        assert_eq!(watch.look(moment(5000, 4050)), Step::None);
        assert_eq!(watch.look(moment(5100, 4100)), Step::None, "slewed");
        assert_eq!(watch.look(moment(9000, 4000)), Step::None, "an older reading");
        let day = SignedDuration::from_hours(24);
        assert_eq!(watch.look(moment(5160 + 86_400, 4160)), Step::Ahead(day));
        assert_eq!(watch.jumped_since(at(1000)), day);
        assert_eq!(watch.jumped_since(at(5100)), day);
        assert_eq!(watch.jumped_since(at(5161)), SignedDuration::ZERO, "born after it");
        assert_eq!(watch.look(moment(5260, 4260)), Step::Back(day));
    }

    #[test]
    fn few_jumps_are_remembered() {
        let watch = ClockWatch::new(moment(0, 0));
        for n in 1..=100 {
            assert_ne!(watch.look(moment(n * 1000, u64::try_from(n).unwrap())), Step::None);
        }
        assert_eq!(watch.state.lock().unwrap().jumps.len(), JUMPS_MAX);
    }
}
