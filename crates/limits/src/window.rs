//! Counters over windows that slide.
//!
//! A counter has two buckets, of this hour (or day) and of the one before. What it says is
//! this bucket and that share of the one before which still lies within the window, as if what is
//! in there had come evenly. So nothing is forgotten at the full hour; the price is that in the
//! worst case, all of a bucket's messages at its end, a window of any position holds nearly
//! twice the limit. A counter is eight octets.

/// Seconds of an hour.
pub(crate) const HOUR: u64 = 60 * 60;
/// Seconds of a day.
pub(crate) const DAY: u64 = 24 * HOUR;

/// Counters of one account or address: see [`Windows::length`] for which are hourly.
pub(crate) const COUNTERS: usize = 8;
/// The first of those that have a day.
const DAILY: usize = 3;
/// The last counter has no limit: messages that were refused in a day.
pub(crate) const REFUSED: usize = 7;

/// One counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// In this bucket.
    pub(crate) now: u32,
    /// In the one before.
    pub(crate) before: u32,
}

impl Window {
    fn roll(&mut self, buckets: u64) {
        *self = match buckets {
            0 => *self,
            1 => Self { now: 0, before: self.now },
            _ => Self::default(),
        };
    }

    fn add(&mut self, count: u32) {
        self.now = self.now.saturating_add(count);
    }

    /// Takes back what was added, from the bucket before if this one has begun since.
    fn take(&mut self, count: u32) {
        let rest = count.saturating_sub(self.now);
        self.now = self.now.saturating_sub(count);
        self.before = self.before.saturating_sub(rest);
    }

    /// What counts `elapsed` seconds into a bucket of `length`; a part of one counts whole, so
    /// that [`Window::wait`] is exact.
    pub(crate) fn estimate(self, elapsed: u64, length: u64) -> u64 {
        let share = length.saturating_sub(elapsed);
        (u64::from(self.before) * share).div_ceil(length.max(1)) + u64::from(self.now)
    }

    /// Seconds until at most `most` counts, if nothing is added.
    pub(crate) fn wait(self, elapsed: u64, length: u64, most: u64) -> u64 {
        if self.estimate(elapsed, length) <= most {
            return 0;
        }
        let (now, before) = (u64::from(self.now), u64::from(self.before));
        // Into its window, a bucket of `full` lets at most `room` count from here on.
        let until = |full: u64, room: u64| length - (length * room / full.max(1)).min(length);
        if now <= most {
            until(before, most - now).saturating_sub(elapsed).max(1)
        } else {
            length.saturating_sub(elapsed) + until(now, most)
        }
    }
}

/// All counters of one account or address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Windows {
    /// Number of the hour that `now` is about.
    pub(crate) hour: u32,
    /// Number of the day.
    pub(crate) day: u32,
    pub(crate) counts: [Window; COUNTERS],
}

/// What one message adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addition {
    pub(crate) messages: u32,
    pub(crate) recipients: u32,
    pub(crate) first_time: u32,
    pub(crate) kib: u32,
}

impl Addition {
    /// By counter.
    pub(crate) fn by_counter(&self) -> [u32; COUNTERS] {
        let Self { messages, recipients, first_time, kib } = *self;
        [messages, recipients, 0, messages, recipients, first_time, kib, 0]
    }
}

impl Windows {
    /// The bucket length of a counter, in seconds.
    pub(crate) const fn length(counter: usize) -> u64 {
        if counter < DAILY { HOUR } else { DAY }
    }

    /// Moves on to `now`, in seconds. Time that runs backwards is time that stands still.
    pub(crate) fn roll(&mut self, now: u64) {
        let hour = u32::try_from(now / HOUR).unwrap_or(u32::MAX);
        let day = u32::try_from(now / DAY).unwrap_or(u32::MAX);
        let hours = u64::from(hour.saturating_sub(self.hour));
        let days = u64::from(day.saturating_sub(self.day));
        if hours == 0 && days == 0 {
            return;
        }
        for (counter, window) in self.counts.iter_mut().enumerate() {
            window.roll(if counter < DAILY { hours } else { days });
        }
        self.hour = self.hour.max(hour);
        self.day = self.day.max(day);
    }

    pub(crate) fn add(&mut self, addition: &Addition) {
        for (window, count) in self.counts.iter_mut().zip(addition.by_counter()) {
            window.add(count);
        }
    }

    pub(crate) fn add_to(&mut self, counter: usize, count: u32) {
        if let Some(window) = self.counts.get_mut(counter) {
            window.add(count);
        }
    }

    pub(crate) fn take(&mut self, addition: &Addition) {
        for (window, count) in self.counts.iter_mut().zip(addition.by_counter()) {
            window.take(count);
        }
    }

    /// What a counter says at `now`; the windows have moved on to it.
    pub(crate) fn estimate(&self, counter: usize, now: u64) -> u64 {
        let length = Self::length(counter);
        self.counts.get(counter).map_or(0, |window| window.estimate(now % length, length))
    }

    /// Seconds until a counter says at most `most`.
    pub(crate) fn wait(&self, counter: usize, now: u64, most: u64) -> u64 {
        let length = Self::length(counter);
        self.counts.get(counter).map_or(0, |window| window.wait(now % length, length, most))
    }

    /// Whether nothing counts any more.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.iter().all(|window| *window == Window::default())
    }
}

#[cfg(test)]
mod tests;
