//! The original as the third part of a report: its header, or all of it.

use super::encode;

/// More than this of a header is not sent back.
const HEADER_MAX: usize = 32 * 1024;

/// What of the original goes back.
pub(crate) enum Returned<'a> {
    /// Its header, from its first octets.
    Header(&'a [u8]),
    /// All of it: lines of at most 998 octets, without NUL, CR and LF within.
    Whole(&'a [u8]),
}

impl Returned<'_> {
    /// Whether it is the whole message.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// Writes the part; says whether it is seven-bit.
    pub(super) fn write_part(&self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Header(start) => {
                let mut text = String::new();
                write_header(&mut text, header_of(start));
                out.extend_from_slice(text.as_bytes());
                true
            }
            Self::Whole(octets) => write_whole(out, octets),
        }
    }
}

/// RFC 6522 section 4; a header in UTF-8 has a type of its own (RFC 6533 section 4.2). Either is
/// written in ASCII.
fn write_header(out: &mut String, header: &[u8]) {
    if encode::is_seven_bit(header) {
        out.push_str("Content-Type: text/rfc822-headers\r\n\r\n");
        for line in header.split_inclusive(|&octet| octet == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            out.push_str(&String::from_utf8_lossy(line));
            out.push_str("\r\n");
        }
        return;
    }
    let kind = match is_utf8(header) {
        true => "message/global-headers",
        false => "text/rfc822-headers",
    };
    out.push_str("Content-Type: ");
    out.push_str(kind);
    out.push_str("\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
    encode::quoted_printable(out, header);
}

/// `message/rfc822` cannot be encoded (RFC 2046 section 5.2.1), `message/global` can (RFC 6532
/// section 3.7).
fn write_whole(out: &mut Vec<u8>, octets: &[u8]) -> bool {
    if is_utf8(header_of(octets)) {
        out.extend_from_slice(b"Content-Type: message/global\r\n");
        let mut text = String::new();
        encode::base64_content(&mut text, octets);
        out.extend_from_slice(text.as_bytes());
        return true;
    }
    let seven_bit = octets.is_ascii();
    out.extend_from_slice(b"Content-Type: message/rfc822\r\n");
    if !seven_bit {
        out.extend_from_slice(b"Content-Transfer-Encoding: 8bit\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(octets);
    seven_bit
}

/// Whether it is UTF-8 and more than ASCII.
fn is_utf8(octets: &[u8]) -> bool {
    !octets.is_ascii() && std::str::from_utf8(octets).is_ok()
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
