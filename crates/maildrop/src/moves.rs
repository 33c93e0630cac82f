//! Where messages have moved to while a session holds their list.

use std::collections::HashMap;

use crate::listing::{Listing, list};
use crate::merge::distinct;
use crate::snapshot::{Entry, Snapshot};
use crate::tree::{Place, Root, Stamps};
use crate::{OpenError, OpenOptions};

/// Files that lie elsewhere than the snapshot says.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    /// The directories when they were last looked through for moved files.
    looked: Option<Stamps>,
    by_index: HashMap<usize, (Place, Box<[u8]>)>,
}

impl Moves {
    /// Where the file of the message at `index` was last seen.
    pub(crate) fn locate<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        index: usize,
        entry: &Entry,
    ) -> (Place, &'a [u8]) {
        match self.by_index.get(&index) {
            Some((place, name)) => (*place, name),
            None => (entry.place, snapshot.name(entry)),
        }
    }

    /// Notes a move that this session made itself.
    pub(crate) fn note(&mut self, index: usize, place: Place, name: &[u8]) {
        self.by_index.insert(index, (place, name.into()));
    }

    /// Looks for all files again, by base name. `false`: the directories are as they were when
    /// this was last done, so it was not done again. One look serves all messages, lest a box
    /// whose every message was moved be read once for each of them.
    pub(crate) fn look(
        &mut self,
        root: &Root,
        snapshot: &Snapshot,
        options: &OpenOptions,
    ) -> Result<bool, OpenError> {
        let directories = root.directories(false)?;
        let now =
            root.stamps().map_err(|error| root.unavailable("looking for moved files", error))?;
        if self.looked == Some(now) {
            return Ok(false);
        }
        let listing = list(root, &directories, options.messages_max)?;
        self.find(snapshot, &listing);
        self.looked = Some(listing.stamps);
        Ok(true)
    }

    fn find(&mut self, snapshot: &Snapshot, listing: &Listing) {
        let present = distinct(listing);
        for (index, entry) in snapshot.entries().iter().enumerate() {
            if let Some(file) = present.by_base(listing, snapshot.base(entry)) {
                let name = listing.name(file);
                if self.locate(snapshot, index, entry) != (file.place, name) {
                    self.by_index.insert(index, (file.place, name.into()));
                }
            }
        }
    }
}
