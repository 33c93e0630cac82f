//! The end of a session that said QUIT (RFC 1939 section 6, UPDATE state).

use std::collections::HashSet;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::PoisonError;

use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;

use crate::Maildrop;
use crate::load::note_unwritten;
use crate::moves::Moves;
use crate::name;
use crate::quota::Removals;
use crate::snapshot::{Entry, Snapshot};
use crate::state::{self, Change};
use crate::tree::{Directories, Place};

/// A message that should have been removed and was not.
#[derive(Debug)]
pub struct RemovalFailure {
    /// Its 0-based index.
    pub index: usize,
    /// What the system said.
    pub error: io::Error,
}

/// What [`Maildrop::update`] did.
#[derive(Debug, Default)]
pub struct UpdateReport {
    /// Messages removed.
    pub removed: usize,
    /// Messages that another program had removed before.
    pub gone: usize,
    /// Messages that are still there.
    pub failed: Vec<RemovalFailure>,
    /// The removals were made, but the system could not say that they would survive a power cut.
    pub unsynced: Option<io::Error>,
}

impl UpdateReport {
    /// Whether all that was to go is gone, durably; if not, QUIT is answered with `-ERR some
    /// deleted messages not removed`.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.unsynced.is_none()
    }
}

impl Maildrop {
    /// Removes the messages at the indexes `deleted`, on disk before it returns. One that is
    /// gone already counts as removed by someone else; an index beyond the last message is
    /// ignored; one failure does not keep the others from being removed.
    ///
    /// `retrieved` are the messages that were sent whole; those that stay are remembered as
    /// retrieved at `at` (seconds since 1970), unless they were before. With
    /// [`mark_seen`](crate::OpenOptions::mark_seen) those that stay get the flag `S`; otherwise
    /// their flags are left alone, so that reading mail by POP3 does not mark it read elsewhere.
    ///
    /// The lock is held until the maildrop is dropped: drop it before answering, since some
    /// clients connect again at once.
    pub fn update(&self, deleted: &[usize], retrieved: &[usize], at: i64) -> UpdateReport {
        let mut report = UpdateReport::default();
        let marks = self.options.mark_seen && !retrieved.is_empty();
        if !deleted.is_empty() || marks {
            match self.root.directories(false) {
                Ok(directories) => {
                    let mut moves = self.moves.lock().unwrap_or_else(PoisonError::into_inner);
                    if !deleted.is_empty() {
                        self.remove(&directories, &mut moves, deleted, &mut report);
                    }
                    if marks {
                        self.mark(&directories, &mut moves, deleted, retrieved);
                    }
                }
                Err(error) => {
                    let text = error.to_string();
                    let failed = deleted.iter().filter(|&&index| index < self.len());
                    report.failed.extend(
                        failed.map(|&index| RemovalFailure {
                            index,
                            error: io::Error::other(&*text),
                        }),
                    );
                }
            }
        }
        self.keep_news(deleted, retrieved, at);
        report
    }

    fn remove(
        &self,
        directories: &Directories,
        moves: &mut Moves,
        deleted: &[usize],
        report: &mut UpdateReport,
    ) {
        let mut touched = [false; 2];
        let mut removals = Removals::of(&self.root);
        let missed = self.unlink(directories, moves, deleted, &mut touched, &mut removals, report);
        // Those not found where they were have been moved or removed by another program.
        if missed.is_empty() {
            self.sync(directories, touched, report);
            removals.note();
            return;
        }
        self.sync(directories, std::mem::take(&mut touched), report);
        let looked = moves.look(&self.root, &self.snapshot, &self.options);
        // Handles of directories that have been replaced find nothing any more.
        match looked.and_then(|_| self.root.directories(false)) {
            Ok(directories) => {
                let gone =
                    self.unlink(&directories, moves, &missed, &mut touched, &mut removals, report);
                report.gone += gone.len();
                self.sync(&directories, touched, report);
            }
            Err(error) => {
                let text = error.to_string();
                let fail = |index| RemovalFailure { index, error: io::Error::other(&*text) };
                report.failed.extend(missed.into_iter().map(fail));
            }
        }
        removals.note();
    }

    /// Unlinks the messages where they were last seen; returns those that were not there.
    fn unlink(
        &self,
        directories: &Directories,
        moves: &Moves,
        indexes: &[usize],
        touched: &mut [bool; 2],
        removals: &mut Removals<'_>,
        report: &mut UpdateReport,
    ) -> Vec<usize> {
        let mut missed = Vec::new();
        for &index in indexes {
            let Some(entry) = self.snapshot.entry(index) else { continue };
            let (place, name) = moves.locate(&self.snapshot, index, entry);
            let stored = removals.measure(directories.get(place), name);
            match rustix::fs::unlinkat(directories.get(place), name, AtFlags::empty()) {
                Ok(()) => {
                    report.removed += 1;
                    removals.add(stored);
                    touched[place as usize] = true;
                }
                Err(Errno::NOENT | Errno::STALE) => missed.push(index),
                Err(errno) => report.failed.push(RemovalFailure { index, error: errno.into() }),
            }
        }
        missed
    }

    fn sync(&self, directories: &Directories, touched: [bool; 2], report: &mut UpdateReport) {
        for place in Place::BOTH {
            if touched[place as usize]
                && let Err(errno) = rustix::fs::fsync(directories.get(place))
            {
                tracing::warn!(event = "removal-not-synced", maildir = ?self.root.path(), error = %errno);
                report.unsynced = Some(errno.into());
            }
        }
    }

    fn mark(
        &self,
        directories: &Directories,
        moves: &mut Moves,
        deleted: &[usize],
        retrieved: &[usize],
    ) {
        let deleted: HashSet<usize> = deleted.iter().copied().collect();
        for &index in retrieved.iter().filter(|index| !deleted.contains(index)) {
            let Some(entry) = self.snapshot.entry(index) else { continue };
            if let Err(errno) = mark_seen(directories, moves, &self.snapshot, index, entry) {
                // A flag is a convenience; the message is untouched.
                tracing::debug!(event = "message-not-marked", message = index + 1, error = %errno);
            }
        }
    }

    /// Adds to the state if a message was found to have another size than announced, or was
    /// retrieved for the first time.
    fn keep_news(&self, deleted: &[usize], retrieved: &[usize], at: i64) {
        let known =
            |index: &&usize| self.snapshot.entry(**index).is_none_or(|entry| entry.retrieved != 0);
        let gone: HashSet<usize> = deleted.iter().copied().collect();
        let first: Vec<usize> =
            retrieved.iter().filter(|i| !known(i) && !gone.contains(i)).copied().collect();
        let corrections =
            std::mem::take(&mut *self.corrections.lock().unwrap_or_else(PoisonError::into_inner));
        if corrections.is_empty() && first.is_empty() {
            return;
        }
        if self.frozen {
            return;
        }
        let at = u32::try_from(at.max(1)).unwrap_or(u32::MAX);
        let mut file = self.state_file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = file.take()
            && let Some(change) = Change::marks(&self.snapshot, &corrections, &first, at)
            && before.has_room_for(&change)
        {
            match state::append(&self.root, &before, &change) {
                Ok(after) => {
                    *file = Some(after);
                    return;
                }
                Err(error) => note_unwritten(&self.root, &error),
            }
        }
        let mut amended = self.snapshot.amended(deleted, &corrections, &first, at);
        // The old stamps stay right: what changed the directories since shows in theirs.
        if let Err(error) = state::write(&self.root, &mut amended, &self.validity, &self.book) {
            note_unwritten(&self.root, &error);
        }
    }
}

fn mark_seen(
    directories: &Directories,
    moves: &mut Moves,
    snapshot: &Snapshot,
    index: usize,
    entry: &Entry,
) -> Result<(), Errno> {
    let (place, old) = moves.locate(snapshot, index, entry);
    let flags = name::flags(old);
    if flags.contains(&b'S') {
        return Ok(());
    }
    // Flags stand in ASCII order.
    let mut flags = flags.to_vec();
    flags.push(b'S');
    flags.sort_unstable();
    let new = [name::base(old), b":2,", &flags].concat();
    let (from, to): (BorrowedFd<'_>, _) = (directories.get(place), directories.get(Place::Cur));
    rustix::fs::renameat_with(from, old, to, new.as_slice(), RenameFlags::NOREPLACE)?;
    moves.note(index, Place::Cur, &new);
    Ok(())
}
