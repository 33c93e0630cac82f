//! Single steps of an open, for the micro-benchmarks; not for any other use.

use std::convert::Infallible;

use crate::arrange::Known;
use crate::listing::Listing;
use crate::merge::{Size, distinct, merge};
use crate::name;
use crate::record::Book;
use crate::snapshot::Snapshot;
use crate::state::{self, Validity};
use crate::tree::Place;

/// What a name says: the length of its base, the number of its order, its size in CRLF form.
#[must_use]
pub fn read_name(name: &[u8]) -> (usize, u64, Option<u64>) {
    let base = name::base(name);
    (base.len(), name::order(base), name::octets_in_base(base))
}

/// The names of a directory as they were read.
#[derive(Clone, Debug, Default)]
pub struct Listed(Listing);

impl Listed {
    /// Adds a name of `cur`. Names beyond 4 GiB in all are left out.
    pub fn push(&mut self, name: &[u8], ino: u64) {
        let _ = self.0.push(name, Place::Cur, ino);
    }

    /// Sorts the names and makes messages of them; those that `known` has come first.
    #[must_use]
    pub fn merge(self, known: Option<&Messages>) -> Messages {
        let files = distinct(&self.0);
        let known = Known { state: known.map(|known| &known.0), record: None };
        Messages(merge(self.0, &files, known, false, &mut |_, _| Size::Vanished).snapshot)
    }
}

/// Messages in order.
#[derive(Debug)]
pub struct Messages(Snapshot);

impl Messages {
    /// The first part of a state file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let put = |piece: &[u8], at: u64| {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            bytes.resize(bytes.len().max(at.saturating_add(piece.len())), 0);
            if let Some(place) = bytes.get_mut(at..).and_then(|b| b.get_mut(..piece.len())) {
                place.copy_from_slice(piece);
            }
            Ok::<_, Infallible>(())
        };
        let _ = state::encode(&self.0, &Validity::NEVER, &Book::NONE, put);
        bytes
    }

    /// The messages of a state file; `None` if it is damaged.
    #[must_use]
    pub fn decode(bytes: Vec<u8>) -> Option<Self> {
        state::decode(bytes, usize::MAX, 0).ok().map(|state| Self(state.snapshot))
    }

    /// Octets and ids of all messages, added up.
    #[must_use]
    pub fn walk(&self) -> (u64, usize) {
        let infos = self.0.entries().iter().map(|entry| crate::maildrop::info(&self.0, entry));
        infos.fold((0, 0), |(octets, ids), info| (octets + info.octets, ids + info.uidl.len()))
    }
}
