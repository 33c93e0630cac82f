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
    pub(crate) octets: u64,
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
                && name::claimed_octets(self.name(entry)) == Some(entry.octets)
                && self.uidl(entry) == crate::uidl::of_base(self.base(entry)).as_ref()
        }) && self.entries.is_sorted_by(|a, b| {
            let (a, b) = (self.base(a), self.base(b));
            (name::delivered_at(a), a) <= (name::delivered_at(b), b)
        })
    }

    /// Whether both list the same messages in the same order, sizes and ids, wherever the files.
    pub(crate) fn tells_the_same(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len()
            && self.entries.iter().zip(&other.entries).all(|(a, b)| {
                a.octets == b.octets
                    && a.provisional == b.provisional
                    && self.uidl(a) == other.uidl(b)
                    && self.base(a) == other.base(b)
            })
    }

    /// What stays after the messages at `deleted` are removed, with sizes put right.
    pub(crate) fn corrected(&self, deleted: &[usize], corrections: &[(usize, u64)]) -> Self {
        let mut entries = self.entries.clone();
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
