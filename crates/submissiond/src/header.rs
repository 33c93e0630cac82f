//! The header section of a message: where it ends, and which fields it has.

use std::ops::Range;

/// A field (RFC 5322 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    /// The name as it is spelled, without the blanks that old mail has before the colon.
    pub(crate) name: &'a [u8],
    /// What stands behind the colon, folds included, without the last CRLF.
    pub(crate) value: &'a [u8],
    /// Where the field stands in its section, last CRLF included.
    pub(crate) range: Range<usize>,
}

impl Field<'_> {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.value.trim_ascii().is_empty()
    }
}

/// A line that neither begins nor continues a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAField;

/// Where a message's parts lie: the header section is `..section`, the body `body..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) section: usize,
    pub(crate) body: usize,
}

/// Finds the blank line behind the header section in a message with CRLF line ends. What
/// stands before `scanned` was looked at before, in vain.
pub(crate) fn split(message: &[u8], scanned: usize) -> Option<Split> {
    if message.starts_with(b"\r\n") {
        return Some(Split { section: 0, body: 2 });
    }
    // The first three octets of the blank line's mark may have been there already.
    let from = scanned.saturating_sub(3);
    let found = message.get(from..)?.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(Split { section: from + found + 2, body: from + found + 4 })
}

/// The fields of a header section, until the first line that is none.
pub(crate) fn fields(section: &[u8]) -> impl Iterator<Item = Result<Field<'_>, NotAField>> {
    let mut at = 0;
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed || at >= section.len() {
            return None;
        }
        let field = next_field(section, at);
        match &field {
            Ok(field) => at = field.range.end,
            Err(NotAField) => failed = true,
        }
        Some(field)
    })
}

fn next_field(section: &[u8], begin: usize) -> Result<Field<'_>, NotAField> {
    let mut end = line_end(section, begin);
    while matches!(section.get(end), Some(b' ' | b'\t')) {
        end = line_end(section, end);
    }
    let whole = section.get(begin..end).unwrap_or_default();
    let colon = whole.iter().position(|&octet| octet == b':').ok_or(NotAField)?;
    let (name, value) = whole.split_at(colon);
    // Blanks, but no fold: some readers take what stands behind one for another field.
    let blanks = name.iter().rev().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    let name = name.get(..name.len() - blanks).unwrap_or_default();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    if !is_name || !has_whole_lines(whole) {
        return Err(NotAField);
    }
    let value = value.get(1..).unwrap_or_default();
    let value = value.strip_suffix(b"\r\n").unwrap_or(value);
    Ok(Field { name, value, range: begin..end })
}

/// Whether it holds no NUL, no CR without LF and, but for a last line without end, no LF without
/// CR: what another reader would cut elsewhere.
fn has_whole_lines(whole: &[u8]) -> bool {
    let mut before = 0;
    let sound = whole.iter().all(|&octet| {
        let sound = octet != 0 && (octet == b'\n') == (before == b'\r');
        before = octet;
        sound
    });
    sound && before != b'\r'
}

fn line_end(section: &[u8], begin: usize) -> usize {
    let rest = section.get(begin..).unwrap_or_default();
    rest.iter().position(|&octet| octet == b'\n').map_or(section.len(), |lf| begin + lf + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(section: &[u8]) -> Vec<Result<String, NotAField>> {
        fields(section)
            .map(|field| field.map(|field| String::from_utf8_lossy(field.name).into_owned()))
            .collect()
    }

    #[test]
    fn the_section_ends_at_the_blank_line() {
        let message = b"A: 1\r\nB: 2\r\n\r\nbody\r\n\r\n";
        let expected = Some(Split { section: 12, body: 14 });
        for scanned in 0..=12 {
            assert_eq!(split(message, scanned), expected);
        }
        assert_eq!(split(b"\r\nbody", 0), Some(Split { section: 0, body: 2 }));
        assert_eq!(split(b"A: 1\r\nB: 2\r\n", 0), None);
        assert_eq!(split(b"", 0), None);
    }

    #[test]
    fn fields_have_folds_and_odd_blanks() {
        let section = b"From : a@b.c\r\nSubject:\r\n one\r\n\ttwo\r\nX:\r\n";
        let all: Vec<_> = fields(section).map(Result::unwrap).collect();
        assert!(all[0].is("from"));
        assert_eq!(all[1].value, b"\r\n one\r\n\ttwo");
        assert!(all[2].is_blank());
        assert_eq!(all[2].range.end, section.len());
    }

    #[test]
    fn a_line_that_is_no_field_ends_the_list() {
        let named = |name: &str| Ok(name.to_owned());
        assert_eq!(names(b"A: 1\r\nhello\r\nFrom: x\r\n"), [named("A"), Err(NotAField)]);
        assert_eq!(names(b" folded first: 1\r\n"), [Err(NotAField)]);
        assert_eq!(names(b"From anna Thu Jan 1 00:00:00\r\n"), [Err(NotAField)]);
        assert_eq!(names(b": no name\r\n"), [Err(NotAField)]);
        assert_eq!(names(b"X\r\n :From: ceo@bank.example\r\n"), [Err(NotAField)]);
        assert_eq!(names(b"From\x0c: a\r\n"), [Err(NotAField)]);
        assert_eq!(names(b"A: \0\r\n"), [Err(NotAField)]);
        assert_eq!(names(b"\xc3\xa9: 1\r\n"), [Err(NotAField)]);
        assert_eq!(names(b"A: 1\nB: 2\r\n"), [Err(NotAField)]);
        assert_eq!(names(b"A: 1\rB: 2\r\n"), [Err(NotAField)]);
        assert_eq!(names(b"A: 1\n 2\r\n"), [Err(NotAField)]);
        assert_eq!(names(b"A: 1\r"), [Err(NotAField)]);
        assert_eq!(names(b"A: 1"), [named("A")]);
        assert_eq!(names(b""), []);
    }
}
