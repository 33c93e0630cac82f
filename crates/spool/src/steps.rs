//! What a step of the wall clock does to the schedule.
//!
//! Times in records are wall clock times. A step forwards makes attempts due early, which costs
//! an attempt. A step backwards would make them late by as much: a clock that was a year ahead
//! for a minute must not leave mail waiting for a year. So the schedule in memory follows it,
//! and what a start finds due in more than a day is due in a day. Delays that senders asked for
//! are times of day, and stay.

use crate::shared::Shared;

/// Steps backwards up to this, in milliseconds, are left alone.
const SMALL: i64 = 30_000;

/// What a start finds due later than this, in milliseconds, is not believed.
const FAR: i64 = 24 * 3600 * 1000;

/// Messages changed before the queue's lock is given to others.
const PAGE: usize = 1024;

impl Shared {
    /// Compares the clocks; called about once a second, by one thread.
    pub(crate) fn watch_clock(&self, last: &mut Option<i64>) {
        let moment = self.clock.now();
        let mono = i64::try_from(moment.mono.as_millis()).unwrap_or(i64::MAX);
        let now = crate::message::milliseconds(moment.wall);
        let offset = now.saturating_sub(mono);
        let Some(before) = last.replace(offset) else {
            return;
        };
        let back = before.saturating_sub(offset);
        if back <= SMALL {
            return;
        }
        tracing::warn!(
            target: "lastpost::spool",
            seconds = back / 1000,
            "spool: the clock was set back; the schedule follows it"
        );
        self.draw_in(now, |due| due.saturating_sub(back));
    }

    /// Makes due in a day what is due later.
    pub(crate) fn distrust_far_times(&self) {
        let now = self.now();
        self.draw_in(now, |due| due.min(now.saturating_add(FAR)));
    }

    fn draw_in(&self, now: i64, change: impl Fn(i64) -> i64) {
        let mut after = Some(0);
        while let Some(number) = after {
            after = self.queue().draw_in(number, PAGE, now, &change);
        }
        self.changed.notify_waiters();
    }
}
