//! Lines and numbers of a record, bounded.

use super::Imported;

/// Octets of a line; no server writes longer ones, for file names end at 255.
pub(super) const LINE_MAX: usize = 2048;

/// Messages on record; more than a maildrop may hold are not read.
pub(super) const RECORDS_MAX: usize = 4_000_000;

/// Octets of a message file's name on any file system.
const NAME_MAX: usize = 255;

/// The lines of `input` with their numbers, counted from 1; without the line's end, be it LF or
/// CRLF. A line that is too long is a problem of `imported`.
pub(super) fn numbered(input: &[u8]) -> impl Iterator<Item = (u64, Result<&[u8], &'static str>)> {
    let text = input.strip_suffix(b"\n").unwrap_or(input);
    let empty = input.is_empty();
    let lines = text.split(|&octet| octet == b'\n').filter(move |_| !empty);
    (1..).zip(lines.map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > LINE_MAX { Err("longer than any line of such a file") } else { Ok(line) }
    }))
}

/// Whether another record may be added; says so once if not.
pub(super) fn has_room(imported: &mut Imported, line: u64) -> bool {
    let room = imported.ids.len() < RECORDS_MAX;
    if !room {
        imported.problem(line, "more messages than a maildrop may hold; the rest is not read");
    }
    room
}

/// A decimal number of digits alone, as far as 64 bits go.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 20 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The same of 32 bits.
pub(super) fn number32(digits: &[u8]) -> Option<u32> {
    number(digits).and_then(|number| u32::try_from(number).ok())
}

/// The base name that a record's file name has, or what is wrong with it.
pub(super) fn base(name: &[u8]) -> Result<&[u8], &'static str> {
    let base = crate::name::base(name);
    if base.is_empty() {
        Err("no file name")
    } else if name.len() > NAME_MAX {
        Err("a file name longer than any file system allows")
    } else if base.contains(&b'/') || base.contains(&0) {
        Err("a file name with a slash or NUL in it")
    } else {
        Ok(base)
    }
}

/// A line for a message to people: cut, and without control characters.
pub(super) fn shown(line: &[u8]) -> String {
    let cut = line.get(..80).unwrap_or(line);
    String::from_utf8_lossy(cut).escape_debug().to_string()
}

/// Cuts at the first space.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&octet| octet == b' ') {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
        None => (text, &[]),
    }
}

/// Cuts at the last space; `None` if there is none.
pub(super) fn last_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().rposition(|&octet| octet == b' ')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}
