//! An opened maildrop: locked, listed, ready for a session.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::Stat;
use rustix::io::Errno;

use crate::cached::Cache;
use crate::load::{Loaded, load};
use crate::lock::Lock;
use crate::moves::Moves;
use crate::reader::{Corrections, MessageReader};
use crate::record::Book;
use crate::report::ScanReport;
use crate::snapshot::{Entry, Snapshot};
use crate::state::{StateFile, Validity};
use crate::tree::{Root, open_message};
use crate::{OpenError, OpenOptions, RetrieveError};

/// How often a message that is not where it was is looked for, while other programs go on
/// changing the directories.
const LOOKS_MAX: u32 = 4;

/// What a listing says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageInfo<'a> {
    /// Size in CRLF form, without doubled dots (RFC 1939 section 11).
    pub octets: u64,
    /// Unique id: 1 to 70 octets of 0x21 to 0x7E, the same in every session.
    pub uidl: &'a str,
    /// Whether it was retrieved in an earlier session that ended with QUIT. Known from the state
    /// file alone: when that is lost, messages count as never retrieved.
    pub retrieved: bool,
}

/// A Maildir, locked for one session; unlocked when this is dropped.
///
/// Number, order, sizes and ids of the messages stay as they were when it was opened. What other
/// programs deliver meanwhile is for the next session; what they rename is found again; what
/// they remove is [`RetrieveError::Gone`].
///
/// All methods work through `&self`. Those that read or write files block.
#[derive(Debug)]
pub struct Maildrop {
    // Before the root: a lock is given back before the directory it belongs to is closed.
    _lock: Lock,
    pub(crate) root: Root,
    pub(crate) options: OpenOptions,
    pub(crate) snapshot: Snapshot,
    pub(crate) validity: Validity,
    pub(crate) book: Book,
    pub(crate) state_file: Mutex<Option<StateFile>>,
    /// The record could not be written, so the state is left as it is too.
    pub(crate) frozen: bool,
    pub(crate) moves: Mutex<Moves>,
    pub(crate) corrections: Corrections,
    cache: Cache,
    report: ScanReport,
}

impl Maildrop {
    /// Locks the Maildir at `path` (RFC 1939 section 4) and lists its messages.
    ///
    /// # Errors
    /// [`OpenError::InUse`] at once if another session has it, in this process or another. Any
    /// directory that cannot be read is an error too: never is a part shown as the whole.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, OpenError> {
        fresh_handles(|| Self::open_once(path, options))
    }

    fn open_once(path: &Path, options: &OpenOptions) -> Result<Self, OpenError> {
        let root = Root::open(path, options.create_missing)?;
        let mut lock = Lock::take(&root)
            .map_err(|error| root.unavailable("locking", error))?
            .ok_or_else(|| OpenError::InUse { path: path.to_owned() })?;
        let Loaded { snapshot, validity, book, file, frozen, report } =
            load(&root, Some(&lock), options)?;
        lock.reduce();
        Ok(Self {
            _lock: lock,
            cache: Cache::of(&root),
            root,
            options: options.clone(),
            snapshot,
            validity,
            book,
            state_file: Mutex::new(file),
            frozen,
            moves: Mutex::default(),
            corrections: Arc::default(),
            report,
        })
    }

    /// Number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.snapshot.entries().len()
    }

    /// Whether there is no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.snapshot.entries().is_empty()
    }

    /// Octets of all messages together.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.snapshot.octets()
    }

    /// The message at `index`, counted from 0; `None` beyond the last one.
    #[must_use]
    pub fn message(&self, index: usize) -> Option<MessageInfo<'_>> {
        self.snapshot.entry(index).map(|entry| info(&self.snapshot, entry))
    }

    /// All messages in order.
    pub fn messages(&self) -> impl ExactSizeIterator<Item = MessageInfo<'_>> {
        self.snapshot.entries().iter().map(|entry| info(&self.snapshot, entry))
    }

    /// Opens the message at `index` for reading.
    ///
    /// # Errors
    /// [`RetrieveError`]; a message that another program moved or gave flags is no error.
    pub fn retrieve(&self, index: usize) -> Result<MessageReader, RetrieveError> {
        let entry = self.snapshot.entry(index).ok_or(RetrieveError::NoSuchMessage { index })?;
        let mut moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..=LOOKS_MAX {
            let (place, name) = moves.locate(&self.snapshot, index, entry);
            let opened = self
                .root
                .subdirectory(place.name())
                .and_then(|directory| open_message(directory.as_fd(), name));
            match opened {
                Ok(opened) => return Ok(self.reader(opened, index, entry)),
                Err(Errno::NOENT | Errno::STALE) => {
                    match moves.look(&self.root, &self.snapshot, &self.options) {
                        Ok(true) => {}
                        Ok(false) => return Err(RetrieveError::Gone),
                        Err(error) => return Err(RetrieveError::Io(std::io::Error::other(error))),
                    }
                }
                Err(errno) => return Err(RetrieveError::Io(errno.into())),
            }
        }
        Err(RetrieveError::Gone)
    }

    /// Opens the message at `index` for reading if that needs no waiting for a disk: the only
    /// way that does not block. `None`: it does, or the message is not where it was, or cannot
    /// be read; [`retrieve`](Self::retrieve) will tell.
    #[must_use]
    pub fn retrieve_cached(&self, index: usize) -> Option<MessageReader> {
        let entry = self.snapshot.entry(index)?;
        let moves = self.moves.try_lock().ok()?;
        let (place, name) = moves.locate(&self.snapshot, index, entry);
        let opened = self.cache.open(&self.root, place, name)?;
        Some(self.reader(opened, index, entry))
    }

    fn reader(&self, opened: (OwnedFd, Stat), index: usize, entry: &Entry) -> MessageReader {
        let (file, stat) = opened;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let corrections = Arc::clone(&self.corrections);
        MessageReader::new(file, size, index, entry.octets, corrections, self.cache.usable())
    }

    /// How the messages were found.
    #[must_use]
    pub fn scan_report(&self) -> &ScanReport {
        &self.report
    }
}

/// Does `work` once more if it met a handle of something that a file server has replaced since:
/// all directories are opened anew then.
pub(crate) fn fresh_handles<T>(
    mut work: impl FnMut() -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    match work() {
        Err(OpenError::Unavailable { source, .. })
            if source.raw_os_error() == Some(Errno::STALE.raw_os_error()) =>
        {
            work()
        }
        other => other,
    }
}

pub(crate) fn info<'a>(snapshot: &'a Snapshot, entry: &Entry) -> MessageInfo<'a> {
    // Ids are printable ASCII, by construction and by the checks on the state file.
    let uidl = std::str::from_utf8(snapshot.uidl(entry)).unwrap_or_default();
    MessageInfo { octets: entry.octets, uidl, retrieved: entry.retrieved != 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(errno: Errno) -> Result<(), OpenError> {
        let path = "/x".into();
        Err(OpenError::Unavailable { path, doing: "reading cur", source: errno.into() })
    }

    #[test]
    fn stale_handles_are_worth_one_more_attempt() {
        for (outcomes, attempts, good) in [
            (vec![None], 1, true),
            (vec![Some(Errno::STALE), None], 2, true),
            (vec![Some(Errno::STALE), Some(Errno::STALE), None], 2, false),
            (vec![Some(Errno::IO), None], 1, false),
            (vec![Some(Errno::STALE), Some(Errno::NOENT), None], 2, false),
        ] {
            let mut left = outcomes.into_iter();
            let mut made = 0;
            let outcome = fresh_handles(|| {
                made += 1;
                left.next().unwrap().map_or(Ok(()), fail)
            });
            assert_eq!((made, outcome.is_ok()), (attempts, good));
        }
    }
}
