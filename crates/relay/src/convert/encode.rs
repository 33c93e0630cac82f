//! Base64 and quoted-printable (RFC 2045 section 6), as the content streams by.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Characters of an encoded line, at most (RFC 2045 section 6.7, 6.8).
const LINE: usize = 76;
/// Octets that make one line of base64.
const LINE_OCTETS: usize = LINE / 4 * 3;

/// Base64. A line end stands before each line but the first.
#[derive(Debug, Default)]
pub(super) struct Base64 {
    /// Fewer octets than make a line.
    held: Vec<u8>,
    begun: bool,
}

impl Base64 {
    pub(super) fn add(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        while self.held.len() + rest.len() > LINE_OCTETS {
            let (piece, behind) = rest.split_at(LINE_OCTETS - self.held.len());
            self.held.extend_from_slice(piece);
            self.line(out);
            rest = behind;
        }
        self.held.extend_from_slice(rest);
    }

    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        if !self.held.is_empty() {
            self.line(out);
        }
    }

    fn line(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            out.extend_from_slice(b"\r\n");
        }
        let mut line = [0; LINE];
        // A line holds what `held` does, so this cannot fail.
        let length = STANDARD.encode_slice(&self.held, &mut line).unwrap_or_default();
        out.extend_from_slice(line.get(..length).unwrap_or_default());
        self.held.clear();
    }
}

/// Quoted-printable of lines: a CRLF, which comes alone, stays one.
#[derive(Debug, Default)]
pub(super) struct QuotedPrintable {
    column: usize,
    /// A blank that came last: at the end of a line it is encoded.
    blank: Option<u8>,
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

impl QuotedPrintable {
    pub(super) fn add(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if octets == b"\r\n" {
            if let Some(blank) = self.blank.take() {
                self.encoded(blank, out);
            }
            out.extend_from_slice(b"\r\n");
            self.column = 0;
            return;
        }
        for &octet in octets {
            if let Some(blank) = self.blank.take() {
                self.plain(blank, out);
            }
            match octet {
                b' ' | b'\t' => self.blank = Some(octet),
                // At the head of a line it could make a boundary out of the middle of a line.
                b'-' if self.column == 0 || self.column + 1 >= LINE => self.encoded(octet, out),
                b'!'..=b'<' | b'>'..=b'~' => self.plain(octet, out),
                _ => self.encoded(octet, out),
            }
        }
    }

    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        if let Some(blank) = self.blank.take() {
            self.encoded(blank, out);
        }
    }

    fn plain(&mut self, octet: u8, out: &mut Vec<u8>) {
        self.make_room(1, out);
        out.push(octet);
    }

    fn encoded(&mut self, octet: u8, out: &mut Vec<u8>) {
        self.make_room(3, out);
        let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or(b'0');
        out.extend_from_slice(&[b'=', digit(octet >> 4), digit(octet & 15)]);
    }

    /// A line keeps room for the `=` of a soft line break.
    fn make_room(&mut self, octets: usize, out: &mut Vec<u8>) {
        if self.column + octets >= LINE {
            out.extend_from_slice(b"=\r\n");
            self.column = 0;
        }
        self.column += octets;
    }
}
