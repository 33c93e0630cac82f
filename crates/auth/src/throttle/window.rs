//! Counts over the last hour or so: this half of the time, and the half before.

use std::time::Duration;

use super::sketch::Sketch;

/// A count and two numbers of different things.
#[derive(Clone, Copy, Default)]
struct Half {
    count: u32,
    foes: Sketch,
    friends: Sketch,
}

/// What happened within the window: of the last, begun half of it and the whole one before, so
/// that nothing has to be kept of each happening.
#[derive(Clone, Copy, Default)]
pub(super) struct Window {
    /// Which half of time `now` is.
    number: u32,
    now: Half,
    before: Half,
}

impl Window {
    /// Moves on to `now`.
    pub(super) fn turn(&mut self, now: Duration, window: Duration) {
        let half = (window / 2).as_secs().max(1);
        let number = u32::try_from(now.as_secs() / half).unwrap_or(u32::MAX);
        match number.saturating_sub(self.number) {
            0 => return,
            1 => self.before = std::mem::take(&mut self.now),
            _ => (self.before, self.now) = Default::default(),
        }
        self.number = number;
    }

    pub(super) fn add(&mut self) {
        self.now.count = self.now.count.saturating_add(1);
    }

    /// One that speaks against it: an account that was tried in vain, a network that failed.
    pub(super) fn note_foe(&mut self, hash: u64) {
        self.now.foes.note(hash);
    }

    /// One that speaks for it: a customer who logged in.
    pub(super) fn note_friend(&mut self, hash: u64) {
        self.now.friends.note(hash);
    }

    pub(super) fn count(&self) -> u32 {
        self.now.count.saturating_add(self.before.count)
    }

    pub(super) fn foes(&self) -> u32 {
        self.now.foes.with(self.before.foes).count()
    }

    pub(super) fn friends(&self) -> u32 {
        self.now.friends.with(self.before.friends).count()
    }

    /// Forgets what speaks against it.
    pub(super) fn forgive(&mut self) {
        for half in [&mut self.now, &mut self.before] {
            (half.count, half.foes) = (0, Sketch::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn what_happened_counts_for_half_a_window_at_least_and_a_whole_one_at_most() {
        let mut window = Window::default();
        let at = |minutes: u64| Duration::from_secs(minutes * 60);
        window.turn(at(600), HOUR);
        window.add();
        window.note_foe(1 << 60);
        window.note_friend(1 << 60);
        for (minutes, counted) in [(629, 1), (631, 1), (659, 1), (660, 0)] {
            window.turn(at(minutes), HOUR);
            let seen = (window.count(), window.foes(), window.friends());
            assert_eq!(seen, (counted, counted, counted), "{minutes}");
        }
        window.add();
        window.turn(at(725), HOUR);
        assert_eq!(window.count(), 0, "two halves later all at once");
    }

    #[test]
    fn forgiving_leaves_the_friends() {
        let mut window = Window::default();
        window.turn(HOUR, HOUR);
        window.add();
        window.note_foe(0);
        window.note_friend(0);
        window.forgive();
        assert_eq!((window.count(), window.foes(), window.friends()), (0, 0, 1));
    }
}
