//! From directory entries to messages: one for each base name, in stable order, with id and size.

use std::collections::HashSet;

use crate::listing::{Found, Listing};
use crate::name;
use crate::snapshot::{Entry, Snapshot};
use crate::tree::Place;
use crate::uidl;

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
struct Ranked {
    delivered_at: u64,
    file: Found,
    /// Another file of this base name, with a smaller inode, stands before it.
    twin: bool,
}

/// Each file once, in order of arrival: by time of delivery, then base name, then inode.
pub(crate) struct Distinct {
    ranked: Vec<Ranked>,
}

/// Sorts the files, and sorts out those seen twice: of one inode the latest sighting counts.
pub(crate) fn distinct(listing: &Listing) -> Distinct {
    let rank = |&file: &Found| Ranked {
        delivered_at: name::delivered_at(listing.name(file)),
        file,
        twin: false,
    };
    let mut ranked: Vec<Ranked> = listing.files.iter().map(rank).collect();
    ranked.sort_unstable_by(|a, b| {
        let by_base = || listing.base(a.file).cmp(listing.base(b.file));
        let by_ino = || a.file.ino.cmp(&b.file.ino);
        // The latest sighting first.
        let by_sighting = || Listing::position(b.file).cmp(&Listing::position(a.file));
        a.delivered_at
            .cmp(&b.delivered_at)
            .then_with(by_base)
            .then_with(by_ino)
            .then_with(by_sighting)
    });
    let same_base = |a: Found, b: Found| listing.base(a) == listing.base(b);
    ranked.dedup_by(|next, kept| next.file.ino == kept.file.ino && same_base(next.file, kept.file));
    for at in 1..ranked.len() {
        if let [before, ranked] = &mut ranked[at - 1..=at] {
            ranked.twin =
                before.delivered_at == ranked.delivered_at && same_base(before.file, ranked.file);
        }
    }
    Distinct { ranked }
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

    fn index_of(&self, listing: &Listing, base: &[u8]) -> Option<usize> {
        let wanted = (name::delivered_at(base), base);
        let index = self
            .ranked
            .partition_point(|ranked| (ranked.delivered_at, listing.base(ranked.file)) < wanted);
        self.is_at(listing, index, base).then_some(index)
    }

    fn is_at(&self, listing: &Listing, index: usize, base: &[u8]) -> bool {
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

/// Messages that `known` has come first and in its order, with its sizes and ids. The others
/// follow, by time of delivery and then name; their sizes are from the name or else `size`.
pub(crate) fn merge(
    listing: Listing,
    files: &Distinct,
    known: Option<&Snapshot>,
    size: &mut dyn FnMut(Place, &[u8]) -> Size,
) -> Merged {
    let rows = order(&listing, files, known);
    let mut vanished = 0;
    let sized: Vec<(Row, Size)> = rows
        .into_iter()
        .filter_map(|row| {
            let name = listing.name(row.file);
            let octets = row.octets.or_else(|| name::claimed_octets(name));
            match octets.map_or_else(|| size(row.file.place, name), Size::Counted) {
                Size::Vanished => {
                    vanished += 1;
                    None
                }
                counted => Some((row, counted)),
            }
        })
        .collect();
    Merged { snapshot: lay_out(listing, sized), vanished }
}

/// A message on its way into the snapshot.
struct Row {
    file: Found,
    octets: Option<u64>,
    /// `None`: the base name.
    uidl: Option<Box<[u8]>>,
}

fn order(listing: &Listing, files: &Distinct, known: Option<&Snapshot>) -> Vec<Row> {
    let mut rows = Vec::with_capacity(files.ranked.len());
    let mut taken = vec![false; files.ranked.len()];
    // Ids that do not come from names, which a new name might equal by chance.
    let mut foreign: HashSet<&[u8]> = HashSet::new();
    // The known order is the order of the files as a rule, so the next one is looked at first.
    let mut next = 0;
    for (known, entry) in
        known.iter().flat_map(|known| known.entries().iter().map(move |e| (known, e)))
    {
        let (base, plain) = (known.base(entry), known.has_plain_uidl(entry));
        if !plain && !uidl::is_hashed(known.uidl(entry)) {
            foreign.insert(known.uidl(entry));
        }
        let index = if files.is_at(listing, next, base) {
            Some(next)
        } else {
            files.index_of(listing, base)
        };
        let Some(index) = index else { continue };
        if let (Some(ranked), Some(taken @ false)) = (files.ranked.get(index), taken.get_mut(index))
        {
            *taken = true;
            let octets = (!entry.provisional).then_some(entry.octets);
            let uidl = (!plain).then(|| known.uidl(entry).into());
            rows.push(Row { file: ranked.file, octets, uidl });
            next = index + 1;
        }
    }
    let fresh = files.ranked.iter().zip(&taken).filter(|&(_, taken)| !taken);
    rows.extend(fresh.map(|(ranked, _)| {
        let (file, base) = (ranked.file, listing.base(ranked.file));
        let uidl = if ranked.twin {
            Some(uidl::hashed_twin(base, file.ino))
        } else if !uidl::is_plain(base) || foreign.contains(base) {
            Some(uidl::hashed(base))
        } else {
            None
        };
        Row { file, octets: None, uidl: uidl.map(|hashed| hashed.as_slice().into()) }
    }));
    rows
}

fn lay_out(listing: Listing, rows: Vec<(Row, Size)>) -> Snapshot {
    let mut entries = Vec::with_capacity(rows.len());
    let mut uidls = Vec::new();
    let uidls_start = listing.text_len();
    for (row, size) in rows {
        let (octets, provisional) = match size {
            Size::Counted(octets) => (octets, false),
            Size::Unreadable(octets) => (octets, true),
            Size::Vanished => continue,
        };
        let (name, name_len) = Listing::position(row.file);
        let base_len = Listing::base_len(row.file);
        let (uidl, uidl_len) = match row.uidl.as_deref() {
            None => (name, base_len),
            Some(own) => {
                let start = u32::try_from(uidls_start + uidls.len()).unwrap_or(u32::MAX);
                uidls.extend_from_slice(own);
                (start, u8::try_from(own.len()).unwrap_or(u8::MAX))
            }
        };
        let octets = octets.min(name::OCTETS_MAX);
        let place = row.file.place;
        entries.push(Entry {
            name,
            uidl,
            name_len,
            base_len,
            uidl_len,
            place,
            provisional,
            octets,
        });
    }
    let mut text = listing.into_names();
    text.append(&mut uidls);
    text.shrink_to_fit();
    entries.shrink_to_fit();
    Snapshot::new(text, entries)
}
