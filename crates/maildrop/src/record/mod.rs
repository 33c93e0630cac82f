//! The record `lastpost-uidls`: what cannot be told from the file names and must never change,
//! which are ids of another server, ids made of counters, and an order other than by time.
//!
//! It is the truth; the state file is a copy of it that can be made again. It is on disk before
//! any session shows what is in it. A maildrop whose ids and order follow from its file names
//! has none. It is text, one line for each message, and grows at its end; lines of messages that
//! are gone are left out when it is written anew now and then. It is read as hostile input.

mod line;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::tree::{Root, Stamp as Times, open_message};

use line::{LINE_MAX, Line};
pub(crate) use line::{put_counters, put_id, put_late};

const FILE: &str = "lastpost-uidls";
const TEMPORARY: &str = "lastpost-uidls.tmp";

/// The longest record that is read.
const OCTETS_MAX: u64 = 1 << 31;

/// The counters that new ids are made of; neither is ever 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) validity: u32,
    pub(crate) next: u32,
}

/// Which record it is, and in which condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) times: Times,
    pub(crate) octets: u64,
}

impl Stamp {
    /// There is no record.
    pub(crate) const NONE: Self = Self { times: Times::NEVER, octets: 0 };

    fn of(stat: &Stat) -> Self {
        Self { times: Times::of(stat), octets: u64::try_from(stat.st_size).unwrap_or(u64::MAX) }
    }
}

/// What is known of the record without reading it; the state file has a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Book {
    pub(crate) stamp: Stamp,
    pub(crate) counters: Option<Counters>,
    /// Lines of messages, also of those that are gone.
    pub(crate) lines: u32,
}

impl Book {
    /// No record.
    pub(crate) const NONE: Self = Self { stamp: Stamp::NONE, counters: None, lines: 0 };
}

/// A message with an id in the record.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) uidl: Box<[u8]>,
    pub(crate) base: Box<[u8]>,
}

/// Where a message that came late stands: behind the name `anchor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LatePlace {
    pub(crate) anchor: Box<[u8]>,
    pub(crate) number: u32,
}

/// A record that was read. No base name and no id occurs twice.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// In order of the messages.
    pub(crate) rows: Vec<Row>,
    pub(crate) late: HashMap<Box<[u8]>, LatePlace>,
    pub(crate) counters: Option<Counters>,
    /// Lines of messages, also superseded ones.
    pub(crate) lines: u32,
    /// Lines that were left out.
    pub(crate) damaged: usize,
}

/// The record's stamp; [`Stamp::NONE`] if there is none.
pub(crate) fn stamp(root: &Root) -> Result<Stamp, Errno> {
    match rustix::fs::statat(root.fd(), FILE, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
            Ok(Stamp::of(&stat))
        }
        Ok(_) | Err(Errno::NOENT) => Ok(Stamp::NONE),
        Err(errno) => Err(errno),
    }
}

/// Reads the record; `None` if there is none. One that cannot be read is an error, lest ids
/// change that clients have seen.
pub(crate) fn read(root: &Root) -> io::Result<Option<(Record, Stamp)>> {
    let (file, stat) = match open_message(root.fd(), FILE.as_bytes()) {
        Err(Errno::NOENT) => return Ok(None),
        other => other?,
    };
    let stamp = Stamp::of(&stat);
    if stamp.octets > OCTETS_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let record = parse(BufReader::with_capacity(128 * 1024, File::from(file)))?;
    if record.damaged > 0 {
        let (maildir, lines) = (root.path(), record.damaged);
        tracing::warn!(event = "uidls-damaged", ?maildir, lines, "damaged lines are left out");
    }
    Ok(Some((record, stamp)))
}

fn parse(mut source: impl BufRead) -> io::Result<Record> {
    let mut record = Record::default();
    let mut buffer = Vec::new();
    // Ids given out since the counters were last heard of, at most.
    let mut uncounted: u32 = 0;
    loop {
        buffer.clear();
        let read = source.by_ref().take(LINE_MAX as u64 + 1).read_until(b'\n', &mut buffer)?;
        if read == 0 {
            break;
        }
        let parsed = match buffer.strip_suffix(b"\n") {
            Some(line) => line::parse(line),
            None => {
                skip_line(&mut source)?;
                None
            }
        };
        match parsed {
            Some(Line::Counters(counters)) => {
                record.counters = Some(later(record.counters, counters));
                uncounted = 0;
            }
            Some(Line::Id { uidl, base }) => {
                record.lines = record.lines.saturating_add(1);
                uncounted = uncounted.saturating_add(1);
                record.late.remove(base.as_slice());
                record.rows.push(Row { uidl: uidl.into(), base: base.into() });
            }
            Some(Line::Late { number, anchor, base }) => {
                record.lines = record.lines.saturating_add(1);
                record.late.insert(base.into(), LatePlace { anchor: anchor.into(), number });
            }
            None => {
                record.damaged += 1;
                uncounted = uncounted.saturating_add(1);
            }
        }
    }
    if record.damaged > 0 {
        // What is damaged may have been the line that knew how far the counter had come.
        record.counters = record.counters.map(|counters| counters.advanced(uncounted));
    }
    record.keep_last();
    Ok(record)
}

impl Counters {
    /// With `next` so much further; when it would be exhausted, it begins anew with another
    /// validity.
    pub(crate) fn advanced(self, by: u32) -> Self {
        match self.next.checked_add(by) {
            Some(next) => Self { next, ..self },
            None => Self { validity: self.validity.checked_add(1).unwrap_or(1), next: 1 },
        }
    }
}

/// The counters that are further on. Another validity that comes later replaces the earlier one.
pub(crate) fn later(before: Option<Counters>, now: Counters) -> Counters {
    match before {
        Some(before) if before.validity == now.validity => {
            Counters { next: now.next.max(before.next), ..now }
        }
        _ => now,
    }
}

fn skip_line(source: &mut impl BufRead) -> io::Result<()> {
    loop {
        let available = source.fill_buf()?;
        let (used, ended) = match memchr::memchr(b'\n', available) {
            Some(end) => (end + 1, true),
            None => (available.len(), available.is_empty()),
        };
        source.consume(used);
        if ended {
            return Ok(());
        }
    }
}

impl Record {
    /// Of several lines for one message the last counts, as it does of several for one id.
    fn keep_last(&mut self) {
        let (mut bases, mut uidls) = (HashSet::new(), HashSet::new());
        let rows = self.rows.iter().rev();
        let keep: Vec<bool> =
            rows.map(|row| bases.insert(&*row.base) && uidls.insert(&*row.uidl)).collect();
        if keep.iter().all(|&keep| keep) {
            return;
        }
        let mut keep = keep.into_iter().rev();
        self.rows.retain(|_| keep.next().unwrap_or(false));
    }
}

/// Puts `bytes` in the place of the record, durably.
pub(crate) fn replace(root: &Root, bytes: &[u8]) -> io::Result<Stamp> {
    match rustix::fs::unlinkat(root.fd(), TEMPORARY, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let mut file = File::from(rustix::fs::openat(root.fd(), TEMPORARY, flags, mode)?);
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| Ok(rustix::fs::renameat(root.fd(), TEMPORARY, root.fd(), FILE)?));
    if let Err(error) = written {
        let _ = rustix::fs::unlinkat(root.fd(), TEMPORARY, AtFlags::empty());
        return Err(error);
    }
    rustix::fs::fsync(root.fd())?;
    Ok(Stamp::of(&rustix::fs::fstat(&file)?))
}

/// Appends `bytes` to the record that has this stamp, durably; otherwise fails and leaves it as
/// it was.
pub(crate) fn append(root: &Root, stamp: Stamp, bytes: &[u8]) -> io::Result<Stamp> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: OwnedFd = rustix::fs::openat(root.fd(), FILE, flags, Mode::empty())?;
    if Stamp::of(&rustix::fs::fstat(&file)?) != stamp {
        return Err(Errno::STALE.into());
    }
    let written = write_all_at(&file, bytes, stamp.octets)
        .and_then(|()| rustix::fs::fdatasync(&file))
        .and_then(|()| rustix::fs::fstat(&file));
    match written {
        Ok(stat) => Ok(Stamp::of(&stat)),
        Err(errno) => {
            // Half a line would be noticed as damaged; it need not come to that.
            let _ = rustix::fs::ftruncate(&file, stamp.octets);
            Err(errno.into())
        }
    }
}

/// Writes all of `bytes` at `at`, however many calls it takes.
pub(crate) fn write_all_at(file: &OwnedFd, mut bytes: &[u8], mut at: u64) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(file, bytes, at) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                at += written as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
