//! Plain lists that an administrator exports: file names with ids, or uids with file names.

use std::collections::HashMap;

use super::format::Facts;
use super::lines::{base, has_room, number, number32, numbered};
use super::{IdFormat, ImportError, Imported, sizes};
use crate::{AdoptedId, UidCounters};

/// Reads a list of lines `name<TAB>id`, or `name<TAB>id<TAB>size`, in the order of the messages.
/// The name may have flags. Empty lines, and lines that begin with `#` and have no TAB, count
/// for nothing.
#[must_use]
pub fn id_map(input: &[u8]) -> Imported {
    let mut imported = Imported::default();
    let mut first_lines: HashMap<&[u8], u64> = HashMap::new();
    for (at, line) in numbered(input) {
        let line = match line {
            Ok(line) if is_comment(line) => continue,
            Ok(line) => line,
            Err(what) => {
                imported.problem(at, what);
                continue;
            }
        };
        let mut columns = line.split(|&octet| octet == b'\t');
        let (name, uidl) = (columns.next().unwrap_or_default(), columns.next());
        let octets = columns.next();
        let record = match (base(name), uidl) {
            (Err(what), _) => Err(what),
            (Ok(_), None | Some(b"")) => Err("no id behind a TAB"),
            (Ok(base), Some(uidl)) => Ok((base, uidl)),
        };
        let (base, uidl) = match record {
            Ok(record) => record,
            Err(what) => {
                imported.problem(at, what);
                continue;
            }
        };
        if let Some(first) = first_lines.insert(base, at) {
            imported.problem(at, format!("this message was listed before, in line {first}"));
            first_lines.insert(base, first);
            continue;
        }
        if !has_room(&mut imported, at) {
            break;
        }
        let octets = octets.and_then(number).and_then(|octets| sizes::believed(base, octets, None));
        let uidl = String::from_utf8_lossy(uidl).into_owned();
        imported.ids.push(AdoptedId { base: base.to_vec(), uidl, octets });
    }
    imported
}

/// Reads a list of lines `uid name`, with a space or a TAB between, as it can be exported of a
/// server that keeps its mail in another form (Cyrus). Ids are made by `format`; their order is
/// that of the uids.
///
/// # Errors
/// [`ImportError::ValidityMissing`] if the ids need it and `validity` is `None`.
pub fn uid_listing(
    input: &[u8],
    format: &IdFormat,
    validity: Option<u32>,
) -> Result<Imported, ImportError> {
    if format.has_validity() && validity.is_none() {
        return Err(ImportError::ValidityMissing);
    }
    let mut imported = Imported::default();
    let mut uids: Vec<(u32, u64, &[u8])> = Vec::new();
    for (at, line) in numbered(input) {
        match line {
            Ok(line) if is_comment(line) => {}
            Ok(line) => match read_uid(line) {
                Ok(_) if uids.len() >= super::lines::RECORDS_MAX => {
                    imported.problem(
                        at,
                        "more messages than a maildrop may hold; the rest is not read",
                    );
                    break;
                }
                Ok((uid, base)) => uids.push((uid, at, base)),
                Err(what) => imported.problem(at, what),
            },
            Err(what) => imported.problem(at, what),
        }
    }
    uids.sort_by_key(|&(uid, at, _)| (uid, at));
    let mut last = 0;
    for (uid, at, base) in uids {
        if uid == last {
            imported.problem(at, format!("uid {uid} was listed before"));
            continue;
        }
        last = uid;
        let facts = Facts { uid, validity: validity.unwrap_or(0), base, guid: None };
        let uidl = format.render(&facts);
        imported.ids.push(AdoptedId { base: base.to_vec(), uidl, octets: None });
    }
    imported.counters = validity
        .filter(|&validity| validity != 0)
        .map(|validity| UidCounters { validity, next: last.saturating_add(1) });
    Ok(imported)
}

fn read_uid(line: &[u8]) -> Result<(u32, &[u8]), &'static str> {
    let end = line.iter().position(|octet| matches!(octet, b' ' | b'\t')).unwrap_or(line.len());
    let uid = line.get(..end).and_then(number32).filter(|&uid| uid != 0 && uid != u32::MAX);
    let uid = uid.ok_or("no uid at its begin")?;
    Ok((uid, base(line.get(end + 1..).unwrap_or_default())?))
}

fn is_comment(line: &[u8]) -> bool {
    line.is_empty() || (line.starts_with(b"#") && !line.contains(&b'\t'))
}
