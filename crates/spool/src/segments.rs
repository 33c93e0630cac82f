//! Which segment still holds what: live octets, notes about older segments, and so which file
//! may go and which is worth emptying.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::record::span;
use crate::segment::Segment;

/// Where a record lies. Generation 0: nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) generation: u32,
    pub(crate) offset: u32,
}

impl Location {
    pub(crate) const NOWHERE: Self = Self { generation: 0, offset: 0 };
}

/// Octets that a note of the usual kind takes when it is copied.
fn note_span() -> u64 {
    span(16, 0)
}

/// A segment and what it is needed for.
#[derive(Debug)]
struct Place {
    segment: Arc<Segment>,
    /// Octets of records that count: queued messages and their newest states.
    live: u64,
    /// Notes (ends of messages, seals) about other segments that still exist.
    notes: BTreeMap<u32, u32>,
    /// Segments whose tails a record here makes void. Such a record must stay the first of its
    /// segment, and so is never copied.
    cuts: Vec<u32>,
    /// Nothing is appended any more.
    sealed: bool,
    /// To be emptied whatever it holds: writing failed in it, or part of it is damaged.
    evacuate: bool,
    /// Holds old copies of records that live elsewhere now.
    stale: bool,
    /// Its last records may not be on the medium, whatever is read: until they are copied,
    /// nothing that they made unnecessary may go.
    distrusted: bool,
    /// Records from here on are void.
    limit: u64,
    /// How often emptying it has failed: some live record of it does not read, does not fit,
    /// or was being replaced just then.
    failures: u8,
}

/// After so many failures a segment is left as it is.
const FAILURES_MAX: u8 = 8;

impl Place {
    fn is_needed(&self) -> bool {
        !self.sealed || self.live > 0 || !self.notes.is_empty() || !self.cuts.is_empty()
    }

    fn is_worth_emptying(&self, percent: u8) -> bool {
        let notes: u64 = self.notes.values().map(|count| u64::from(*count)).sum();
        let kept = self.live + notes * note_span();
        let sparse = kept * 100 < u64::from(percent) * self.segment.size;
        self.sealed
            && self.cuts.is_empty()
            && self.failures < FAILURES_MAX
            && (sparse || self.evacuate)
    }
}

/// All segments, by number.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    places: BTreeMap<u32, Place>,
    live: u64,
}

impl Segments {
    pub(crate) fn add(&mut self, segment: Arc<Segment>, sealed: bool) {
        let place = Place {
            live: 0,
            notes: BTreeMap::new(),
            cuts: Vec::new(),
            sealed,
            evacuate: false,
            stale: false,
            distrusted: false,
            limit: u64::MAX,
            failures: 0,
            segment,
        };
        self.places.insert(place.segment.generation, place);
    }

    pub(crate) fn get(&self, generation: u32) -> Option<&Arc<Segment>> {
        self.places.get(&generation).map(|place| &place.segment)
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn live(&self) -> u64 {
        self.live
    }

    /// A record of `octets` at `location` counts from now on.
    pub(crate) fn occupy(&mut self, location: Location, octets: u64) {
        if let Some(place) = self.places.get_mut(&location.generation) {
            place.live += octets;
            self.live += octets;
        }
    }

    /// A record of `octets` at `location` counts no more.
    pub(crate) fn vacate(&mut self, location: Location, octets: u64) {
        if let Some(place) = self.places.get_mut(&location.generation) {
            place.live = place.live.saturating_sub(octets);
            self.live = self.live.saturating_sub(octets);
        }
    }

    /// A note about `targets` lies in `generation`.
    pub(crate) fn note(&mut self, generation: u32, targets: &[u32]) {
        for target in targets.iter().filter(|target| **target != generation) {
            if !self.places.contains_key(target) {
                continue;
            }
            if let Some(place) = self.places.get_mut(&generation) {
                *place.notes.entry(*target).or_default() += 1;
            }
        }
    }

    /// The first record of `generation` makes the tail of `target` void.
    pub(crate) fn cut(&mut self, generation: u32, target: u32) {
        if !self.places.contains_key(&target) {
            return;
        }
        if let Some(place) = self.places.get_mut(&generation) {
            place.cuts.push(target);
        }
    }

    pub(crate) fn exists(&self, generation: u32) -> bool {
        self.places.contains_key(&generation)
    }

    pub(crate) fn seal(&mut self, generation: u32) {
        if let Some(place) = self.places.get_mut(&generation) {
            place.sealed = true;
        }
    }

    /// `generation` is to be emptied, and nothing in it from `limit` on counts.
    pub(crate) fn evacuate(&mut self, generation: u32, limit: u64) {
        if let Some(place) = self.places.get_mut(&generation) {
            place.sealed = true;
            place.evacuate = true;
            place.limit = place.limit.min(limit);
        }
    }

    /// `generation` could not be flushed.
    pub(crate) fn distrust(&mut self, generation: u32) {
        self.evacuate(generation, u64::MAX);
        if let Some(place) = self.places.get_mut(&generation) {
            place.distrusted = true;
        }
    }

    /// `generation` holds old copies from now on.
    pub(crate) fn mark_stale(&mut self, generation: u32) {
        if let Some(place) = self.places.get_mut(&generation) {
            place.stale = true;
        }
    }

    /// `generation` could not be emptied.
    pub(crate) fn not_emptied(&mut self, generation: u32) {
        if let Some(place) = self.places.get_mut(&generation) {
            place.failures = place.failures.saturating_add(1);
        }
    }

    /// The segments that a note about the end of the message at `location` must outlive.
    pub(crate) fn targets(&self, location: Location) -> Vec<u32> {
        let stale = self.places.iter().filter(|(_, place)| place.stale).map(|(at, _)| *at);
        let mut targets = vec![location.generation];
        targets.extend(stale.filter(|at| *at != location.generation));
        targets
    }

    /// How many targets [`Self::targets`] names at most.
    pub(crate) fn targets_max(&self) -> usize {
        1 + self.places.values().filter(|place| place.stale).count()
    }

    /// Segments that nothing needs.
    pub(crate) fn removable(&self) -> Vec<Arc<Segment>> {
        let distrust = self.places.values().any(|place| place.distrusted);
        let free = |place: &&Place| !place.is_needed() && (place.distrusted || !distrust);
        let places = self.places.values().filter(free);
        places.map(|place| Arc::clone(&place.segment)).collect()
    }

    /// The file of `generation` is a segment no more, and will not be one again after a power
    /// cut: notes about it have no purpose any more.
    pub(crate) fn removed(&mut self, generation: u32) {
        self.places.remove(&generation);
        for place in self.places.values_mut() {
            place.notes.remove(&generation);
            place.cuts.retain(|target| *target != generation);
        }
    }

    /// The oldest segment that is worth emptying, and up to where its records count.
    pub(crate) fn worth_emptying(&self, percent: u8) -> Option<(Arc<Segment>, u64)> {
        let place = self
            .places
            .values()
            .find(|place| place.is_needed() && place.is_worth_emptying(percent))?;
        Some((Arc::clone(&place.segment), place.limit))
    }
}
