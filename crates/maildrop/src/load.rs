//! From a Maildir to a snapshot: by the state file alone if nothing changed, else by a pass.

use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;

use crate::listing::{Found, Listing, list};
use crate::lock::Lock;
use crate::measure::Counter;
use crate::merge::{Distinct, Merged, distinct, merge};
use crate::snapshot::Snapshot;
use crate::state::{self, Absent, State, Validity};
use crate::tree::{Directories, Root};
use crate::{OpenError, OpenOptions, name};

/// How often all is done again because files moved while they were counted.
const ROUNDS: u32 = 3;

/// What the state file was good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StateUse {
    /// Nothing has changed since it was written: no directory was read.
    Current,
    /// Sizes, ids and order were taken from it, the rest from the directories.
    Stale,
    /// There was none.
    Missing,
    /// There was one that could not be read or used, for this reason.
    Rejected(&'static str),
}

/// How the messages were found: for the log, for tests and for `maildrop show`.
#[derive(Clone, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct ScanReport {
    /// What the state file was good for.
    pub state: StateUse,
    /// Passes over `new` and `cur`; 0 when the state was current.
    pub passes: u32,
    /// Directory entries read, in all passes.
    pub entries: usize,
    /// Messages whose size was in no name and no state, and had to be counted.
    pub files_counted: usize,
    /// Octets read for that.
    pub octets_counted: u64,
    /// Messages listed with the size they are stored with, because they cannot be read.
    pub files_unreadable: usize,
    /// Files given a new name, because another file had the same base name.
    pub files_renamed: usize,
    /// Whether a new state was written.
    pub state_written: bool,
}

/// A maildrop's messages, as they were found.
pub(crate) struct Loaded {
    pub(crate) snapshot: Snapshot,
    pub(crate) validity: Validity,
    pub(crate) report: ScanReport,
}

/// Finds the messages. Only the holder of a lock writes (renames files, replaces the state).
pub(crate) fn load(
    root: &Root,
    lock: Option<&Lock>,
    options: &OpenOptions,
) -> Result<Loaded, OpenError> {
    let (state, state_use) = match state::read(root, options.messages_max) {
        Ok(state) => {
            let current = root.stamps().is_ok_and(|now| state.is_current(&now));
            (Some(state), if current { StateUse::Current } else { StateUse::Stale })
        }
        Err(absent) => (None, note_absence(root, &absent)),
    };
    let mut report = ScanReport {
        state: state_use,
        passes: 0,
        entries: 0,
        files_counted: 0,
        octets_counted: 0,
        files_unreadable: 0,
        files_renamed: 0,
        state_written: false,
    };
    match state {
        Some(State { snapshot, validity }) if state_use == StateUse::Current => {
            Ok(Loaded { snapshot, validity, report })
        }
        state => {
            let known = state.as_ref().map(|state| &state.snapshot);
            let (snapshot, validity) = scan(root, lock, options, known, &mut report)?;
            if let Some(_lock) = lock {
                report.state_written = keep(root, &snapshot, &validity, known);
            }
            Ok(Loaded { snapshot, validity, report })
        }
    }
}

fn note_absence(root: &Root, absent: &Absent) -> StateUse {
    let reason = match absent {
        Absent::Missing => return StateUse::Missing,
        Absent::Unreadable(error) => {
            tracing::warn!(event = "state-unreadable", maildir = ?root.path(), %error);
            "unreadable"
        }
        Absent::Flawed(flaw) => {
            tracing::warn!(event = "state-rejected", maildir = ?root.path(), reason = flaw.name());
            flaw.name()
        }
    };
    StateUse::Rejected(reason)
}

fn scan(
    root: &Root,
    lock: Option<&Lock>,
    options: &OpenOptions,
    known: Option<&Snapshot>,
    report: &mut ScanReport,
) -> Result<(Snapshot, Validity), OpenError> {
    let directories = root.directories(options.create_missing && lock.is_some())?;
    let mut counter = Counter::default();
    let mut counted: Option<Snapshot> = None;
    let mut round = 1;
    loop {
        // A clock that cannot be read makes a state that is never taken for current.
        let read_at = lock.and_then(|lock| lock.file_system_time().ok()).unwrap_or_default();
        let mut listing = list(root, &directories, options.messages_max)?;
        report.passes += listing.passes;
        report.entries += listing.entries;
        let mut files = distinct(&listing);
        if lock.is_some() {
            let renamed = part_twins(&directories, &listing, &files);
            if renamed > 0 {
                report.files_renamed += renamed;
                listing = list(root, &directories, options.messages_max)?;
                report.passes += listing.passes;
                report.entries += listing.entries;
                files = distinct(&listing);
            }
        }
        let validity = Validity { stamps: listing.stamps, read_at };
        let Merged { snapshot, vanished } =
            merge(listing, &files, counted.as_ref().or(known), &mut |place, name| {
                counter.count(&directories, place, name)
            });
        if vanished == 0 || round == ROUNDS {
            report.files_counted = counter.files;
            report.octets_counted = counter.octets;
            report.files_unreadable =
                snapshot.entries().iter().filter(|entry| entry.provisional).count();
            let whole = vanished == 0 && report.files_unreadable == 0;
            return Ok((snapshot, if whole { validity } else { Validity::NEVER }));
        }
        counted = Some(snapshot);
        round += 1;
    }
}

/// Gives files that share a base name with another one a base name of their own, so that each
/// message has its own id from then on. Returns how many; on a read-only disk none.
fn part_twins(directories: &Directories, listing: &Listing, files: &Distinct) -> usize {
    files.twins().filter(|&twin| rename_twin(directories, listing, twin).is_ok()).count()
}

fn rename_twin(directories: &Directories, listing: &Listing, twin: Found) -> Result<(), Errno> {
    let directory = directories.get(twin.place);
    let name = listing.name(twin);
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if stat.st_ino != twin.ino {
        return Err(Errno::NOENT);
    }
    // The inode goes before the sizes: unique name, then `,S=`, then `:2,` and flags.
    let split = memchr::memchr2(b',', b':', name).filter(|&at| at > 0).unwrap_or(name.len());
    let (unique, rest) = name.split_at(split);
    let mut apart = unique.to_vec();
    apart.extend_from_slice(format!("I{}", twin.ino).as_bytes());
    apart.extend_from_slice(rest);
    rustix::fs::renameat_with(
        directory,
        name,
        directory,
        apart.as_slice(),
        RenameFlags::NOREPLACE,
    )?;
    let (old, new) = (String::from_utf8_lossy(name::base(name)), String::from_utf8_lossy(&apart));
    tracing::warn!(event = "duplicate-renamed", directory = twin.place.name(), ?old, ?new);
    Ok(())
}

/// Writes the state if it serves the next session: it lets it do without a pass, or holds what
/// the file names do not say. Failing to is no failure of the session.
fn keep(root: &Root, snapshot: &Snapshot, validity: &Validity, known: Option<&Snapshot>) -> bool {
    let precious = !snapshot.follows_from_names();
    let news = precious && !known.is_some_and(|known| known.tells_the_same(snapshot));
    if !validity.is_settled() && !news {
        return false;
    }
    match state::write(root, snapshot, validity, news) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(event = "state-not-written", maildir = ?root.path(), %error);
            false
        }
    }
}
