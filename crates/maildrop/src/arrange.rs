//! The order of the messages, and what is known of each: from the state, from the record, or
//! from the names alone.

use std::collections::{HashMap, HashSet};

use crate::listing::{Found, Listing};
use crate::merge::{Distinct, Ranked};
use crate::name;
use crate::record::Record;
use crate::snapshot::{Entry, NOT_IN_STATE, Snapshot};
use crate::uidl;

/// What is known of the messages before the directories are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known<'a> {
    /// What the state says.
    pub(crate) state: Option<&'a Snapshot>,
    /// The record, where the state is no copy of it. Its ids and its order count then, and the
    /// state is good for the rest.
    pub(crate) record: Option<&'a Record>,
}

/// A message on its way into the snapshot.
pub(crate) struct Row {
    pub(crate) file: Found,
    pub(crate) octets: Option<u64>,
    pub(crate) retrieved: u32,
    pub(crate) ordinal: u32,
    pub(crate) recorded: bool,
    pub(crate) late: bool,
    /// `None`: the base name.
    pub(crate) uidl: Option<Box<[u8]>>,
}

impl Row {
    fn fresh(file: Found, uidl: Option<Box<[u8]>>) -> Self {
        Self {
            file,
            octets: None,
            retrieved: 0,
            ordinal: NOT_IN_STATE,
            recorded: false,
            late: false,
            uidl,
        }
    }

    /// Takes over what the state knows besides the id.
    fn remember(&mut self, entry: &Entry) {
        self.octets = (!entry.provisional).then_some(entry.octets);
        self.retrieved = entry.retrieved;
        self.ordinal = entry.ordinal;
    }
}

/// Gives one row for each message, in order, to `each`.
pub(crate) fn arrange(
    listing: &Listing,
    files: &Distinct,
    known: Known<'_>,
    each: &mut dyn FnMut(Row),
) {
    match known {
        Known { record: Some(record), state } => by_record(listing, files, record, state, each),
        Known { state: Some(state), .. } => by_state(listing, files, state, each),
        Known { .. } => files.ranked.iter().for_each(|ranked| {
            each(Row::fresh(ranked.file, default_id(listing, ranked, false)));
        }),
    }
}

/// The id that follows from the name; `taken`: another message has the name itself as its id.
fn default_id(listing: &Listing, ranked: &Ranked, taken: bool) -> Option<Box<[u8]>> {
    let base = || listing.base(ranked.file);
    if ranked.twin {
        Some(uidl::hashed_twin(base(), ranked.file.ino).as_slice().into())
    } else if taken || !ranked.file.plain {
        Some(uidl::hashed(base()).as_slice().into())
    } else {
        None
    }
}

fn by_state(listing: &Listing, files: &Distinct, state: &Snapshot, each: &mut dyn FnMut(Row)) {
    let mut taken = vec![false; files.ranked.len()];
    // The known order is the order of the files as a rule, so the next one is looked at first.
    let mut next = 0;
    for entry in state.entries() {
        let base = state.base(entry);
        let index = if files.is_at(listing, next, base) {
            Some(next)
        } else {
            files.index_of(listing, base)
        };
        let Some(index) = index else { continue };
        if let (Some(ranked), Some(taken @ false)) = (files.ranked.get(index), taken.get_mut(index))
        {
            *taken = true;
            let own = (!state.has_plain_uidl(entry)).then(|| state.uidl(entry).into());
            let mut row = Row::fresh(ranked.file, own);
            row.remember(entry);
            (row.recorded, row.late) = (entry.recorded, entry.late);
            each(row);
            next = index + 1;
        }
    }
    let fresh: Vec<&Ranked> =
        files.ranked.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(r, _)| r).collect();
    let foreign = if fresh.is_empty() { HashSet::new() } else { foreign(listing, &fresh, state) };
    for ranked in fresh {
        let taken = foreign.contains(listing.base(ranked.file));
        each(Row::fresh(ranked.file, default_id(listing, ranked, taken)));
    }
}

/// New names that are the id of another message: one that does not come from its name.
fn foreign<'a>(listing: &'a Listing, fresh: &[&Ranked], state: &Snapshot) -> HashSet<&'a [u8]> {
    let mut own = state.entries().iter().filter(|entry| !state.has_plain_uidl(entry)).peekable();
    if own.peek().is_none() {
        return HashSet::new();
    }
    let bases: HashSet<&[u8]> = fresh.iter().map(|ranked| listing.base(ranked.file)).collect();
    own.filter_map(|entry| bases.get(state.uidl(entry)).copied()).collect()
}

fn by_record(
    listing: &Listing,
    files: &Distinct,
    record: &Record,
    state: Option<&Snapshot>,
    each: &mut dyn FnMut(Row),
) {
    let by_base: HashMap<&[u8], (&Snapshot, &Entry)> = state
        .iter()
        .flat_map(|state| state.entries().iter().map(|entry| (state.base(entry), (*state, entry))))
        .collect();
    let lost = state.map(|state| lost(record, state)).unwrap_or_default();
    let mut taken = vec![false; files.ranked.len()];
    let mut place = |base: &[u8], uidl: Option<&[u8]>, recorded: bool| {
        let Some(index) = files.index_of(listing, base) else { return };
        if let (Some(ranked), Some(taken @ false)) = (files.ranked.get(index), taken.get_mut(index))
        {
            *taken = true;
            let mut row = Row::fresh(ranked.file, uidl.map(Into::into));
            row.recorded = recorded;
            if let Some((_, entry)) = by_base.get(base) {
                row.remember(entry);
            }
            each(row);
        }
    };
    let recorded = record.rows.iter().map(Some);
    for recorded in std::iter::once(None).chain(recorded) {
        if let Some(recorded) = recorded {
            let own = (recorded.uidl != recorded.base).then_some(&*recorded.uidl);
            place(&recorded.base, own, true);
        }
        for (state, entry) in lost.get(&recorded.map(|r| &*r.base)).into_iter().flatten() {
            let own = (!state.has_plain_uidl(entry)).then(|| state.uidl(entry));
            place(state.base(entry), own, false);
        }
    }
    let mut ids: HashSet<&[u8]> = record.rows.iter().map(|row| &*row.uidl).collect();
    ids.extend(by_base.values().filter(|(s, e)| !s.has_plain_uidl(e)).map(|(s, e)| s.uidl(e)));
    let recorded_ids: HashSet<&[u8]> = record.rows.iter().map(|row| &*row.uidl).collect();
    for (ranked, late) in rest(listing, files, &taken, record) {
        let base = listing.base(ranked.file);
        let known = by_base.get(base).filter(|_| !ranked.twin);
        // What the record lost, the state may have kept.
        let kept = known.filter(|(s, e)| !s.has_plain_uidl(e) && !recorded_ids.contains(s.uidl(e)));
        let own = match kept {
            Some((state, entry)) => Some(state.uidl(entry).into()),
            None => default_id(listing, ranked, ids.contains(base)),
        };
        let mut row = Row::fresh(ranked.file, own);
        row.late = late;
        if let Some((_, entry)) = known {
            row.remember(entry);
        }
        each(row);
    }
}

/// Messages by the one they stood behind; `None`: the first ones.
type Lost<'a> = HashMap<Option<&'a [u8]>, Vec<(&'a Snapshot, &'a Entry)>>;

/// What a damaged record lost and the state kept, by the message of the record that it stood
/// behind: it goes back to its place, not to the end.
fn lost<'a>(record: &'a Record, state: &'a Snapshot) -> Lost<'a> {
    let mut lost = Lost::new();
    if record.damaged == 0 {
        return lost;
    }
    let bases: HashSet<&[u8]> = record.rows.iter().map(|row| &*row.base).collect();
    let ids: HashSet<&[u8]> = record.rows.iter().map(|row| &*row.uidl).collect();
    let mut anchor = None;
    for entry in state.entries() {
        let base = state.base(entry);
        if bases.contains(base) {
            anchor = Some(base);
        } else if entry.recorded && !ids.contains(state.uidl(entry)) {
            lost.entry(anchor).or_default().push((state, entry));
        }
    }
    lost
}

/// The messages without an id in the record, by time of delivery or else the place that the
/// record has for them.
fn rest<'a>(
    listing: &Listing,
    files: &'a Distinct,
    taken: &[bool],
    record: &Record,
) -> Vec<(&'a Ranked, bool)> {
    let rest = files.ranked.iter().zip(taken).filter(|(_, taken)| !**taken).map(|(r, _)| r);
    if record.late.is_empty() {
        return rest.map(|ranked| (ranked, false)).collect();
    }
    let mut placed: Vec<_> = rest
        .map(|ranked| {
            let base = listing.base(ranked.file);
            match record.late.get(base).filter(|_| !ranked.twin) {
                Some(place) => {
                    let anchor = &*place.anchor;
                    (name::delivered_at(anchor), anchor, place.number, ranked, true)
                }
                None => (name::delivered_at(base), base, 0, ranked, false),
            }
        })
        .collect();
    placed.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
    placed.into_iter().map(|(_, _, _, ranked, late)| (ranked, late)).collect()
}
