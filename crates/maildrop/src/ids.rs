//! Ids and order that do not follow from file names: given to new messages, and put on record
//! before any session shows them.

mod assign;

use std::collections::HashSet;
use std::io;

use crate::lock::Lock;
use crate::record::{self, Book, Counters, LatePlace, Record, Stamp};
use crate::snapshot::{Entry, Snapshot};
use crate::tree::Root;
use crate::uidl;
use crate::{UidlFormat, name};

use assign::{assign, bring_back};

/// Lines of messages that are gone, besides as many as there are messages, that the record may
/// have before it is written anew.
const SPARE_LINES: usize = 256;

/// What became of the ids.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) book: Book,
    /// The record was written.
    pub(crate) written: bool,
    /// Messages that were left out, because their ids could not be put on record.
    pub(crate) withheld: usize,
    /// Something could not be put on record. The state must not remember it either.
    pub(crate) failed: bool,
}

/// What there is to work with.
pub(crate) struct Before<'a> {
    pub(crate) book: Book,
    /// The record if it was read: where the state is a copy of it, it was not.
    pub(crate) record: Option<&'a Record>,
    /// The record is damaged, or lost: it is written anew.
    pub(crate) heal: bool,
    /// The new messages are in no order: they were found at several times.
    pub(crate) mixed: bool,
}

/// Gives new messages their ids and puts on record what has to be, for the holder of the lock.
pub(crate) fn settle(
    root: &Root,
    lock: &Lock,
    format: &UidlFormat,
    before: &Before<'_>,
    snapshot: &mut Snapshot,
) -> Settled {
    let mut book = before.book;
    let mut heal = before.heal;
    let template = match format {
        UidlFormat::FileName => None,
        UidlFormat::Template(template) => Some(template),
    };
    let mut fresh: Vec<usize> = indexes(snapshot, |entry| !entry.is_served());
    let returned = match before.record {
        None if !fresh.is_empty() && has_dead_lines(&book, snapshot) => {
            bring_back(root, snapshot, &mut fresh)
        }
        _ => Ok(false),
    };
    if let Some(template) = template.filter(|_| !fresh.is_empty()) {
        let counters = book.counters.or_else(|| first_counters(lock));
        book.counters = counters.map(|counters| assign(template, counters, snapshot, &fresh));
    }
    let settled = returned.and_then(|returned| {
        heal |= returned;
        write(root, before, template.is_some(), heal, &mut book, snapshot)
    });
    match settled {
        Ok(written) => Settled { book, written, withheld: 0, failed: false },
        Err(error) => {
            tracing::warn!(event = "uidls-not-written", maildir = ?root.path(), %error);
            let withheld = withhold(snapshot, template.is_some());
            Settled { book: before.book, written: false, withheld, failed: true }
        }
    }
}

fn indexes(snapshot: &Snapshot, wanted: impl Fn(&Entry) -> bool) -> Vec<usize> {
    let entries = snapshot.entries().iter().enumerate();
    entries.filter(|(_, entry)| wanted(entry)).map(|(index, _)| index).collect()
}

fn first_counters(lock: &Lock) -> Option<Counters> {
    let seconds = lock.file_system_time().ok()?.seconds;
    Some(Counters { validity: u32::try_from(seconds.max(1)).unwrap_or(u32::MAX), next: 1 })
}

fn has_dead_lines(book: &Book, snapshot: &Snapshot) -> bool {
    let live = snapshot.entries().iter().filter(|entry| entry.recorded || entry.late).count();
    book.lines as usize > live
}

/// Whether the record has to have this message's id.
fn must_be_recorded(snapshot: &Snapshot, entry: &Entry, all: bool) -> bool {
    all || entry.recorded
        || !(snapshot.has_plain_uidl(entry)
            || snapshot.uidl(entry) == uidl::of_base(snapshot.base(entry)).as_ref())
}

/// Brings the record up to date; `true`: it was written. `all`: it has all messages.
fn write(
    root: &Root,
    before: &Before<'_>,
    all: bool,
    heal: bool,
    book: &mut Book,
    snapshot: &mut Snapshot,
) -> io::Result<bool> {
    let entries = snapshot.entries();
    let prefix = entries.iter().take_while(|entry| entry.recorded).count();
    let end = entries
        .iter()
        .rposition(|entry| must_be_recorded(snapshot, entry, all))
        .map_or(0, |last| last + 1);
    let in_order = end == prefix || entries.iter().skip(prefix).all(|entry| !entry.recorded);
    let late = match before.record {
        None if in_order => late_comers(root, snapshot, end, before.mixed)?,
        _ => Some(Vec::new()),
    };
    let nothing = end == 0 && late.as_ref().is_some_and(Vec::is_empty);
    if nothing && book.stamp == Stamp::NONE && book.counters.is_none() {
        return Ok(false);
    }
    let Some(late) = late.filter(|_| in_order && !heal && book.stamp != Stamp::NONE) else {
        return write_anew(root, end, book, snapshot);
    };
    let news = end > prefix || !late.is_empty() || book.counters != before.book.counters;
    let live = end + entries.iter().skip(end).filter(|entry| entry.late).count() + late.len();
    if book.lines as usize > 2 * live + SPARE_LINES {
        match write_anew(root, end, book, snapshot) {
            Ok(written) => return Ok(written),
            // Housekeeping can wait.
            Err(error) => tracing::debug!(event = "uidls-not-compacted", %error),
        }
    }
    if !news {
        return Ok(false);
    }
    let mut bytes = Vec::new();
    let put_counters = |bytes: &mut Vec<u8>| {
        if let Some(counters) = book.counters {
            record::put_counters(bytes, counters);
        }
    };
    // First, so that no torn line is of a number that is still to come; last, so that one
    // damaged line does not lose it.
    put_counters(&mut bytes);
    let entries = snapshot.entries();
    for entry in entries.get(prefix..end).unwrap_or_default() {
        record::put_id(&mut bytes, snapshot.uidl(entry), snapshot.base(entry));
    }
    for (index, place) in &late {
        if let Some(entry) = snapshot.entry(*index) {
            record::put_late(&mut bytes, place.number, &place.anchor, snapshot.base(entry));
        }
    }
    put_counters(&mut bytes);
    book.stamp = record::append(root, book.stamp, &bytes)?;
    let lines = end - prefix + late.len();
    book.lines = book.lines.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
    mark(snapshot, end, late.iter().map(|(index, _)| *index));
    Ok(true)
}

fn mark(snapshot: &mut Snapshot, end: usize, late: impl Iterator<Item = usize>) {
    let entries = snapshot.entries_mut();
    for entry in entries.iter_mut().take(end) {
        (entry.recorded, entry.late) = (true, false);
    }
    for index in late {
        if let Some(entry) = entries.get_mut(index) {
            entry.late = true;
        }
    }
}

/// A place in the order: time of delivery, name, number behind it.
type Key<'a> = (u64, &'a [u8], u32);

/// New messages behind `end` whose names would put them before one that was there already, each
/// with its place. `None`: the record would have to be read for it, and says nothing.
fn late_comers(
    root: &Root,
    snapshot: &Snapshot,
    end: usize,
    mixed: bool,
) -> io::Result<Option<Vec<(usize, LatePlace)>>> {
    let entries = snapshot.entries();
    let first_new = entries.iter().rposition(Entry::is_served).map_or(0, |last| last + 1).max(end);
    let Some(last) = first_new.checked_sub(1).filter(|last| *last >= end) else {
        return Ok(Some(running(snapshot, first_new, (0, b"", 0), mixed)));
    };
    let Some(entry) = snapshot.entry(last).filter(|_| first_new < entries.len()) else {
        return Ok(Some(Vec::new()));
    };
    let base = snapshot.base(entry);
    if !entry.late {
        return Ok(Some(running(snapshot, first_new, (name::delivered_at(base), base, 0), mixed)));
    }
    let Some((record, _)) = record::read(root)? else { return Ok(None) };
    let place = record.late.get(base);
    Ok(place.map(|place| {
        let anchor = &*place.anchor;
        running(snapshot, first_new, (name::delivered_at(anchor), anchor, place.number), mixed)
    }))
}

/// Of the messages from `first` on, those that would come before `highest` or before one that
/// stands before them. Unless they are `mixed`, these are the first ones.
fn running(
    snapshot: &Snapshot,
    first: usize,
    mut highest: Key<'_>,
    mixed: bool,
) -> Vec<(usize, LatePlace)> {
    let mut late = Vec::new();
    // The name behind which late ones are counted borrows from the snapshot or the record.
    let mut anchor: Option<&[u8]> = None;
    for (index, entry) in snapshot.entries().iter().enumerate().skip(first) {
        let base = snapshot.base(entry);
        let key = (name::delivered_at(base), base, 0);
        let top = (highest.0, anchor.unwrap_or(highest.1), highest.2);
        if key < top {
            highest.2 = highest.2.saturating_add(1);
            late.push((index, LatePlace { anchor: top.1.into(), number: highest.2 }));
        } else if !mixed {
            break;
        } else {
            highest = (key.0, highest.1, 0);
            anchor = Some(base);
        }
    }
    late
}

/// Writes the record anew, for the messages that are there; `false`: it would say nothing.
fn write_anew(
    root: &Root,
    end: usize,
    book: &mut Book,
    snapshot: &mut Snapshot,
) -> io::Result<bool> {
    let (bytes, lines, late) = whole(snapshot, end, book.counters);
    if bytes.is_empty() && book.stamp == Stamp::NONE {
        return Ok(false);
    }
    book.stamp = record::replace(root, &bytes)?;
    book.lines = u32::try_from(lines).unwrap_or(u32::MAX);
    for entry in snapshot.entries_mut() {
        (entry.recorded, entry.late) = (false, false);
    }
    mark(snapshot, end, late.into_iter());
    Ok(true)
}

/// The whole record, the number of its lines and which messages are late in it.
fn whole(
    snapshot: &Snapshot,
    end: usize,
    counters: Option<Counters>,
) -> (Vec<u8>, usize, Vec<usize>) {
    let mut bytes = Vec::new();
    if let Some(counters) = counters {
        record::put_counters(&mut bytes, counters);
    }
    for entry in snapshot.entries().iter().take(end) {
        record::put_id(&mut bytes, snapshot.uidl(entry), snapshot.base(entry));
    }
    let late = running(snapshot, end, (0, b"", 0), true);
    for (index, place) in &late {
        if let Some(entry) = snapshot.entry(*index) {
            record::put_late(&mut bytes, place.number, &place.anchor, snapshot.base(entry));
        }
    }
    if let Some(counters) = counters {
        record::put_counters(&mut bytes, counters);
    }
    let lines = end.min(snapshot.entries().len()) + late.len();
    (bytes, lines, late.into_iter().map(|(index, _)| index).collect())
}

/// Puts all of a snapshot on record that has to be, in the place of what was there.
pub(crate) fn record_anew(root: &Root, book: &mut Book, snapshot: &mut Snapshot) -> io::Result<()> {
    let needed = |entry: &Entry| must_be_recorded(snapshot, entry, false);
    let end = snapshot.entries().iter().rposition(needed).map_or(0, |last| last + 1);
    write_anew(root, end, book, snapshot).map(drop)
}

/// Leaves out new messages whose ids are on no record. Ids hashed from names last without one.
fn withhold(snapshot: &mut Snapshot, all: bool) -> usize {
    let open: HashSet<u32> = snapshot
        .entries()
        .iter()
        .filter(|entry| !entry.is_served() && !uidl::is_hashed(snapshot.uidl(entry)))
        .filter(|entry| must_be_recorded(snapshot, entry, all))
        .map(|entry| entry.name)
        .collect();
    if !open.is_empty() {
        snapshot.retain(|entry| !open.contains(&entry.name));
    }
    open.len()
}
