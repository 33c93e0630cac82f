//! The state file's octets, both ways.
//!
//! ```text
//! header  8 "lastpost", 4 version, 4 CRC-32C of all that follows, 8 number of messages, 12 time
//!         of reading, 32 for `new` and 32 for `cur`: inode, time modified, time changed
//! rows    for each message in order: 8 octets, 1 name length, 1 id length (0: the base name),
//!         1 flags (1: in `cur`, 2: provisional size), 1 zero
//! text    for each message in order: name, and id if it has its own
//! ```
//! Numbers are little-endian; a time is 8 octets of seconds and 4 of nanoseconds.

use std::collections::HashSet;

use crate::name;
use crate::snapshot::{Entry, Snapshot};
use crate::state::{State, Validity};
use crate::tree::{FsTime, Place, Stamp, Stamps};
use crate::uidl;

const MAGIC: [u8; 8] = *b"lastpost";
const VERSION: u32 = 1;
const HEADER: usize = 8 + 4 + 4 + 8 + 12 + 2 * (8 + 12 + 12);
/// The checksum covers what lies behind it.
const COVERED_FROM: usize = 16;
const ROW: usize = 12;
const TEXT_MAX: usize = 255 + 70;

const IN_CUR: u8 = 1;
const PROVISIONAL: u8 = 2;

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
        }
    }
}

/// The longest state file of up to `limit` messages.
pub(crate) fn len_max(limit: usize) -> u64 {
    let rows = (limit as u64).saturating_mul((ROW + TEXT_MAX) as u64);
    rows.saturating_add(HEADER as u64).min(u64::from(u32::MAX))
}

pub(crate) fn encode(snapshot: &Snapshot, validity: &Validity) -> Vec<u8> {
    let entries = snapshot.entries();
    let mut out = Vec::with_capacity(HEADER + entries.len() * (ROW + 72));
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    put_time(&mut out, validity.read_at);
    for stamp in [validity.stamps.new, validity.stamps.cur] {
        out.extend_from_slice(&stamp.ino.to_le_bytes());
        put_time(&mut out, stamp.modified);
        put_time(&mut out, stamp.changed);
    }
    for entry in entries {
        let own = if snapshot.has_plain_uidl(entry) { 0 } else { entry.uidl_len };
        let place = if entry.place == Place::Cur { IN_CUR } else { 0 };
        let provisional = if entry.provisional { PROVISIONAL } else { 0 };
        out.extend_from_slice(&entry.octets.to_le_bytes());
        out.extend_from_slice(&[entry.name_len, own, place | provisional, 0]);
    }
    for entry in entries {
        out.extend_from_slice(snapshot.name(entry));
        if !snapshot.has_plain_uidl(entry) {
            out.extend_from_slice(snapshot.uidl(entry));
        }
    }
    let checksum = crc32c::crc32c(out.get(COVERED_FROM..).unwrap_or_default());
    if let Some(field) = out.get_mut(12..16) {
        field.copy_from_slice(&checksum.to_le_bytes());
    }
    out
}

fn put_time(out: &mut Vec<u8>, time: FsTime) {
    out.extend_from_slice(&time.seconds.to_le_bytes());
    out.extend_from_slice(&time.nanos.to_le_bytes());
}

/// Reads a state, taking nothing on trust.
pub(crate) fn decode(bytes: Vec<u8>, limit: usize) -> Result<State, Flaw> {
    let (count, validity) = header(&bytes, limit)?;
    let text_start = HEADER + count * ROW;
    let rows = bytes.get(HEADER..text_start).ok_or(Flaw::Length)?;
    let mut entries = Vec::with_capacity(count);
    let mut at = text_start;
    for row in rows.chunks_exact(ROW) {
        entries.push(entry(&bytes, row, &mut at)?);
    }
    if at != bytes.len() {
        return Err(Flaw::Length);
    }
    let snapshot = Snapshot::new(bytes, entries);
    if has_equal_uidls(&snapshot) {
        return Err(Flaw::Uidl);
    }
    Ok(State { snapshot, validity })
}

fn header(bytes: &[u8], limit: usize) -> Result<(usize, Validity), Flaw> {
    let mut fields = Fields { rest: bytes.get(..HEADER).ok_or(Flaw::Length)? };
    if fields.take::<8>()? != MAGIC {
        return Err(Flaw::Magic);
    }
    if u32::from_le_bytes(fields.take()?) != VERSION {
        return Err(Flaw::Version);
    }
    let checksum = u32::from_le_bytes(fields.take()?);
    if crc32c::crc32c(bytes.get(COVERED_FROM..).unwrap_or_default()) != checksum {
        return Err(Flaw::Checksum);
    }
    let count = usize::try_from(u64::from_le_bytes(fields.take()?)).map_err(|_| Flaw::TooMany)?;
    if count > limit {
        return Err(Flaw::TooMany);
    }
    // Each row takes room, so a number larger than the file can hold ends here.
    if count > bytes.len() / ROW || bytes.len() > u32::MAX as usize {
        return Err(Flaw::Length);
    }
    let read_at = fields.time()?;
    let stamps = Stamps { new: fields.stamp()?, cur: fields.stamp()? };
    Ok((count, Validity { stamps, read_at }))
}

fn entry(bytes: &[u8], row: &[u8], at: &mut usize) -> Result<Entry, Flaw> {
    let mut fields = Fields { rest: row };
    let octets = u64::from_le_bytes(fields.take()?);
    let [name_len, own_len, flags, zero] = fields.take()?;
    if octets > name::OCTETS_MAX {
        return Err(Flaw::Octets);
    }
    if flags & !(IN_CUR | PROVISIONAL) != 0 || zero != 0 {
        return Err(Flaw::Flags);
    }
    let (name, text) = text(bytes, at, name_len)?;
    if text.first().is_none_or(|&first| first == b'.') || memchr::memchr2(b'/', 0, text).is_some() {
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
    let place = if flags & IN_CUR == 0 { Place::New } else { Place::Cur };
    let provisional = flags & PROVISIONAL != 0;
    Ok(Entry { name, uidl, name_len, base_len, uidl_len, place, provisional, octets })
}

fn text<'a>(bytes: &'a [u8], at: &mut usize, len: u8) -> Result<(u32, &'a [u8]), Flaw> {
    let end = *at + usize::from(len);
    let text = bytes.get(*at..end).ok_or(Flaw::Length)?;
    let start = u32::try_from(*at).map_err(|_| Flaw::Length)?;
    *at = end;
    Ok((start, text))
}

fn has_equal_uidls(snapshot: &Snapshot) -> bool {
    let mut seen = HashSet::with_capacity(snapshot.entries().len());
    !snapshot.entries().iter().all(|entry| seen.insert(snapshot.uidl(entry)))
}

/// The fields of a fixed part, one after the other.
struct Fields<'a> {
    rest: &'a [u8],
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(Flaw::Length)?;
        self.rest = rest;
        Ok(*field)
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
