//! Courier's `courierpop3dsizelist`.
//!
//! Versions by their first line: `/3 nextuid uidvalidity` with `name size n:uidvalidity:utf8`,
//! `/2 nextuid uidvalidity` with `name size n:uidvalidity`, `/1 nextuid` with `name size n`, and
//! no such line in version 0 with `name size`. An id is `UID<n>-<uidvalidity>`, `UID<n>` where
//! there is no UIDVALIDITY, and where there is no `n` the file name with some octets as `+XX`.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::lines::{base, has_room, last_word, number, numbered, shown, word};
use super::{ImportError, Imported, sizes};
use crate::{AdoptedId, UidCounters};

/// A line's size and counters.
struct Record<'a> {
    base: &'a [u8],
    octets: u64,
    n: u64,
    validity: u64,
}

/// Reads a `courierpop3dsizelist`. The ids come in the order in which Courier lists messages: by
/// the time at the begin of the name, then by name.
///
/// # Errors
/// [`ImportError::Header`] if it is of a later version.
pub fn courier_sizelist(input: &[u8]) -> Result<Imported, ImportError> {
    let mut lines = numbered(input).peekable();
    let first = lines.peek().and_then(|&(_, line)| line.ok()).unwrap_or_default();
    let (version, counters) = match first.strip_prefix(b"/") {
        None => (0, None),
        Some(header) => {
            lines.next();
            read_header(header).ok_or_else(|| ImportError::Header {
                found: shown(first),
                of: "courierpop3dsizelist",
                expected: "\"/1 …\", \"/2 …\" or \"/3 <next uid> <uidvalidity>\"",
            })?
        }
    };
    let mut imported = Imported { counters, ..Imported::default() };
    let mut largest = 0;
    for (at, line) in lines {
        match line.and_then(|line| read_record(version, line)) {
            Ok(_) if !has_room(&mut imported, at) => break,
            Ok(record) => {
                if counters.is_some_and(|c| u64::from(c.validity) == record.validity) {
                    largest = largest.max(record.n);
                }
                imported.ids.push(record.into_id());
            }
            Err(what) => imported.problem(at, what),
        }
    }
    if let Some(counters) = &mut imported.counters {
        let next = u32::try_from(largest.saturating_add(1)).unwrap_or(u32::MAX);
        counters.next = counters.next.max(next);
    }
    imported.ids.sort_by(|a, b| arrival(&a.base, &b.base));
    Ok(imported)
}

/// Version and counters. Counters that do not fit 32 bits are none: ids then go on anew.
fn read_header(header: &[u8]) -> Option<(u64, Option<UidCounters>)> {
    let (version, rest) = word(header);
    let version = number(version).filter(|version| (1..=3).contains(version))?;
    let (next, validity) = word(rest);
    let next = number(next)?;
    let validity = number(word(validity).0);
    let fits = |number: u64| u32::try_from(number).ok().filter(|&number| number != 0);
    let counters = validity.and_then(fits).zip(fits(next));
    Some((version, counters.map(|(validity, next)| UidCounters { validity, next })))
}

fn read_record(version: u64, line: &[u8]) -> Result<Record<'_>, &'static str> {
    let wrong = "neither a file name nor a size and a counter in it";
    let (rest, counter) =
        if version == 0 { (line, &b"0"[..]) } else { last_word(line).ok_or(wrong)? };
    let (name, octets) = last_word(rest).ok_or(wrong)?;
    let octets = number(octets).ok_or("its size is no number")?;
    let mut counters = counter.split(|&octet| octet == b':').map(number);
    let n = counters.next().flatten().ok_or("its counter is no number")?;
    let validity = counters.next().unwrap_or(Some(0)).ok_or("its uidvalidity is no number")?;
    Ok(Record { base: base(name)?, octets, n, validity })
}

impl Record<'_> {
    fn into_id(self) -> AdoptedId {
        let Self { base, octets, n, validity } = self;
        let uidl = match (n, validity) {
            (0, _) => escaped(base),
            (n, 0) => format!("UID{n}"),
            (n, validity) => format!("UID{n}-{validity}"),
        };
        let octets = sizes::believed(base, octets, None);
        AdoptedId { base: base.to_vec(), uidl, octets }
    }
}

/// A file name as an id of version 0.
fn escaped(base: &[u8]) -> String {
    let mut id = String::with_capacity(base.len());
    for &octet in base {
        if (0x21..=0x7E).contains(&octet) && !matches!(octet, b'\'' | b'"' | b'+') {
            id.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(id, "+{octet:02X}");
        }
    }
    id
}

/// Courier's order of messages.
fn arrival(a: &[u8], b: &[u8]) -> Ordering {
    time(a).cmp(&time(b)).then_with(|| a.cmp(b))
}

/// The number at the begin of a name; 0 without one, as C's atol has it.
fn time(name: &[u8]) -> u64 {
    let digits = name.iter().take_while(|octet| octet.is_ascii_digit()).count();
    name.get(..digits).and_then(number).unwrap_or(if digits == 0 { 0 } else { u64::MAX })
}
