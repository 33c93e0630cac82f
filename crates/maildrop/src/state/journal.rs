//! The second part of the state file: what has changed since the first part was written, so
//! that a small change of a large maildrop is a small write.
//!
//! ```text
//! change  4 length of what follows the sum, 4 CRC-32C, then parts one after the other, each a
//!         letter and its fields:
//!         B  what the state is now taken of, as in the header
//!         X  messages that are gone: list
//!         N  a message has another name: number, 1 flags, 1 length, name
//!         A  a message has come: 1 flags, octets, retrieved, 1 and 1 length, name, own id
//!         S  a message's size was counted: number, octets
//!         R  first retrieved at a time: time, list
//!         F  flags of a message: number, 1 flags
//! ```
//! Messages are numbered from 0 in the first part, and on from there as they come; numbers are
//! not used again. A list is its length, then the distance of each number from the one before.
//! Lengths and numbers are in groups of seven bits, the lowest first, with the high bit set in
//! all but the last. Each sum goes on from the one before, the first from that of the header, so
//! that a change counts only where it was made. What follows a torn or damaged change is
//! ignored: the state is then that of before, and the directories' times tell that it is old.

use std::iter::Peekable;

use super::Validity;
use super::codec::{BASIS, Basis, Fields, Flaw, flags, named, put_basis, set_flags};
use crate::name;
use crate::record::Book;
use crate::snapshot::{Entry, NOT_IN_STATE, Snapshot};

/// Length and sum of a change.
const HEAD: usize = 8;

/// How long the changes may be in all, behind a first part of `base` octets.
pub(crate) fn len_max(base: u64) -> u64 {
    4096 + base / 4
}

/// Where the changes end.
#[derive(Debug)]
pub(super) struct End {
    pub(super) at: usize,
    pub(super) chain: u32,
    /// Messages numbered so far.
    pub(super) numbers: u32,
}

/// Applies the changes that stand in `bytes` from `at` on.
pub(super) fn apply(
    bytes: &[u8],
    at: usize,
    entries: &mut Vec<Entry>,
    basis: &mut Basis,
    limit: usize,
) -> Result<End, Flaw> {
    let numbers = u32::try_from(entries.len()).map_err(|_| Flaw::TooMany)?;
    let mut end = End { at, chain: super::codec::chain_start(bytes), numbers };
    let mut gone: Vec<u32> = Vec::new();
    while let Some((payload, chain)) = next(bytes, end.at, end.chain) {
        let mut reader = Reader { bytes, at: payload.start, end: payload.end };
        while reader.at < reader.end {
            reader.part(entries, basis, &mut gone)?;
        }
        (end.at, end.chain) = (payload.end, chain);
    }
    end.numbers = u32::try_from(entries.len()).map_err(|_| Flaw::TooMany)?;
    if !gone.is_empty() {
        gone.sort_unstable();
        let mut gone = gone.into_iter().peekable();
        entries.retain(|entry| {
            while gone.next_if(|&number| number < entry.ordinal).is_some() {}
            gone.peek() != Some(&entry.ordinal)
        });
    }
    if entries.len() > limit { Err(Flaw::TooMany) } else { Ok(end) }
}

/// The next change that is whole, and the sum to go on from.
fn next(bytes: &[u8], at: usize, chain: u32) -> Option<(std::ops::Range<usize>, u32)> {
    let mut head = Fields { rest: bytes.get(at..at.checked_add(HEAD)?)? };
    let len = usize::try_from(u32::from_le_bytes(head.take().ok()?)).ok()?;
    let sum = u32::from_le_bytes(head.take().ok()?);
    let payload = at + HEAD..(at + HEAD).checked_add(len)?;
    let octets = bytes.get(payload.clone()).filter(|octets| !octets.is_empty())?;
    (crc32c::crc32c_append(chain, octets) == sum).then_some((payload, sum))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl Reader<'_> {
    fn part(
        &mut self,
        entries: &mut Vec<Entry>,
        basis: &mut Basis,
        gone: &mut Vec<u32>,
    ) -> Result<(), Flaw> {
        match self.octet()? {
            b'B' => {
                let end = self.at.checked_add(BASIS).filter(|end| *end <= self.end);
                let end = end.ok_or(Flaw::Change)?;
                let rest = self.bytes.get(self.at..end).ok_or(Flaw::Change)?;
                *basis = Fields { rest }.basis()?;
                self.at = end;
            }
            b'X' => self.list(|number| {
                gone.push(number);
                Ok(())
            })?,
            b'N' => {
                let (old, flags, len) = (self.message(entries)?, self.octet()?, self.octet()?);
                let mut new = named(self.bytes, &mut self.at, len, 0)?;
                set_flags(&mut new, flags).ok_or(Flaw::Flags)?;
                (new.octets, new.retrieved, new.ordinal) = (old.octets, old.retrieved, old.ordinal);
                if old.uidl != old.name {
                    (new.uidl, new.uidl_len) = (old.uidl, old.uidl_len);
                }
                *old = new;
            }
            b'A' => {
                let (flags, octets) = (self.octet()?, self.octets()?);
                let retrieved = self.number()?;
                let (len, own_len) = (self.octet()?, self.octet()?);
                let mut entry = named(self.bytes, &mut self.at, len, own_len)?;
                set_flags(&mut entry, flags).ok_or(Flaw::Flags)?;
                let ordinal = u32::try_from(entries.len()).map_err(|_| Flaw::TooMany)?;
                (entry.octets, entry.retrieved, entry.ordinal) = (octets, retrieved, ordinal);
                entries.push(entry);
            }
            b'S' => {
                let number = self.number()?;
                let octets = self.octets()?;
                let entry = entries.get_mut(number as usize).ok_or(Flaw::Change)?;
                (entry.octets, entry.provisional) = (octets, false);
            }
            b'R' => {
                let at = self.number()?;
                self.list(|number| {
                    let entry = entries.get_mut(number as usize).ok_or(Flaw::Change)?;
                    entry.retrieved = at;
                    Ok(())
                })?;
            }
            b'F' => {
                let entry = self.message(entries)?;
                set_flags(entry, self.octet()?).ok_or(Flaw::Flags)?;
            }
            _ => return Err(Flaw::Change),
        }
        if self.at > self.end { Err(Flaw::Change) } else { Ok(()) }
    }

    fn message<'e>(&mut self, entries: &'e mut [Entry]) -> Result<&'e mut Entry, Flaw> {
        let number = self.number()?;
        entries.get_mut(number as usize).ok_or(Flaw::Change)
    }

    fn octet(&mut self) -> Result<u8, Flaw> {
        let octet = self.bytes.get(self.at).filter(|_| self.at < self.end).ok_or(Flaw::Change)?;
        self.at += 1;
        Ok(*octet)
    }

    fn long(&mut self) -> Result<u64, Flaw> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let octet = self.octet()?;
            value |= u64::from(octet & 0x7F) << shift;
            if octet & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Flaw::Change)
    }

    fn number(&mut self) -> Result<u32, Flaw> {
        u32::try_from(self.long()?).map_err(|_| Flaw::Change)
    }

    fn octets(&mut self) -> Result<u64, Flaw> {
        self.long().and_then(
            |octets| {
                if octets > name::OCTETS_MAX { Err(Flaw::Octets) } else { Ok(octets) }
            },
        )
    }

    fn list(&mut self, mut each: impl FnMut(u32) -> Result<(), Flaw>) -> Result<(), Flaw> {
        let mut number: u32 = 0;
        // Each number takes an octet, so a length that is too large ends at the end.
        for _ in 0..self.long()? {
            number = number.checked_add(self.number()?).ok_or(Flaw::Change)?;
            each(number)?;
        }
        Ok(())
    }
}

/// A change on its way into the file.
#[derive(Debug, Default)]
pub(crate) struct Change {
    payload: Vec<u8>,
    /// Whether it says more than what the state is taken of.
    pub(crate) tells: bool,
    /// Messages that come.
    pub(crate) added: u32,
}

impl Change {
    /// From what the state has to what there is now. `None`: the messages have another order
    /// than the state has, or other ids.
    pub(crate) fn between(
        known: &Snapshot,
        now: &Snapshot,
        validity: &Validity,
        book: &Book,
    ) -> Option<Self> {
        let mut change = Self::default();
        change.payload.push(b'B');
        put_basis(&mut change.payload, validity, book);
        let basis = change.payload.len();
        let mut gone = Vec::new();
        let mut old = known.entries().iter().peekable();
        let mut entries = now.entries().iter();
        let mut fresh = None;
        for entry in entries.by_ref() {
            if entry.ordinal == NOT_IN_STATE {
                fresh = Some(entry);
                break;
            }
            skip_to(&mut old, entry.ordinal, &mut gone);
            let before = old.next_if(|old| old.ordinal == entry.ordinal)?;
            if !same_id(known, before, now, entry) || before.retrieved != entry.retrieved {
                return None;
            }
            change.altered(known, before, now, entry);
        }
        skip_to(&mut old, NOT_IN_STATE, &mut gone);
        change.list(b'X', None, &gone);
        for entry in fresh.into_iter().chain(entries) {
            if entry.ordinal != NOT_IN_STATE {
                return None;
            }
            change.comes(now, entry);
        }
        change.tells = change.payload.len() > basis;
        Some(change)
    }

    /// Sizes that were counted, and messages first retrieved at `at`; `None` if the state does
    /// not have one of them.
    pub(crate) fn marks(
        snapshot: &Snapshot,
        sizes: &[(usize, u64)],
        retrieved: &[usize],
        at: u32,
    ) -> Option<Self> {
        let mut change = Self { tells: true, ..Self::default() };
        let number = |index: usize| {
            let entry = snapshot.entry(index)?;
            Some(entry.ordinal).filter(|ordinal| *ordinal != NOT_IN_STATE)
        };
        for &(index, octets) in sizes {
            change.payload.push(b'S');
            change.long(u64::from(number(index)?));
            change.long(octets.min(name::OCTETS_MAX));
        }
        let mut numbers = retrieved.iter().map(|&i| number(i)).collect::<Option<Vec<u32>>>()?;
        numbers.sort_unstable();
        change.list(b'R', Some(at), &numbers);
        Some(change)
    }

    /// Octets it will take in the file.
    pub(crate) fn len(&self) -> usize {
        HEAD + self.payload.len()
    }

    /// The change as it stands in the file behind the sum `chain`, and its own sum.
    pub(super) fn finish(&self, chain: u32) -> (Vec<u8>, u32) {
        let sum = crc32c::crc32c_append(chain, &self.payload);
        let mut out = Vec::with_capacity(self.len());
        // Longer than 4 GiB it would not be let into the file.
        let len = u32::try_from(self.payload.len()).unwrap_or(0);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(&self.payload);
        (out, sum)
    }

    fn altered(&mut self, known: &Snapshot, before: &Entry, now: &Snapshot, entry: &Entry) {
        let number = u64::from(entry.ordinal);
        if is_renamed(known, before, now, entry) {
            self.payload.push(b'N');
            self.long(number);
            self.payload.extend_from_slice(&[flags(entry), entry.name_len]);
            self.payload.extend_from_slice(now.name(entry));
        } else if flags(before) != flags(entry) {
            self.payload.push(b'F');
            self.long(number);
            self.payload.push(flags(entry));
        }
        if before.octets != entry.octets {
            self.payload.push(b'S');
            self.long(number);
            self.long(entry.octets);
            if entry.provisional {
                self.payload.push(b'F');
                self.long(number);
                self.payload.push(flags(entry));
            }
        }
    }

    fn comes(&mut self, now: &Snapshot, entry: &Entry) {
        let own = if now.has_plain_uidl(entry) { &[][..] } else { now.uidl(entry) };
        self.payload.extend_from_slice(&[b'A', flags(entry)]);
        self.long(entry.octets);
        self.long(u64::from(entry.retrieved));
        let own_len = u8::try_from(own.len()).unwrap_or(0);
        self.payload.extend_from_slice(&[entry.name_len, own_len]);
        self.payload.extend_from_slice(now.name(entry));
        self.payload.extend_from_slice(own);
        self.added += 1;
    }

    fn list(&mut self, letter: u8, time: Option<u32>, numbers: &[u32]) {
        if numbers.is_empty() {
            return;
        }
        self.payload.push(letter);
        if let Some(time) = time {
            self.long(u64::from(time));
        }
        self.long(numbers.len() as u64);
        let mut before = 0;
        for &number in numbers {
            self.long(u64::from(number.saturating_sub(before)));
            before = number;
        }
    }

    fn long(&mut self, mut value: u64) {
        while value > 0x7F {
            self.payload.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.payload.push(value as u8);
    }
}

/// Messages are known again by their base names: where these are the ids, they are the same.
fn same_id(known: &Snapshot, before: &Entry, now: &Snapshot, entry: &Entry) -> bool {
    let plain = (known.has_plain_uidl(before), now.has_plain_uidl(entry));
    plain == (true, true) || known.uidl(before) == now.uidl(entry)
}

/// Whether a message that is known again has another name, that is, other flags.
fn is_renamed(known: &Snapshot, before: &Entry, now: &Snapshot, entry: &Entry) -> bool {
    let base = usize::from(before.base_len);
    before.name_len != entry.name_len
        || known.name(before).get(base..) != now.name(entry).get(base..)
}

fn skip_to<'a>(
    old: &mut Peekable<impl Iterator<Item = &'a Entry>>,
    ordinal: u32,
    gone: &mut Vec<u32>,
) {
    while let Some(entry) = old.next_if(|old| old.ordinal < ordinal) {
        gone.push(entry.ordinal);
    }
}

#[cfg(test)]
mod tests;
