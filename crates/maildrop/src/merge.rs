//! From directory entries to messages: one for each base name, in stable order, with id and size.

use crate::arrange::{Known, arrange};
use crate::listing::{Found, Listing};
use crate::name;
use crate::snapshot::{Entry, Snapshot};
use crate::tree::Place;

/// What looking at a file for its size gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// Octets of the CRLF form, counted.
    Counted(u64),
    /// The file is there and cannot be read; octets as stored.
    Unreadable(u64),
    /// The file is not there any more.
    Vanished,
}

/// A file, and its place in the order of arrival.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranked {
    pub(crate) file: Found,
    /// Another file of this base name, with a smaller inode, stands before it.
    pub(crate) twin: bool,
}

/// A file's number, and what its place in the order is mostly told by: comparing numbers is much
/// cheaper than comparing names that lie anywhere.
#[derive(Clone, Copy)]
struct Key {
    key: u64,
    index: u32,
}

/// Each file once, in order of arrival: by time of delivery, then base name, then inode.
pub(crate) struct Distinct {
    pub(crate) ranked: Vec<Ranked>,
}

/// Sorts the files, and sorts out those seen twice: of one inode the latest sighting counts.
pub(crate) fn distinct(listing: &Listing) -> Distinct {
    let key = |(index, &file): (u32, &Found)| Key { key: file.order, index };
    let mut keys: Vec<Key> = (0..).zip(&listing.files).map(key).collect();
    keys.sort_unstable_by_key(|key| key.key);
    let file = |key: &Key| listing.files.get(key.index as usize).copied();
    let mut ranked: Vec<Ranked> = Vec::with_capacity(keys.len());
    for run in keys.chunk_by(|a, b| a.key == b.key) {
        let start = ranked.len();
        ranked.extend(run.iter().filter_map(file).map(|file| Ranked { file, twin: false }));
        if let Some(run) = ranked.get_mut(start..).filter(|run| run.len() > 1) {
            let kept = start + in_run(listing, run);
            ranked.truncate(kept);
        }
    }
    Distinct { ranked }
}

/// Brings files whose keys are equal in order, those seen twice to the end; returns how many are
/// left.
fn in_run(listing: &Listing, run: &mut [Ranked]) -> usize {
    run.sort_unstable_by(|a, b| {
        let (a, b) = (a.file, b.file);
        let time = |file| name::delivered_at(listing.base(file));
        let by_base = || listing.base(a).cmp(listing.base(b));
        // The latest sighting first.
        let by_sighting = || Listing::position(b).cmp(&Listing::position(a));
        time(a)
            .cmp(&time(b))
            .then_with(by_base)
            .then_with(|| a.ino.cmp(&b.ino))
            .then_with(by_sighting)
    });
    let mut kept: usize = 0;
    for at in 0..run.len() {
        let Some(&next) = run.get(at) else { break };
        let before = kept.checked_sub(1).and_then(|last| run.get(last)).copied();
        let same_base =
            before.is_some_and(|before| listing.base(before.file) == listing.base(next.file));
        if same_base && before.is_some_and(|before| before.file.ino == next.file.ino) {
            continue;
        }
        if let Some(place) = run.get_mut(kept) {
            *place = Ranked { file: next.file, twin: same_base };
            kept += 1;
        }
    }
    kept
}

/// The listing that the methods want is the one it was made of.
impl Distinct {
    /// The file with this base name; of twins the first.
    pub(crate) fn by_base(&self, listing: &Listing, base: &[u8]) -> Option<Found> {
        self.index_of(listing, base)
            .and_then(|index| self.ranked.get(index))
            .map(|ranked| ranked.file)
    }

    /// Files that share their base name with another one and are not the first of them.
    pub(crate) fn twins(&self) -> impl Iterator<Item = Found> {
        self.ranked.iter().filter(|ranked| ranked.twin).map(|ranked| ranked.file)
    }

    pub(crate) fn index_of(&self, listing: &Listing, base: &[u8]) -> Option<usize> {
        let wanted = (name::delivered_at(base), base);
        let index = self.ranked.partition_point(|ranked| {
            let base = listing.base(ranked.file);
            (name::delivered_at(base), base) < wanted
        });
        self.is_at(listing, index, base).then_some(index)
    }

    pub(crate) fn is_at(&self, listing: &Listing, index: usize, base: &[u8]) -> bool {
        let ranked = self.ranked.get(index);
        ranked.is_some_and(|ranked| !ranked.twin && listing.base(ranked.file) == base)
    }
}

/// What the merge gave.
pub(crate) struct Merged {
    pub(crate) snapshot: Snapshot,
    /// Files that were not there any more when their size was wanted.
    pub(crate) vanished: usize,
}

/// Messages that are known come with the sizes and ids that are known, in the known order. The
/// others follow, by time of delivery and then name; their sizes are from the name or else `size`;
/// with `recount` all sizes are from there.
pub(crate) fn merge(
    listing: Listing,
    files: &Distinct,
    known: Known<'_>,
    recount: bool,
    size: &mut dyn FnMut(Place, &[u8]) -> Size,
) -> Merged {
    let mut vanished = 0;
    let mut entries = Vec::with_capacity(files.ranked.len());
    let mut uidls = Vec::new();
    arrange(&listing, files, known, &mut |row| {
        let name = listing.name(row.file);
        let said = || row.octets.or_else(|| row.file.octets());
        let octets = if recount { None } else { said() };
        let (octets, provisional) =
            match octets.map_or_else(|| size(row.file.place, name), Size::Counted) {
                Size::Counted(octets) => (octets, false),
                Size::Unreadable(octets) => (octets, true),
                Size::Vanished => {
                    vanished += 1;
                    return;
                }
            };
        let (name, name_len) = Listing::position(row.file);
        let base_len = Listing::base_len(row.file);
        let (uidl, uidl_len) = match row.uidl.as_deref() {
            None => (name, base_len),
            Some(own) => {
                let start = listing.text_len() + uidls.len();
                uidls.extend_from_slice(own);
                let start = u32::try_from(start).unwrap_or(u32::MAX);
                (start, u8::try_from(own.len()).unwrap_or(u8::MAX))
            }
        };
        entries.push(Entry {
            name,
            uidl,
            name_len,
            base_len,
            uidl_len,
            place: row.file.place,
            provisional,
            recorded: row.recorded,
            late: row.late,
            octets: octets.min(name::OCTETS_MAX),
            retrieved: row.retrieved,
            ordinal: row.ordinal,
        });
    });
    let mut text = listing.into_names();
    text.append(&mut uidls);
    text.shrink_to_fit();
    Merged { snapshot: Snapshot::new(text, entries), vanished }
}
