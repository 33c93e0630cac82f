//! The fields of a header section (RFC 5322 section 2.2), as octets.

/// Each field with its continuation lines and its line end.
pub(super) fn of(section: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = section;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        loop {
            let behind = rest.get(end..).unwrap_or_default();
            end += memchr::memchr(b'\n', behind).map_or(behind.len(), |lf| lf + 1);
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (field, behind) = rest.split_at(end);
        rest = behind;
        Some(field)
    })
}

/// Name and value.
pub(super) fn split(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', field)?;
    let (name, value) = field.split_at(colon);
    Some((name.trim_ascii_end(), value.get(1..).unwrap_or_default()))
}

/// The section without fields of this name.
pub(super) fn without(section: &[u8], name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(section.len());
    for field in of(section) {
        if !split(field).is_some_and(|(found, _)| found.eq_ignore_ascii_case(name)) {
            out.extend_from_slice(field);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_lines() {
        let section = b"A: 1\r\n 2\r\nb : 3\r\nno colon\r\nC:";
        let fields: Vec<_> = of(section).collect();
        assert_eq!(fields, [&b"A: 1\r\n 2\r\n"[..], b"b : 3\r\n", b"no colon\r\n", b"C:"]);
        assert_eq!(split(fields[1]), Some((&b"b"[..], &b" 3\r\n"[..])));
        assert_eq!(without(section, b"a"), b"b : 3\r\nno colon\r\nC:");
    }
}
