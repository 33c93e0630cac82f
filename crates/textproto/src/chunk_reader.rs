//! Mail data whose length was announced: what it holds.

use alloc::vec::Vec;

use memchr::memchr2;

use crate::{DataFault, LoneLf};

/// What the octets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text(LoneLf),
    /// The header section of a message with a binary body: text, in which nothing is mended.
    BinaryHeader,
    BinaryBody,
}

/// Reads mail data that comes in chunks of announced length (RFC 3030). A dot means nothing in it.
///
/// Text obeys the rules of [`DotReader`](crate::DotReader): after a fault nothing more is written,
/// and what is written has CRLF at the end of each line, the last one too, and no other CR or LF.
/// Chunks may be cut anywhere, also within a CRLF. A binary message is handed on to the octet, but
/// its header section, up to the first empty line, must be lines of text all the same, or it could
/// be read in two ways.
///
/// ```
/// use textproto::{ChunkReader, LoneLf};
///
/// let mut reader = ChunkReader::text(LoneLf::Reject);
/// let mut message = Vec::new();
/// reader.read(b"Hi\r", &mut message);
/// reader.read(b"\n.\r\n..", &mut message);
/// reader.finish(&mut message);
/// assert_eq!(message, b"Hi\r\n.\r\n..\r\n");
/// assert_eq!(reader.fault(), None);
/// ```
#[derive(Clone, Debug)]
pub struct ChunkReader {
    kind: Kind,
    fault: Option<DataFault>,
    /// Whether the present line has no octets yet, but for a CR that is not written.
    blank: bool,
    /// Behind a CR, which is not written yet.
    cr: bool,
    octets: u64,
}

impl ChunkReader {
    /// A reader of text.
    #[must_use]
    pub const fn text(lone_lf: LoneLf) -> Self {
        Self::new(Kind::Text(lone_lf))
    }

    /// A reader of a message whose body is binary (`BODY=BINARYMIME`).
    #[must_use]
    pub const fn binary() -> Self {
        Self::new(Kind::BinaryHeader)
    }

    const fn new(kind: Kind) -> Self {
        Self { kind, fault: None, blank: true, cr: false, octets: 0 }
    }

    /// Reads the next octets and appends what they hold to `message`: at most twice their number,
    /// and one.
    pub fn read(&mut self, input: &[u8], message: &mut Vec<u8>) {
        let before = message.len();
        let mut at = self.after_cr(input, message);
        let mut run = at;
        while self.kind != Kind::BinaryBody {
            let rest = input.get(at..).unwrap_or_default();
            let Some(offset) = memchr2(b'\r', b'\n', rest) else {
                self.blank &= rest.is_empty();
                break;
            };
            self.blank &= offset == 0;
            let found = at + offset;
            at = found + 1;
            match (input.get(found), input.get(at)) {
                (Some(b'\r'), Some(b'\n')) => {
                    at += 1;
                    self.end_line();
                }
                (Some(b'\r'), None) => {
                    self.put(input.get(run..found), message);
                    (self.cr, run) = (true, at);
                    break;
                }
                (Some(b'\r'), Some(_)) => self.fail(DataFault::LoneCr),
                _ if self.kind == Kind::Text(LoneLf::Normalise) => {
                    self.put(input.get(run..found), message);
                    self.put(Some(b"\r\n"), message);
                    run = at;
                    self.end_line();
                }
                _ => self.fail(DataFault::LoneLf),
            }
        }
        self.put(input.get(run..), message);
        self.octets += (message.len() - before) as u64;
    }

    /// The last octet has been read: text that ends within a line is given its end.
    pub fn finish(&mut self, message: &mut Vec<u8>) {
        let before = message.len();
        if self.cr {
            self.cr = false;
            self.fail(DataFault::LoneCr);
        }
        if matches!(self.kind, Kind::Text(_)) && !self.blank {
            self.put(Some(b"\r\n"), message);
            self.blank = true;
        }
        self.octets += (message.len() - before) as u64;
    }

    /// The first fault so far.
    #[must_use]
    pub const fn fault(&self) -> Option<DataFault> {
        self.fault
    }

    /// Octets written so far: the size of the message once it has ended.
    #[must_use]
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// Settles a CR that ended the input before this one; returns where to go on.
    fn after_cr(&mut self, input: &[u8], message: &mut Vec<u8>) -> usize {
        match input.first() {
            Some(octet) if self.cr => {
                self.cr = false;
                if *octet == b'\n' {
                    self.put(Some(b"\r\n"), message);
                    self.end_line();
                    return 1;
                }
                self.fail(DataFault::LoneCr);
                0
            }
            _ => 0,
        }
    }

    fn end_line(&mut self) {
        if self.blank && self.kind == Kind::BinaryHeader {
            self.kind = Kind::BinaryBody;
        }
        self.blank = true;
    }

    fn fail(&mut self, fault: DataFault) {
        self.fault.get_or_insert(fault);
        self.blank = false;
    }

    fn put(&self, octets: Option<&[u8]>, message: &mut Vec<u8>) {
        if self.fault.is_none() {
            message.extend_from_slice(octets.unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests;
