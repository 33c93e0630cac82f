//! The messages of a maildrop as one session sees them: fixed in number and order.

use std::collections::HashSet;

use crate::name;
use crate::tree::Place;

/// One message. Names and ids lie in the snapshot's one block of text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) name: u32,
    pub(crate) uidl: u32,
    pub(crate) name_len: u8,
    /// Octets of the name up to its flags.
    pub(crate) base_len: u8,
    pub(crate) uidl_len: u8,
    pub(crate) place: Place,
    /// The file could not be read, and `octets` is the size it is stored with.
    pub(crate) provisional: bool,
    /// The record has its id and its place in the order.
    pub(crate) recorded: bool,
    /// The record has its place in the order, which is not that of its name.
    pub(crate) late: bool,
    pub(crate) octets: u64,
    /// When it was first retrieved, in seconds since 1970; 0: never.
    pub(crate) retrieved: u32,
    /// Its number in the state file; [`NOT_IN_STATE`] if it is not in there.
    pub(crate) ordinal: u32,
}

/// The number of a message that the state file does not have.
pub(crate) const NOT_IN_STATE: u32 = u32::MAX;

impl Entry {
    /// Whether an earlier session may have shown it.
    pub(crate) fn is_served(&self) -> bool {
        self.recorded || self.late || self.ordinal != NOT_IN_STATE
    }
}

/// The messages in their order, and what is known of each.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    text: Vec<u8>,
    entries: Vec<Entry>,
    octets: u64,
}

impl Snapshot {
    /// The caller keeps positions within `text` and sizes within [`name::OCTETS_MAX`].
    pub(crate) fn new(text: Vec<u8>, entries: Vec<Entry>) -> Self {
        let octets = entries.iter().map(|entry| entry.octets).sum();
        Self { text, entries, octets }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn entry(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index)
    }

    pub(crate) fn entries_mut(&mut self) -> &mut [Entry] {
        &mut self.entries
    }

    /// Gives the message at `index` another id, which the caller keeps valid and unique.
    pub(crate) fn set_uidl(&mut self, index: usize, uidl: &[u8]) {
        let (Ok(start), Ok(len)) = (u32::try_from(self.text.len()), u8::try_from(uidl.len()))
        else {
            return;
        };
        let Some(entry) = self.entries.get_mut(index) else { return };
        let name = entry.name as usize;
        if self.text.get(name..name + usize::from(entry.base_len)) == Some(uidl) {
            (entry.uidl, entry.uidl_len) = (entry.name, entry.base_len);
        } else {
            self.text.extend_from_slice(uidl);
            (entry.uidl, entry.uidl_len) = (start, len);
        }
    }

    /// Leaves out the messages that `keep` does not want.
    pub(crate) fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.entries.retain(keep);
        self.octets = self.entries.iter().map(|entry| entry.octets).sum();
    }

    /// Sum of the sizes.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    pub(crate) fn name(&self, entry: &Entry) -> &[u8] {
        self.slice(entry.name, entry.name_len)
    }

    pub(crate) fn base(&self, entry: &Entry) -> &[u8] {
        self.slice(entry.name, entry.base_len)
    }

    pub(crate) fn uidl(&self, entry: &Entry) -> &[u8] {
        self.slice(entry.uidl, entry.uidl_len)
    }

    /// Whether the id is the base name itself.
    pub(crate) fn has_plain_uidl(&self, entry: &Entry) -> bool {
        entry.uidl == entry.name
    }

    /// Whether the file names alone would give the same snapshot again.
    pub(crate) fn follows_from_names(&self) -> bool {
        self.entries.iter().all(|entry| {
            !entry.provisional
                && entry.retrieved == 0
                && name::claimed_octets(self.name(entry)) == Some(entry.octets)
                && self.uidl(entry) == crate::uidl::of_base(self.base(entry)).as_ref()
        }) && self.entries.is_sorted_by(|a, b| {
            let (a, b) = (self.base(a), self.base(b));
            (name::delivered_at(a), a) <= (name::delivered_at(b), b)
        })
    }

    /// Whether both list the same messages in the same order, sizes and ids, wherever the files.
    #[cfg(test)]
    pub(crate) fn tells_the_same(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len()
            && self.entries.iter().zip(&other.entries).all(|(a, b)| {
                a.octets == b.octets
                    && a.retrieved == b.retrieved
                    && a.provisional == b.provisional
                    && self.uidl(a) == other.uidl(b)
                    && self.base(a) == other.base(b)
            })
    }

    /// How many messages have another size in `later`, which has those of `self` that are still
    /// there first and in the same order.
    pub(crate) fn sizes_changed(&self, later: &Self) -> usize {
        let mut rest = later.entries.iter().peekable();
        let changed = self.entries.iter().filter(|old| {
            rest.next_if(|new| later.base(new) == self.base(old))
                .is_some_and(|new| new.octets != old.octets)
        });
        changed.count()
    }

    /// What stays after the messages at `deleted` are removed, with sizes put right and those
    /// at `retrieved` marked with `at`, unless they have an earlier mark.
    pub(crate) fn amended(
        &self,
        deleted: &[usize],
        corrections: &[(usize, u64)],
        retrieved: &[usize],
        at: u32,
    ) -> Self {
        let mut entries = self.entries.clone();
        for &index in retrieved {
            if let Some(entry) = entries.get_mut(index).filter(|entry| entry.retrieved == 0) {
                entry.retrieved = at;
            }
        }
        for &(index, octets) in corrections {
            if let Some(entry) = entries.get_mut(index) {
                entry.octets = octets.min(name::OCTETS_MAX);
                entry.provisional = false;
            }
        }
        let deleted: HashSet<usize> = deleted.iter().copied().collect();
        let mut index = 0;
        entries.retain(|_| {
            index += 1;
            !deleted.contains(&(index - 1))
        });
        Self::new(self.text.clone(), entries)
    }

    fn slice(&self, start: u32, len: u8) -> &[u8] {
        let start = start as usize;
        self.text.get(start..start + usize::from(len)).unwrap_or_default()
    }
}

/// The messages of a snapshot in another order, with other ids.
pub(crate) struct Rearrangement {
    result: Snapshot,
}

impl Rearrangement {
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let entries = Vec::with_capacity(snapshot.entries.len());
        Self { result: Snapshot { text: snapshot.text.clone(), entries, octets: 0 } }
    }

    /// Adds a message of the snapshot, with this id and size if one is given.
    pub(crate) fn push(&mut self, entry: &Entry, uidl: Option<&[u8]>, octets: Option<u64>) {
        let mut entry = *entry;
        if let Some(octets) = octets {
            entry.octets = octets.min(name::OCTETS_MAX);
            entry.provisional = false;
        }
        self.result.octets += entry.octets;
        self.result.entries.push(entry);
        if let Some(uidl) = uidl {
            self.result.set_uidl(self.result.entries.len() - 1, uidl);
        }
    }

    pub(crate) fn finish(self) -> Snapshot {
        self.result
    }
}
