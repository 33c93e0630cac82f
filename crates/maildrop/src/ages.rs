//! How old messages are: what retention asks before it removes any.

use rustix::fs::AtFlags;

use crate::Maildrop;
use crate::name;
use crate::snapshot::Entry;
use crate::tree::Stamp;

/// Since when a message has been there, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ages {
    /// When it arrived: by its name, else by the time its file was last written. `i64::MAX` if
    /// neither can be told, so that such a message is never old.
    pub arrived: i64,
    /// When it was first retrieved in a session that ended with QUIT. `None`: never, or the
    /// state file that knew it was lost.
    pub retrieved: Option<i64>,
}

impl Maildrop {
    /// The ages of the message at `index`. Reads the file's times if the name has none. An index
    /// beyond the last message has the ages of one that never arrived.
    #[must_use]
    pub fn ages(&self, index: usize) -> Ages {
        let Some(entry) = self.snapshot.entry(index) else {
            return Ages { arrived: i64::MAX, retrieved: None };
        };
        let retrieved = (entry.retrieved != 0).then(|| i64::from(entry.retrieved));
        let arrived = match name::delivered_at(self.snapshot.name(entry)) {
            u64::MAX => self.written_at(index, entry),
            seconds => i64::try_from(seconds).unwrap_or(i64::MAX),
        };
        Ages { arrived, retrieved }
    }

    fn written_at(&self, index: usize, entry: &Entry) -> i64 {
        let moves = self.moves.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (place, name) = moves.locate(&self.snapshot, index, entry);
        let stat = self
            .root
            .subdirectory(place.name())
            .and_then(|directory| rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW));
        stat.map_or(i64::MAX, |stat| Stamp::of(&stat).modified.seconds)
    }
}
