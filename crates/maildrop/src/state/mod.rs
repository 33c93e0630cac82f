//! The state file `lastpost-state`: what was learnt about a Maildir, kept for the next session.
//!
//! It spares an unchanged maildrop its directory pass and every message its counting, and keeps
//! the order of arrival. It can be removed at any time: all of it is learnt again. It is read as
//! hostile input, and one that is damaged or of another version counts as absent.

mod codec;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::snapshot::Snapshot;
use crate::tree::{FsTime, Root, Stamp, Stamps, open_message};

pub(crate) use codec::Flaw;

const FILE: &str = "lastpost-state";
const TEMPORARY: &str = "lastpost-state.tmp";

/// How much older than the pass the directories' times must be. A change within one tick of the
/// file system's clock leaves no trace, and some file systems tick in whole or even two seconds.
const GUARD_SECONDS: i64 = 2;

/// When the directories were read, and what they looked like before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) stamps: Stamps,
    /// By the file system's clock, before the first directory was read.
    pub(crate) read_at: FsTime,
}

impl Validity {
    /// A state that only serves as knowledge: no directory ever looks like this.
    pub(crate) const NEVER: Self = Self {
        stamps: Stamps { new: Stamp::NEVER, cur: Stamp::NEVER },
        read_at: FsTime { seconds: 0, nanos: 0 },
    };

    /// Whether any later change is sure to show in the stamps.
    pub(crate) fn is_settled(&self) -> bool {
        let settled =
            |time: FsTime| time.seconds.saturating_add(GUARD_SECONDS) < self.read_at.seconds;
        [self.stamps.new, self.stamps.cur]
            .iter()
            .all(|stamp| stamp.ino != 0 && settled(stamp.modified) && settled(stamp.changed))
    }
}

/// A state file's content.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) snapshot: Snapshot,
    pub(crate) validity: Validity,
}

impl State {
    /// Whether the directories have not changed since this state was taken of them.
    pub(crate) fn is_current(&self, now: &Stamps) -> bool {
        self.validity.is_settled() && self.validity.stamps == *now
    }
}

/// Why there is no state to use.
#[derive(Debug)]
pub(crate) enum Absent {
    /// There is no file.
    Missing,
    /// There is one, which cannot be read.
    Unreadable(io::Error),
    /// There is one, which says nothing that can be used.
    Flawed(Flaw),
}

/// Reads the state file of a Maildir that may hold up to `limit` messages.
pub(crate) fn read(root: &Root, limit: usize) -> Result<State, Absent> {
    let (file, stat) = match open_message(root.fd(), FILE.as_bytes()) {
        Err(Errno::NOENT) => return Err(Absent::Missing),
        other => other.map_err(|errno| Absent::Unreadable(errno.into()))?,
    };
    let len = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    if len > codec::len_max(limit) {
        return Err(Absent::Flawed(Flaw::TooLong));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0) + 1);
    File::from(file).take(len).read_to_end(&mut bytes).map_err(Absent::Unreadable)?;
    codec::decode(bytes, limit).map_err(Absent::Flawed)
}

/// Replaces the state file in one step; `durably`: it has survived a power cut when this returns.
/// Without that, a power cut may leave a file that is noticed as damaged.
pub(crate) fn write(
    root: &Root,
    snapshot: &Snapshot,
    validity: &Validity,
    durably: bool,
) -> io::Result<()> {
    let bytes = codec::encode(snapshot, validity);
    // Made anew each time, never opened: what lies there could be a link to anywhere.
    match rustix::fs::unlinkat(root.fd(), TEMPORARY, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let mut file = File::from(rustix::fs::openat(root.fd(), TEMPORARY, flags, mode)?);
    let written = file
        .write_all(&bytes)
        .and_then(|()| if durably { file.sync_data() } else { Ok(()) })
        .and_then(|()| Ok(rustix::fs::renameat(root.fd(), TEMPORARY, root.fd(), FILE)?));
    if let Err(error) = written {
        // On a full disk the rest would only be in the way.
        let _ = rustix::fs::unlinkat(root.fd(), TEMPORARY, AtFlags::empty());
        return Err(error);
    }
    if durably { Ok(rustix::fs::fsync(root.fd())?) } else { Ok(()) }
}
