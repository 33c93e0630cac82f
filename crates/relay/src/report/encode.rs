//! Seven-bit forms of text (RFC 2045, RFC 2047), and the folding of long fields.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A line of text is kept below this, so that no encoding brings it near 998 octets.
const LINE_MAX: usize = 900;

/// A subject: as it is, or as encoded words of at most 75 octets (RFC 2047 section 2).
pub(super) fn subject(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        // 39 octets are 52 in base64: with the name of the field, a line has at most 76.
        let mut end = rest.len().min(39);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (word, behind) = rest.split_at(end);
        words.push(format!("=?UTF-8?B?{}?=", STANDARD.encode(word)));
        rest = behind;
    }
    words.join("\r\n ")
}

/// Writes header and content of a text part; `text` has CRLF line ends.
pub(super) fn text_part(out: &mut String, text: &str) {
    out.push_str("Content-Type: text/plain; charset=utf-8\r\n");
    if text.is_ascii() {
        out.push_str("\r\n");
        out.push_str(text);
        return;
    }
    base64_content(out, text.as_bytes());
}

/// Writes the rest of a header, and content as base64.
pub(super) fn base64_content(out: &mut String, octets: &[u8]) {
    out.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
    let encoded = STANDARD.encode(octets);
    for line in encoded.as_bytes().chunks(76) {
        // Base64 is ASCII.
        out.push_str(std::str::from_utf8(line).unwrap_or_default());
        out.push_str("\r\n");
    }
}

/// Whether `octets` can stand in a seven-bit part as they are: ASCII without NUL, short lines.
pub(super) fn is_seven_bit(octets: &[u8]) -> bool {
    octets.iter().all(|&octet| (1..128).contains(&octet))
        && octets.split(|&octet| octet == b'\n').all(|line| line.len() <= LINE_MAX)
}

/// Quoted-printable (RFC 2045 section 6.7) of text with CRLF line ends.
pub(super) fn quoted_printable(out: &mut String, octets: &[u8]) {
    for line in octets.split_inclusive(|&octet| octet == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let mut length = 0;
        for (index, &octet) in text.iter().enumerate() {
            let last = index + 1 == text.len();
            let plain = matches!(octet, b'!'..=b'<' | b'>'..=b'~')
                || (matches!(octet, b' ' | b'\t') && !last);
            if length + 3 > 75 {
                out.push_str("=\r\n");
                length = 0;
            }
            if plain {
                out.push(char::from(octet));
                length += 1;
            } else {
                let _ = write!(out, "={octet:02X}");
                length += 3;
            }
        }
        out.push_str("\r\n");
    }
}

/// Breaks `text` into lines of at most `width` octets where words end, harder where they do
/// not; what is not ASCII counts by its octets.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        for piece in pieces(word, width) {
            let fits = lines
                .last()
                .is_some_and(|line| line.is_empty() || line.len() + 1 + piece.len() <= width);
            if !fits {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(piece);
            }
        }
    }
    lines
}

/// A word in pieces of at most `width` octets.
fn pieces(word: &str, width: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while rest.len() > width {
        let mut end = width.max(4);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, behind) = rest.split_at(end);
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    pieces
}

/// ASCII with everything else as `\x{2014}` (RFC 6533 section 3, `utf-8-addr-xtext`).
pub(super) fn ascii(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii() && !c.is_ascii_control() {
            out.push(c);
        } else {
            let _ = write!(out, "\\x{{{:X}}}", u32::from(c));
        }
    }
    out
}
