//! The state file `lastpost-state`: what was learnt about a Maildir, kept for the next session.
//!
//! It spares an unchanged maildrop its directory pass and every message its counting, and is a
//! copy of the record of ids and order. It can be removed at any time: all of it is learnt
//! again, but for when messages were first retrieved. It is read as hostile input, and one that
//! is damaged or of another version counts as absent.

mod codec;
mod journal;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::record::{self, Book};
use crate::snapshot::{NOT_IN_STATE, Snapshot};
use crate::tree::{FsTime, Root, Stamp, Stamps, open_message};

pub(crate) use codec::Flaw;
#[cfg(feature = "internals")]
pub(crate) use codec::{decode, encode};
pub(crate) use journal::Change;

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
    /// The record it is a copy of.
    pub(crate) book: Book,
    pub(crate) file: StateFile,
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
    codec::decode(bytes, limit, stat.st_ino).map_err(Absent::Flawed)
}

/// The state file as it is on disk, for the one who holds the lock and may add to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateFile {
    ino: u64,
    /// Length of the first part.
    base: u64,
    /// Length with all changes that are whole.
    len: u64,
    /// Length with what may lie behind them.
    size: u64,
    /// The sum that the next change goes on from.
    chain: u32,
    /// Messages numbered so far.
    numbers: u32,
}

impl StateFile {
    pub(crate) fn octets(&self) -> u64 {
        self.size
    }

    /// Whether the change is small enough to be added to the file.
    pub(crate) fn has_room_for(&self, change: &Change) -> bool {
        let changes = (self.len - self.base).saturating_add(change.len() as u64);
        changes <= journal::len_max(self.base)
    }
}

/// Replaces the state file in one step, and numbers the messages of the snapshot. Nothing is
/// synced: after a power cut the file may be one that is noticed as damaged, and is made again.
pub(crate) fn write(
    root: &Root,
    snapshot: &mut Snapshot,
    validity: &Validity,
    book: &Book,
) -> io::Result<StateFile> {
    // Made anew each time, never opened: what lies there could be a link to anywhere.
    match rustix::fs::unlinkat(root.fd(), TEMPORARY, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let file = rustix::fs::openat(root.fd(), TEMPORARY, flags, mode)?;
    let put = |piece: &[u8], at| record::write_all_at(&file, piece, at);
    let written = codec::encode(snapshot, validity, book, put).and_then(|(len, chain)| {
        rustix::fs::renameat(root.fd(), TEMPORARY, root.fd(), FILE)?;
        Ok((rustix::fs::fstat(&file)?.st_ino, len, chain))
    });
    let (ino, len, chain) = written.inspect_err(|_| {
        // On a full disk the rest would only be in the way.
        let _ = rustix::fs::unlinkat(root.fd(), TEMPORARY, AtFlags::empty());
    })?;
    let numbers = u32::try_from(snapshot.entries().len()).map_err(|_| Errno::OVERFLOW)?;
    for (ordinal, entry) in (0..).zip(snapshot.entries_mut()) {
        entry.ordinal = ordinal;
    }
    Ok(StateFile { ino, base: len, len, size: len, chain, numbers })
}

/// Adds a change to the state file. Nothing is synced.
pub(crate) fn append(root: &Root, file: &StateFile, change: &Change) -> io::Result<StateFile> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(root.fd(), FILE, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&opened)?;
    if stat.st_ino != file.ino || u64::try_from(stat.st_size) != Ok(file.size) {
        return Err(Errno::STALE.into());
    }
    if file.size > file.len {
        rustix::fs::ftruncate(&opened, file.len)?;
    }
    let (bytes, chain) = change.finish(file.chain);
    if let Err(errno) = record::write_all_at(&opened, &bytes, file.len) {
        let _ = rustix::fs::ftruncate(&opened, file.len);
        return Err(errno.into());
    }
    let len = file.len + bytes.len() as u64;
    let numbers = file.numbers.checked_add(change.added).ok_or(Errno::OVERFLOW)?;
    Ok(StateFile { len, size: len, chain, numbers, ..file.clone() })
}

/// Numbers the messages that a change brought into the file, which had `numbers` before.
pub(crate) fn number_added(before: &StateFile, snapshot: &mut Snapshot) {
    let added = snapshot.entries_mut().iter_mut().filter(|e| e.ordinal == NOT_IN_STATE);
    for (ordinal, entry) in (before.numbers..).zip(added) {
        entry.ordinal = ordinal;
    }
}
