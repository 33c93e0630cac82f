//! From a Maildir to a snapshot: by the state file alone if nothing changed, else by a pass.

use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;

use crate::arrange::Known;
use crate::ids;
use crate::listing::{self, Listing, list};
use crate::lock::Lock;
use crate::measure::Counter;
use crate::merge::{Distinct, Merged, distinct, merge};
use crate::record::{self, Book, Record};
use crate::report::{ScanReport, StateUse};
use crate::snapshot::Snapshot;
use crate::state::{self, Absent, Change, State, StateFile, Validity};
use crate::tree::{Directories, Root};
use crate::{OpenError, OpenOptions, name};

/// How often all is done again because files moved while they were counted.
const ROUNDS: u32 = 3;

/// A maildrop's messages, as they were found.
pub(crate) struct Loaded {
    pub(crate) snapshot: Snapshot,
    pub(crate) validity: Validity,
    pub(crate) book: Book,
    /// The state file, if it is of just this.
    pub(crate) file: Option<StateFile>,
    /// The record could not be written: the state must not get ahead of it.
    pub(crate) frozen: bool,
    pub(crate) report: ScanReport,
}

/// What was remembered.
struct Recall {
    state: Option<State>,
    /// The record, read where the state is no copy of it.
    record: Option<Record>,
    book: Book,
    /// The record has to be written anew.
    heal: bool,
}

impl Recall {
    fn known(&self) -> Known<'_> {
        Known {
            state: self.state.as_ref().map(|state| &state.snapshot),
            record: self.record.as_ref(),
        }
    }
}

/// Finds the messages. Only the holder of a lock writes (renames files, record, state).
pub(crate) fn load(
    root: &Root,
    lock: Option<&Lock>,
    options: &OpenOptions,
) -> Result<Loaded, OpenError> {
    let (mut recall, mut report) = recall(root, options)?;
    let trusted = recall.record.is_none() && !recall.heal;
    if trusted
        && let Some(state) =
            recall.state.take_if(|state| root.stamps().is_ok_and(|now| state.is_current(&now)))
    {
        report.state = StateUse::Current;
        let State { snapshot, validity, book, file } = state;
        return Ok(Loaded { snapshot, validity, book, file: Some(file), frozen: false, report });
    }
    let mut found = scan(root, lock, options, recall.known(), false, &mut report)?;
    recall.heal |= found.mixed && recall.record.is_some();
    let Some(lock) = lock else {
        let (book, Found { snapshot, validity, .. }) = (recall.book, found);
        return Ok(Loaded { snapshot, validity, book, file: None, frozen: false, report });
    };
    let (book, frozen) = settle(root, lock, options, &recall, &mut found, &mut report);
    let Found { mut snapshot, validity, .. } = found;
    let file = if frozen {
        None
    } else {
        let known = recall.state.as_ref().filter(|_| trusted);
        keep(root, known, &mut snapshot, &validity, &book, &mut report)
    };
    Ok(Loaded { snapshot, validity, book, file, frozen, report })
}

fn settle(
    root: &Root,
    lock: &Lock,
    options: &OpenOptions,
    recall: &Recall,
    found: &mut Found,
    report: &mut ScanReport,
) -> (Book, bool) {
    let before = ids::Before {
        book: recall.book,
        record: recall.record.as_ref(),
        heal: recall.heal,
        mixed: found.mixed,
    };
    let settled = ids::settle(root, lock, &options.uidl_format, &before, &mut found.snapshot);
    report.record_written = settled.written;
    report.messages_withheld = settled.withheld;
    if settled.withheld > 0 {
        found.validity = Validity::NEVER;
    }
    (settled.book, settled.failed)
}

/// Finds the messages by passes over the directories, counts every one, and writes what was
/// found whether it is news or not. Also says how many had another size before.
pub(crate) fn rebuild(
    root: &Root,
    lock: &Lock,
    options: &OpenOptions,
) -> Result<(Loaded, usize), OpenError> {
    let (mut recall, mut report) = recall(root, options)?;
    recall.heal = true;
    let mut found = scan(root, Some(lock), options, recall.known(), true, &mut report)?;
    let (book, frozen) = settle(root, lock, options, &recall, &mut found, &mut report);
    let Found { mut snapshot, validity, .. } = found;
    let known = recall.state.as_ref().map(|state| &state.snapshot);
    let corrected = known.map_or(0, |known| known.sizes_changed(&snapshot));
    let file =
        if frozen { None } else { write(root, &mut snapshot, &validity, &book, &mut report) };
    Ok((Loaded { snapshot, validity, book, file, frozen, report }, corrected))
}

/// What state and record say. A record that cannot be read is an error unless the state is a
/// copy of it: without either, ids would change that clients have seen.
fn recall(root: &Root, options: &OpenOptions) -> Result<(Recall, ScanReport), OpenError> {
    let fail = |error| root.unavailable("reading lastpost-uidls", error);
    let stamp = record::stamp(root).map_err(|errno| fail(errno.into()))?;
    let (state, state_use) = match state::read(root, options.messages_max) {
        Ok(state) => (Some(state), StateUse::Stale),
        Err(absent) => (None, note_absence(root, &absent)),
    };
    let mut report = ScanReport::new(state_use);
    let copied = state.as_ref().map(|state| state.book);
    if copied.is_some_and(|book| book.stamp == stamp) || stamp == record::Stamp::NONE {
        let book = copied.unwrap_or(Book::NONE);
        // A record that is lost is made again of its copy.
        let heal = book.stamp != stamp;
        let book = if heal { Book { counters: book.counters, ..Book::NONE } } else { book };
        return Ok((Recall { state, record: None, book, heal }, report));
    }
    let Some((record, stamp)) = record::read(root).map_err(fail)? else {
        return Err(fail(Errno::STALE.into()));
    };
    report.record_read = true;
    report.lines_damaged = record.damaged;
    let counters = match (record.counters, copied.and_then(|book| book.counters)) {
        (Some(own), Some(copy)) if own.validity == copy.validity => {
            Some(record::later(Some(copy), own))
        }
        (own, copy) => own.or(copy),
    };
    let book = Book { stamp, counters, lines: record.lines };
    let heal = record.damaged > 0;
    Ok((Recall { state, record: Some(record), book, heal }, report))
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

/// What the directories hold.
struct Found {
    snapshot: Snapshot,
    validity: Validity,
    /// It took several rounds, so that new messages are not in order.
    mixed: bool,
}

fn scan(
    root: &Root,
    lock: Option<&Lock>,
    options: &OpenOptions,
    known: Known<'_>,
    recount: bool,
    report: &mut ScanReport,
) -> Result<Found, OpenError> {
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
        let known = match &counted {
            Some(counted) => Known { state: Some(counted), record: None },
            None => known,
        };
        let Merged { snapshot, vanished } =
            merge(listing, &files, known, recount && round == 1, &mut |place, name| {
                counter.count(&directories, place, name)
            });
        if vanished == 0 || round == ROUNDS {
            report.files_counted = counter.files;
            report.octets_counted = counter.octets;
            report.files_unreadable =
                snapshot.entries().iter().filter(|entry| entry.provisional).count();
            let whole = vanished == 0 && report.files_unreadable == 0;
            let validity = if whole { validity } else { Validity::NEVER };
            return Ok(Found { snapshot, validity, mixed: round > 1 });
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

fn rename_twin(
    directories: &Directories,
    listing: &Listing,
    twin: listing::Found,
) -> Result<(), Errno> {
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
/// the file names do not say. A small change is added, otherwise the file is replaced. Failing
/// to is no failure of the session.
fn keep(
    root: &Root,
    known: Option<&State>,
    snapshot: &mut Snapshot,
    validity: &Validity,
    book: &Book,
    report: &mut ScanReport,
) -> Option<StateFile> {
    let change = known.and_then(|known| Change::between(&known.snapshot, snapshot, validity, book));
    if let (Some(known), Some(change)) = (known, change)
        && known.file.has_room_for(&change)
    {
        if !change.tells && !validity.is_settled() && known.book == *book {
            return Some(known.file.clone());
        }
        match state::append(root, &known.file, &change) {
            Ok(file) => {
                state::number_added(&known.file, snapshot);
                report.state_written = true;
                report.state_octets_written = change.len() as u64;
                return Some(file);
            }
            Err(error) => note_unwritten(root, &error),
        }
    }
    if validity.is_settled() || known.is_some() || !snapshot.follows_from_names() {
        write(root, snapshot, validity, book, report)
    } else {
        None
    }
}

fn write(
    root: &Root,
    snapshot: &mut Snapshot,
    validity: &Validity,
    book: &Book,
    report: &mut ScanReport,
) -> Option<StateFile> {
    match state::write(root, snapshot, validity, book) {
        Ok(file) => {
            report.state_written = true;
            report.state_octets_written = file.octets();
            Some(file)
        }
        Err(error) => {
            note_unwritten(root, &error);
            None
        }
    }
}

pub(crate) fn note_unwritten(root: &Root, error: &std::io::Error) {
    tracing::warn!(event = "state-not-written", maildir = ?root.path(), %error);
}
