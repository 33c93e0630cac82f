//! The first part of the state file, both ways: all messages as they were when it was written.
//!
//! ```text
//! header  8 "lastpost", 4 version, 4 CRC-32C of all of this part that follows, 8 length of this
//!         part, 8 number of messages, then what it was taken of:
//!         12 time of reading, 32 for `new` and 32 for `cur`: inode, time modified, time changed;
//!         40 for the record: inode, times, length; 4 validity, 4 next, 4 lines of the record
//! rows    for each message in order: 8 octets, 4 first retrieved (0: never), 1 name length,
//!         1 id length (0: the base name), 1 flags (1: in `cur`, 2: provisional size,
//!         4: recorded, 8: late), 1 zero
//! text    for each message in order: name, and id if it has its own
//! ```
//! Numbers are little-endian; a time is 8 octets of seconds and 4 of nanoseconds. What has
//! changed since follows in the second part, see `journal`.

use std::collections::HashSet;

use super::{StateFile, journal};
use crate::name;
use crate::record::{self, Book, Counters};
use crate::snapshot::{Entry, Snapshot};
use crate::state::{State, Validity};
use crate::tree::{FsTime, Place, Stamp, Stamps};
use crate::uidl;

const MAGIC: [u8; 8] = *b"lastpost";
const VERSION: u32 = 2;
const HEADER: usize = 8 + 4 + 4 + 8 + 8 + BASIS;
/// Octets of what a state was taken of.
pub(super) const BASIS: usize = 12 + 2 * (8 + 12 + 12) + (8 + 12 + 12 + 8) + 4 + 4 + 4;
/// The checksum covers what lies behind it.
const COVERED_FROM: usize = 16;
const ROW: usize = 16;
const TEXT_MAX: usize = 255 + 70;
/// Octets written at a time.
const PIECE: usize = 64 * 1024;

pub(super) const IN_CUR: u8 = 1;
pub(super) const PROVISIONAL: u8 = 2;
pub(super) const RECORDED: u8 = 4;
pub(super) const LATE: u8 = 8;

/// What is wrong with a state file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Longer than a state of the most messages can be.
    TooLong,
    /// Shorter than its header or its number of messages demand, or longer.
    Length,
    /// Not a state file.
    Magic,
    /// Written by another version.
    Version,
    /// Octets have changed.
    Checksum,
    /// More messages than are allowed.
    TooMany,
    /// A name that no message file has.
    Name,
    /// A size that no message has.
    Octets,
    /// An id that may not be sent, or one that two messages have.
    Uidl,
    /// Flags of no meaning.
    Flags,
    /// A change that cannot be, of the right checksum.
    Change,
}

impl Flaw {
    /// The word for reports and the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too long",
            Self::Length => "wrong length",
            Self::Magic => "not a state file",
            Self::Version => "another version",
            Self::Checksum => "wrong checksum",
            Self::TooMany => "too many messages",
            Self::Name => "impossible name",
            Self::Octets => "impossible size",
            Self::Uidl => "impossible id",
            Self::Flags => "unknown flags",
            Self::Change => "impossible change",
        }
    }
}

/// The longest state file of up to `limit` messages.
pub(crate) fn len_max(limit: usize) -> u64 {
    let rows = (limit as u64).saturating_mul((ROW + TEXT_MAX) as u64);
    let base = rows.saturating_add(HEADER as u64);
    base.saturating_add(journal::len_max(base)).min(u64::from(u32::MAX))
}

pub(super) fn flags(entry: &Entry) -> u8 {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    flag(entry.place == Place::Cur, IN_CUR)
        | flag(entry.provisional, PROVISIONAL)
        | flag(entry.recorded, RECORDED)
        | flag(entry.late, LATE)
}

/// Sets what the flags say; `None` if they have no meaning.
pub(super) fn set_flags(entry: &mut Entry, flags: u8) -> Option<()> {
    entry.place = if flags & IN_CUR == 0 { Place::New } else { Place::Cur };
    entry.provisional = flags & PROVISIONAL != 0;
    entry.recorded = flags & RECORDED != 0;
    entry.late = flags & LATE != 0;
    (flags & !(IN_CUR | PROVISIONAL | RECORDED | LATE) == 0).then_some(())
}

/// All messages, in pieces for `put`, which takes what is to be written at a place in the file;
/// the header comes last, for its sum is of all the rest. Gives the length and the sum. The
/// caller gives the messages the numbers of their order.
pub(crate) fn encode<E>(
    snapshot: &Snapshot,
    validity: &Validity,
    book: &Book,
    mut put: impl FnMut(&[u8], u64) -> Result<(), E>,
) -> Result<(u64, u32), E> {
    let entries = snapshot.entries();
    let text: usize = entries.iter().map(|e| usize::from(e.name_len) + own_len(snapshot, e)).sum();
    let len = HEADER + entries.len() * ROW + text;
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    header.extend_from_slice(&(len as u64).to_le_bytes());
    header.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    put_basis(&mut header, validity, book);
    let mut sum = crc32c::crc32c(header.get(COVERED_FROM..).unwrap_or_default());
    let (mut out, mut at) = (Vec::with_capacity(PIECE + TEXT_MAX), HEADER as u64);
    let mut flush = |out: &mut Vec<u8>, when: usize| {
        if out.len() < when {
            return Ok(());
        }
        sum = crc32c::crc32c_append(sum, out);
        put(out, at)?;
        at += out.len() as u64;
        out.clear();
        Ok(())
    };
    for entry in entries {
        let mut row = [0; ROW];
        let own = u8::try_from(own_len(snapshot, entry)).unwrap_or(0);
        if let Some((octets, rest)) = row.split_first_chunk_mut::<8>()
            && let Some((retrieved, rest)) = rest.split_first_chunk_mut::<4>()
        {
            *octets = entry.octets.to_le_bytes();
            *retrieved = entry.retrieved.to_le_bytes();
            rest.copy_from_slice(&[entry.name_len, own, flags(entry), 0]);
        }
        out.extend_from_slice(&row);
        flush(&mut out, PIECE)?;
    }
    for entry in entries {
        out.extend_from_slice(snapshot.name(entry));
        if !snapshot.has_plain_uidl(entry) {
            out.extend_from_slice(snapshot.uidl(entry));
        }
        flush(&mut out, PIECE)?;
    }
    flush(&mut out, 0)?;
    if let Some(field) = header.get_mut(12..16) {
        field.copy_from_slice(&sum.to_le_bytes());
    }
    put(&header, 0)?;
    Ok((len as u64, sum))
}

fn own_len(snapshot: &Snapshot, entry: &Entry) -> usize {
    if snapshot.has_plain_uidl(entry) { 0 } else { usize::from(entry.uidl_len) }
}

pub(super) fn put_basis(out: &mut Vec<u8>, validity: &Validity, book: &Book) {
    put_time(out, validity.read_at);
    for stamp in [validity.stamps.new, validity.stamps.cur, book.stamp.times] {
        out.extend_from_slice(&stamp.ino.to_le_bytes());
        put_time(out, stamp.modified);
        put_time(out, stamp.changed);
    }
    out.extend_from_slice(&book.stamp.octets.to_le_bytes());
    let (validity, next) = book.counters.map_or((0, 0), |c| (c.validity, c.next));
    for number in [validity, next, book.lines] {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn put_time(out: &mut Vec<u8>, time: FsTime) {
    out.extend_from_slice(&time.seconds.to_le_bytes());
    out.extend_from_slice(&time.nanos.to_le_bytes());
}

/// Reads a state, taking nothing on trust. `ino` is the file's.
pub(crate) fn decode(bytes: Vec<u8>, limit: usize, ino: u64) -> Result<State, Flaw> {
    let (base, count, mut basis) = header(&bytes, limit)?;
    let text_start = HEADER + count * ROW;
    let rows = bytes.get(HEADER..text_start).ok_or(Flaw::Length)?;
    let text = bytes.get(..base).ok_or(Flaw::Length)?;
    let mut entries = Vec::with_capacity(count);
    let mut at = text_start;
    for (ordinal, row) in (0..).zip(rows.chunks_exact(ROW)) {
        entries.push(entry(text, row, &mut at, ordinal)?);
    }
    if at != base {
        return Err(Flaw::Length);
    }
    let end = journal::apply(&bytes, base, &mut entries, &mut basis, limit)?;
    let file = StateFile {
        ino,
        base: base as u64,
        len: end.at as u64,
        size: bytes.len() as u64,
        chain: end.chain,
        numbers: end.numbers,
    };
    let snapshot = Snapshot::new(bytes, entries);
    if has_equal_uidls(&snapshot) {
        return Err(Flaw::Uidl);
    }
    let Basis { validity, book } = basis;
    Ok(State { snapshot, validity, book, file })
}

/// What a state was taken of.
#[derive(Debug)]
pub(super) struct Basis {
    pub(super) validity: Validity,
    pub(super) book: Book,
}

/// The length of the part, the number of messages, and what it was taken of.
fn header(bytes: &[u8], limit: usize) -> Result<(usize, usize, Basis), Flaw> {
    let mut fields = Fields { rest: bytes.get(..HEADER).ok_or(Flaw::Length)? };
    if fields.take::<8>()? != MAGIC {
        return Err(Flaw::Magic);
    }
    if u32::from_le_bytes(fields.take()?) != VERSION {
        return Err(Flaw::Version);
    }
    let checksum = u32::from_le_bytes(fields.take()?);
    let base = usize::try_from(u64::from_le_bytes(fields.take()?)).map_err(|_| Flaw::Length)?;
    if base < HEADER || base > bytes.len() || bytes.len() > u32::MAX as usize {
        return Err(Flaw::Length);
    }
    if crc32c::crc32c(bytes.get(COVERED_FROM..base).unwrap_or_default()) != checksum {
        return Err(Flaw::Checksum);
    }
    let count = usize::try_from(u64::from_le_bytes(fields.take()?)).map_err(|_| Flaw::TooMany)?;
    if count > limit {
        return Err(Flaw::TooMany);
    }
    // Each row takes room, so a number larger than the part can hold ends here.
    if count > base / ROW {
        return Err(Flaw::Length);
    }
    Ok((base, count, fields.basis()?))
}

/// The checksum of a state's first part, which its changes go on from.
pub(super) fn chain_start(bytes: &[u8]) -> u32 {
    let field = bytes.get(12..16).and_then(|field| field.first_chunk::<4>());
    field.map_or(0, |field| u32::from_le_bytes(*field))
}

fn entry(text: &[u8], row: &[u8], at: &mut usize, ordinal: u32) -> Result<Entry, Flaw> {
    let mut fields = Fields { rest: row };
    let octets = u64::from_le_bytes(fields.take()?);
    let retrieved = u32::from_le_bytes(fields.take()?);
    let [name_len, own_len, flags, zero] = fields.take()?;
    if zero != 0 {
        return Err(Flaw::Flags);
    }
    let mut entry = named(text, at, name_len, own_len)?;
    if octets > name::OCTETS_MAX {
        return Err(Flaw::Octets);
    }
    set_flags(&mut entry, flags).ok_or(Flaw::Flags)?;
    (entry.octets, entry.retrieved, entry.ordinal) = (octets, retrieved, ordinal);
    Ok(entry)
}

/// A message by the name, and the id of its own if it has one, that stand at `at`.
pub(super) fn named(
    bytes: &[u8],
    at: &mut usize,
    name_len: u8,
    own_len: u8,
) -> Result<Entry, Flaw> {
    let (name, text) = text(bytes, at, name_len)?;
    let possible = text.first().is_some_and(|&first| first != b'.');
    // Octet by octet without a way out is what the compiler makes wide steps of.
    let harmless = |ok: bool, &octet: &u8| ok & (octet != b'/') & (octet != 0);
    if !possible || !text.iter().fold(true, harmless) {
        return Err(Flaw::Name);
    }
    let base_len = u8::try_from(name::base(text).len()).map_err(|_| Flaw::Name)?;
    let (uidl, uidl_len, id) = if own_len == 0 {
        (name, base_len, name::base(text))
    } else {
        let (start, own) = self::text(bytes, at, own_len)?;
        (start, own_len, own)
    };
    if !uidl::is_valid(id) {
        return Err(Flaw::Uidl);
    }
    Ok(Entry {
        name,
        uidl,
        name_len,
        base_len,
        uidl_len,
        place: Place::New,
        provisional: false,
        recorded: false,
        late: false,
        octets: 0,
        retrieved: 0,
        ordinal: 0,
    })
}

fn text<'a>(bytes: &'a [u8], at: &mut usize, len: u8) -> Result<(u32, &'a [u8]), Flaw> {
    let end = *at + usize::from(len);
    let text = bytes.get(*at..end).ok_or(Flaw::Length)?;
    let start = u32::try_from(*at).map_err(|_| Flaw::Length)?;
    *at = end;
    Ok((start, text))
}

fn has_equal_uidls(snapshot: &Snapshot) -> bool {
    let entries = snapshot.entries();
    // Names mostly ascend, and what ascends has no equals.
    if entries.is_sorted_by(|a, b| snapshot.uidl(a) < snapshot.uidl(b)) {
        return false;
    }
    let mut seen = HashSet::with_capacity(entries.len());
    !entries.iter().all(|entry| seen.insert(snapshot.uidl(entry)))
}

/// The fields of a fixed part, one after the other.
pub(super) struct Fields<'a> {
    pub(super) rest: &'a [u8],
}

impl Fields<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(Flaw::Length)?;
        self.rest = rest;
        Ok(*field)
    }

    pub(super) fn basis(&mut self) -> Result<Basis, Flaw> {
        let read_at = self.time()?;
        let stamps = Stamps { new: self.stamp()?, cur: self.stamp()? };
        let times = self.stamp()?;
        let octets = u64::from_le_bytes(self.take()?);
        let (validity, next) = (u32::from_le_bytes(self.take()?), u32::from_le_bytes(self.take()?));
        let counters = (validity > 0 && next > 0).then_some(Counters { validity, next });
        let lines = u32::from_le_bytes(self.take()?);
        let book = Book { stamp: record::Stamp { times, octets }, counters, lines };
        Ok(Basis { validity: Validity { stamps, read_at }, book })
    }

    fn time(&mut self) -> Result<FsTime, Flaw> {
        let seconds = i64::from_le_bytes(self.take()?);
        Ok(FsTime { seconds, nanos: u32::from_le_bytes(self.take()?) })
    }

    fn stamp(&mut self) -> Result<Stamp, Flaw> {
        let ino = u64::from_le_bytes(self.take()?);
        Ok(Stamp { ino, modified: self.time()?, changed: self.time()? })
    }
}
