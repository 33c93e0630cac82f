//! The header of the original, as a part of the report.

use super::encode;

/// More than this of a header is not sent back.
const HEADER_MAX: usize = 32 * 1024;

/// Writes the part; `start` is the beginning of the original.
pub(super) fn write_part(out: &mut String, start: &[u8]) {
    let header = header_of(start);
    out.push_str("Content-Type: text/rfc822-headers\r\n");
    if encode::is_seven_bit(header) {
        out.push_str("\r\n");
        for line in header.split_inclusive(|&octet| octet == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            out.push_str(&String::from_utf8_lossy(line));
            out.push_str("\r\n");
        }
    } else {
        out.push_str("Content-Transfer-Encoding: quoted-printable\r\n\r\n");
        encode::quoted_printable(out, header);
    }
}

/// The header without the empty line behind it, cut at a line end if it is too long.
fn header_of(start: &[u8]) -> &[u8] {
    let mut end = 0;
    for line in start.split_inclusive(|&octet| octet == b'\n') {
        if line == b"\r\n" || line == b"\n" || end + line.len() > HEADER_MAX {
            break;
        }
        end += line.len();
    }
    &start[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_at_the_empty_line() {
        assert_eq!(header_of(b"A: 1\r\nB: 2\r\n\r\nbody\r\n"), b"A: 1\r\nB: 2\r\n");
        assert_eq!(header_of(b"A: 1\n\nbody\n"), b"A: 1\n");
        assert_eq!(header_of(b"\r\nbody"), b"");
        assert_eq!(header_of(b""), b"");
        assert_eq!(header_of(b"A: no end"), b"A: no end");
    }

    #[test]
    fn is_cut_at_a_line_end() {
        let long = b"X-Field: 0123456789\r\n".repeat(10_000);
        let header = header_of(&long);
        assert!(header.len() <= HEADER_MAX && header.len() > HEADER_MAX - 30);
        assert!(header.ends_with(b"\r\n"));
        assert_eq!(header_of(&vec![b'x'; 100_000]), b"");
    }
}
