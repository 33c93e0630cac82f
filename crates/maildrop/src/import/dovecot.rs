//! Dovecot's `dovecot-uidlist`, and Courier-IMAP's `courierimapuiddb`, which is its version 1.

use std::collections::HashMap;

use super::format::Facts;
use super::lines::{base, number, number32, numbered, shown, word};
use super::{IdFormat, ImportError, Imported, sizes};
use crate::{AdoptedId, UidCounters};

/// The two versions that Dovecot has kept; it refuses files of any other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    /// `1 uidvalidity nextuid`, then `uid name`.
    One,
    /// `3 Vuidvalidity Nnextuid G…`, then `uid [key value]… :name`.
    Three,
}

/// A record: its id, and where POP3 shows it.
struct Row {
    /// `pop3_order`: those that have one come first, by it.
    order: u64,
    id: AdoptedId,
}

/// The extension fields of a record that matter here.
#[derive(Default)]
struct Fields<'a> {
    uidl: Option<&'a [u8]>,
    order: Option<u64>,
    octets: Option<u64>,
    stored: Option<u64>,
    guid: Option<&'a [u8]>,
}

/// Reads a `dovecot-uidlist`. A record's own id (`P`) wins over `format`, which is the server's
/// `pop3_uidl_format`; a record with an empty one has its file name. Records with an order (`O`)
/// come first, by it; the others by uid.
///
/// # Errors
/// [`ImportError::Header`] if it is of no version that Dovecot reads.
pub fn dovecot_uidlist(input: &[u8], format: &IdFormat) -> Result<Imported, ImportError> {
    let mut lines = numbered(input);
    let header = lines.next().and_then(|(_, line)| line.ok()).unwrap_or_default();
    let (version, validity, header_next) =
        read_header(header).ok_or_else(|| ImportError::Header {
            found: shown(header),
            of: "dovecot-uidlist",
            expected: "\"3 V<uidvalidity> N<next uid> …\" or \"1 <uidvalidity> <next uid>\"",
        })?;
    let mut imported = Imported::default();
    let mut rows: Vec<Option<Row>> = Vec::new();
    let mut by_base: HashMap<&[u8], usize> = HashMap::new();
    let mut last_uid = 0;
    for (at, line) in lines {
        let record = line.and_then(|line| read_record(version, line, last_uid));
        let (uid, fields, base) = match record {
            Ok(record) => record,
            Err(what) => {
                imported.problem(at, what);
                continue;
            }
        };
        if rows.len() >= super::lines::RECORDS_MAX {
            // Says so, and once.
            imported.problem(at, "more messages than a maildrop may hold; the rest is not read");
            break;
        }
        last_uid = uid;
        let uidl = match fields.uidl {
            Some(b"") => String::from_utf8_lossy(base).into_owned(),
            Some(own) => String::from_utf8_lossy(own).into_owned(),
            None => format.render(&Facts { uid, validity, base, guid: fields.guid }),
        };
        let octets = fields.octets.and_then(|octets| sizes::believed(base, octets, fields.stored));
        let id = AdoptedId { base: base.to_vec(), uidl, octets };
        // A file that was removed and came back has a second record, and that one counts.
        if let Some(earlier) = by_base.insert(base, rows.len())
            && let Some(row) = rows.get_mut(earlier)
        {
            *row = None;
        }
        rows.push(Some(Row { order: fields.order.unwrap_or(u64::MAX), id }));
    }
    let mut rows: Vec<Row> = rows.into_iter().flatten().collect();
    rows.sort_by_key(|row| row.order);
    imported.ids = rows.into_iter().map(|row| row.id).collect();
    let next = header_next.max(last_uid.saturating_add(1));
    imported.counters = Some(UidCounters { validity, next });
    Ok(imported)
}

/// Version, UIDVALIDITY and next uid.
fn read_header(line: &[u8]) -> Option<(Version, u32, u32)> {
    let (version, rest) = word(line);
    let (version, validity, next) = match version {
        b"1" => {
            let (validity, next) = word(rest);
            (Version::One, number32(validity)?, number32(word(next).0)?)
        }
        b"3" => {
            let (mut validity, mut next) = (None, None);
            for field in rest.split(|&octet| octet == b' ') {
                match field.split_first() {
                    Some((b'V', value)) => validity = Some(number32(value)?),
                    Some((b'N', value)) => next = Some(number32(value)?),
                    _ => {}
                }
            }
            (Version::Three, validity?, next?)
        }
        _ => return None,
    };
    (validity != 0 && next != 0).then_some((version, validity, next))
}

/// Uid, fields and base name of a line whose uid must be larger than the one before.
fn read_record(
    version: Version,
    line: &[u8],
    last_uid: u32,
) -> Result<(u32, Fields<'_>, &[u8]), &'static str> {
    let (uid, rest) = word(line);
    let uid =
        number32(uid).filter(|&uid| uid != 0 && uid != u32::MAX).ok_or("no uid at its begin")?;
    if uid <= last_uid {
        return Err("its uid is not larger than the one before");
    }
    let (fields, name) = match version {
        Version::One => (Fields::default(), rest),
        Version::Three => read_fields(rest)?,
    };
    Ok((uid, fields, base(name)?))
}

/// The fields before the colon, and the name behind it.
fn read_fields(mut rest: &[u8]) -> Result<(Fields<'_>, &[u8]), &'static str> {
    let mut fields = Fields::default();
    loop {
        rest = rest.trim_ascii_start();
        if let Some(name) = rest.strip_prefix(b":") {
            return Ok((fields, name));
        }
        let (field, behind) = word(rest);
        let Some((&key, value)) = field.split_first() else {
            return Err("no \":\" before its file name");
        };
        match key {
            b'P' => fields.uidl = Some(value),
            b'O' => fields.order = Some(number(value).ok_or("its order (O) is no number")?),
            // Sizes serve when they can be read; ids do not depend on them.
            b'W' => fields.octets = number(value),
            b'S' => fields.stored = number(value),
            b'G' if !value.is_empty() => fields.guid = Some(value),
            _ => {}
        }
        rest = behind;
    }
}
