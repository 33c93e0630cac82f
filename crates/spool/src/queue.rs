//! The queue in memory: per message where its records are and when it is due. Envelopes and
//! texts stay on disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::QueueId;
use crate::record::span;
use crate::segment::Segment;
use crate::segments::{Location, Segments};

/// A set of marks on a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(u8);

impl Marks {
    /// Somebody delivers it now.
    pub(crate) const CLAIMED: Self = Self(1);
    /// An administrator holds it.
    pub(crate) const HELD: Self = Self(2);
    /// Its text has a file of its own.
    pub(crate) const EXTERNAL: Self = Self(4);
    /// Every pending recipient is to be tried, whenever due.
    pub(crate) const HURRIED: Self = Self(8);
    /// The record of its end is being written.
    pub(crate) const ENDING: Self = Self(16);
    /// A new state record of it is being written.
    pub(crate) const SAVING: Self = Self(32);
    /// Its record or text does not read.
    pub(crate) const BROKEN: Self = Self(64);
    /// The sender asked for a delay, and it has not been claimed yet.
    pub(crate) const FUTURE: Self = Self(128);

    /// Not to be claimed while any of these is set.
    const BARRED: u8 = Self::CLAIMED.0 | Self::HELD.0 | Self::ENDING.0 | Self::BROKEN.0;

    pub(crate) fn has(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }

    pub(crate) fn set(&mut self, mark: Self, to: bool) {
        self.0 = if to { self.0 | mark.0 } else { self.0 & !mark.0 };
    }
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// When it is due, in milliseconds.
    pub(crate) due: i64,
    pub(crate) message: Location,
    /// Its newest state record; nowhere: no recipient has been tried.
    pub(crate) state: Location,
    pub(crate) meta_len: u32,
    pub(crate) body_len: u32,
    pub(crate) state_len: u32,
    pub(crate) marks: Marks,
}

impl Entry {
    fn may_be_claimed(&self) -> bool {
        self.marks.0 & Marks::BARRED == 0
    }

    fn message_span(&self) -> u64 {
        span(self.meta_len, self.body_len)
    }
}

/// Where the newest state of a message is.
#[derive(Clone, Debug)]
pub(crate) enum StateAt {
    /// No recipient has been tried.
    Untried,
    /// In the log.
    Log { segment: Arc<Segment>, offset: u32, meta_len: u32 },
    /// Not on disk yet, for writing failed.
    Memory(Vec<u8>),
}

/// What is needed to read a message from disk without the queue's lock.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) id: QueueId,
    pub(crate) entry: Entry,
    pub(crate) segment: Arc<Segment>,
    pub(crate) state: StateAt,
}

/// All queued messages, their schedule, and the segments they lie in.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: BTreeMap<u64, Entry>,
    schedule: BTreeSet<(i64, u64)>,
    /// States whose record could not be written yet.
    pub(crate) unsaved: HashMap<u64, Vec<u8>>,
    pub(crate) segments: Segments,
    held: u64,
    claimed: u64,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    pub(crate) fn claimed(&self) -> u64 {
        self.claimed
    }

    pub(crate) fn get(&self, id: QueueId) -> Option<&Entry> {
        self.entries.get(&id.as_u64())
    }

    /// When the first message that may be claimed is due.
    pub(crate) fn next_due(&self) -> Option<i64> {
        self.schedule.first().map(|(due, _)| *due)
    }

    /// The message may be claimed from now on.
    pub(crate) fn insert(&mut self, id: QueueId, entry: Entry) {
        self.segments.occupy(entry.message, entry.message_span());
        if entry.state != Location::NOWHERE {
            self.segments.occupy(entry.state, span(entry.state_len, 0));
        }
        self.held += u64::from(entry.marks.has(Marks::HELD));
        if entry.may_be_claimed() {
            self.schedule.insert((entry.due, id.as_u64()));
        }
        self.entries.insert(id.as_u64(), entry);
    }

    /// Changes an entry and whatever hangs on it. `false`: there is no such message.
    pub(crate) fn change(&mut self, id: QueueId, change: impl FnOnce(&mut Entry)) -> bool {
        let Some(entry) = self.entries.get_mut(&id.as_u64()) else {
            return false;
        };
        let before = *entry;
        change(entry);
        let after = *entry;
        if (before.due, before.may_be_claimed()) != (after.due, after.may_be_claimed()) {
            self.schedule.remove(&(before.due, id.as_u64()));
            if after.may_be_claimed() {
                self.schedule.insert((after.due, id.as_u64()));
            }
        }
        let count = |total: &mut u64, mark| {
            *total -= u64::from(before.marks.has(mark));
            *total += u64::from(after.marks.has(mark));
        };
        count(&mut self.held, Marks::HELD);
        count(&mut self.claimed, Marks::CLAIMED);
        true
    }

    /// Claims up to `max` messages due at `at` (milliseconds), the longest due first.
    pub(crate) fn claim(&mut self, at: i64, max: usize) -> Vec<View> {
        let due: Vec<u64> = self
            .schedule
            .iter()
            .take_while(|(due, _)| *due <= at)
            .take(max)
            .map(|(_, id)| *id)
            .collect();
        let mut views = Vec::with_capacity(due.len());
        for id in due.into_iter().map(QueueId::from_u64) {
            let view = self.view(id);
            let mark = if view.is_some() { Marks::CLAIMED } else { Marks::BROKEN };
            self.change(id, |entry| {
                entry.marks.set(mark, true);
                entry.marks.set(Marks::FUTURE, false);
            });
            views.extend(view);
        }
        views
    }

    /// What is needed to read `id` from disk.
    pub(crate) fn view(&self, id: QueueId) -> Option<View> {
        self.view_of(id, self.get(id)?)
    }

    fn view_of(&self, id: QueueId, entry: &Entry) -> Option<View> {
        let segment = Arc::clone(self.segments.get(entry.message.generation)?);
        let state = match self.unsaved.get(&id.as_u64()) {
            Some(payload) => StateAt::Memory(payload.clone()),
            None if entry.state == Location::NOWHERE => StateAt::Untried,
            None => StateAt::Log {
                segment: Arc::clone(self.segments.get(entry.state.generation)?),
                offset: entry.state.offset,
                meta_len: entry.state_len,
            },
        };
        Some(View { id, entry: *entry, segment, state })
    }

    /// Up to `max` messages behind `after`, in order of arrival.
    pub(crate) fn page(&self, after: Option<QueueId>, max: usize) -> Vec<View> {
        let from = match after {
            Some(id) => std::ops::Bound::Excluded(id.as_u64()),
            None => std::ops::Bound::Unbounded,
        };
        self.entries
            .range((from, std::ops::Bound::Unbounded))
            .take(max)
            .filter_map(|(id, entry)| self.view_of(QueueId::from_u64(*id), entry))
            .collect()
    }

    /// A new state record of `id` lies at `location`.
    pub(crate) fn set_state(&mut self, id: QueueId, location: Location, meta_len: u32) {
        let Some(entry) = self.entries.get_mut(&id.as_u64()) else {
            return;
        };
        if entry.state != Location::NOWHERE {
            self.segments.vacate(entry.state, span(entry.state_len, 0));
        }
        self.segments.occupy(location, span(meta_len, 0));
        entry.state = location;
        entry.state_len = meta_len;
    }

    /// The message's record has a copy at `location`, which is the one from now on.
    pub(crate) fn set_message(&mut self, id: QueueId, location: Location) {
        let Some(entry) = self.entries.get_mut(&id.as_u64()) else {
            return;
        };
        self.segments.vacate(entry.message, entry.message_span());
        self.segments.mark_stale(entry.message.generation);
        self.segments.occupy(location, entry.message_span());
        entry.message = location;
    }

    /// The message is no longer queued.
    pub(crate) fn remove(&mut self, id: QueueId) -> Option<Entry> {
        // Takes it out of schedule and counters first.
        self.change(id, |entry| {
            entry.marks.set(Marks::ENDING, true);
            entry.marks.set(Marks::CLAIMED, false);
            entry.marks.set(Marks::HELD, false);
        });
        let entry = self.entries.remove(&id.as_u64())?;
        self.unsaved.remove(&id.as_u64());
        self.segments.vacate(entry.message, entry.message_span());
        if entry.state != Location::NOWHERE {
            self.segments.vacate(entry.state, span(entry.state_len, 0));
        }
        Some(entry)
    }

    /// Makes `id` due at `now`, whatever its recipients' times; not if its sender asked for a
    /// delay that is not over. `false`: no such message.
    pub(crate) fn hurry(&mut self, id: QueueId, now: i64) -> bool {
        self.change(id, |entry| {
            if !entry.marks.has(Marks::FUTURE) {
                entry.due = entry.due.min(now);
                entry.marks.set(Marks::HURRIED, true);
            }
        })
    }

    /// Makes `id` due at `now` as far as the schedule is concerned; its recipients' times stay.
    pub(crate) fn bring_forward(&mut self, id: QueueId, now: i64) {
        self.change(id, |entry| {
            if entry.may_be_claimed() && !entry.marks.has(Marks::FUTURE) {
                entry.due = entry.due.min(now);
            }
        });
    }

    /// Of up to `max` messages with numbers above `after`: those due later than `now` become due
    /// by `change` (which gives a time not later), and every pending recipient of them then.
    /// Those delayed by their senders keep their time. Gives the last number looked at.
    pub(crate) fn draw_in(
        &mut self,
        after: u64,
        max: usize,
        now: i64,
        change: impl Fn(i64) -> i64,
    ) -> Option<u64> {
        let (from, to) = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        let some: Vec<u64> = self.entries.range((from, to)).take(max).map(|(id, _)| *id).collect();
        for id in &some {
            self.change(QueueId::from_u64(*id), |entry| {
                let due = change(entry.due).max(now);
                if entry.due > now && due < entry.due && !entry.marks.has(Marks::FUTURE) {
                    entry.due = due;
                    entry.marks.set(Marks::HURRIED, true);
                }
            });
        }
        some.last().copied()
    }

    /// Makes up to `max` messages that wait for their time due at `now`; says how many. Held
    /// ones are not among them.
    pub(crate) fn hurry_some(&mut self, now: i64, max: usize) -> usize {
        let waiting = self.schedule.range((now.saturating_add(1), 0)..);
        let later: Vec<u64> = waiting.take(max).map(|(_, id)| *id).collect();
        for id in &later {
            self.hurry(QueueId::from_u64(*id), now);
        }
        later.len()
    }
}
