//! Which id a message gets: one that it had, or the next by the template.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{HashMap, HashSet};
use std::io;

use crate::UidlTemplate;
use crate::record::{self, Counters};
use crate::snapshot::Snapshot;
use crate::tree::Root;
use crate::uidl;

/// How often an id that another message has already is replaced by the next one.
const TRIES: u32 = 8;

/// Gives messages that were away and came back the ids they had. `true`: there were such.
pub(super) fn bring_back(
    root: &Root,
    snapshot: &mut Snapshot,
    fresh: &mut Vec<usize>,
) -> io::Result<bool> {
    let Some((record, _)) = record::read(root)? else { return Ok(false) };
    let rows: HashMap<&[u8], &[u8]> =
        record.rows.iter().map(|row| (&*row.base, &*row.uidl)).collect();
    let taken: HashSet<Vec<u8>> = snapshot
        .entries()
        .iter()
        .filter(|e| e.is_served())
        .map(|e| snapshot.uidl(e).to_vec())
        .collect();
    let mut back = false;
    fresh.retain(|&index| {
        let Some(entry) = snapshot.entry(index) else { return false };
        let base = snapshot.base(entry);
        back |= record.late.contains_key(base);
        match rows.get(base).filter(|uidl| !taken.contains(**uidl)) {
            Some(uidl) => {
                snapshot.set_uidl(index, uidl);
                back = true;
                false
            }
            None => true,
        }
    });
    Ok(back)
}

/// Gives the messages at `fresh` ids by the template, none of which another message has. A name
/// that makes no id of the template, and an id that is taken again and again, give the hashed
/// form of the name instead. Returns the counters as they are then.
pub(super) fn assign(
    template: &UidlTemplate,
    mut counters: Counters,
    snapshot: &mut Snapshot,
    fresh: &[usize],
) -> Counters {
    let mut given: HashMap<Vec<u8>, usize> = HashMap::with_capacity(fresh.len());
    let mut open = fresh.to_vec();
    for _ in 0..TRIES {
        let mut again = Vec::new();
        for index in open {
            let Some(entry) = snapshot.entry(index) else { continue };
            let base = snapshot.base(entry);
            if let Some(id) = template.render(counters.next, counters.validity, base) {
                match given.entry(id) {
                    MapEntry::Occupied(_) => again.push(index),
                    MapEntry::Vacant(free) => _ = free.insert(index),
                }
            }
            counters = counters.advanced(1);
        }
        let new: HashSet<usize> = given.values().copied().collect();
        for (index, entry) in snapshot.entries().iter().enumerate() {
            if let Some((id, taker)) = given.remove_entry(snapshot.uidl(entry)) {
                // Its own name as its id is no clash, and names of other new messages are none
                // either once these have other ids.
                if index == taker || new.contains(&index) {
                    given.insert(id, taker);
                } else {
                    again.push(taker);
                }
            }
        }
        open = again;
        if open.is_empty() {
            break;
        }
    }
    let by_template: HashSet<usize> = given.values().copied().collect();
    for &index in fresh {
        if let Some(entry) = snapshot.entry(index)
            && !by_template.contains(&index)
            && !uidl::is_hashed(snapshot.uidl(entry))
        {
            let hashed = uidl::hashed(snapshot.base(entry));
            snapshot.set_uidl(index, &hashed);
        }
    }
    for (id, index) in given {
        snapshot.set_uidl(index, &id);
    }
    counters
}
