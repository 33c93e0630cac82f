//! `TOP`: the headers, the blank line and the first lines of the body.

use alloc::vec::Vec;

use memchr::{memchr, memchr_iter};

use crate::DotStuffer;

/// What the current header line holds so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeaderLine {
    Empty,
    /// One CR and nothing else.
    Cr,
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Headers(HeaderLine),
    /// So many lines of the body are still wanted.
    Body(u64),
    Done,
}

/// Writes the top of a message as the answer to `TOP` (RFC 1939 section 7): its headers, the
/// blank line behind them, and so many lines of the body; stuffed as [`DotStuffer`] does it.
#[derive(Clone, Debug)]
pub struct TopStuffer {
    stuffer: DotStuffer,
    part: Part,
    body_lines: u64,
}

impl TopStuffer {
    /// A stuffer that lets through `body_lines` lines of the body.
    #[must_use]
    pub fn new(body_lines: u64) -> Self {
        Self { stuffer: DotStuffer::new(), part: Part::Headers(HeaderLine::Empty), body_lines }
    }

    /// Appends the wire form of what belongs to the top in the next `chunk` of the message.
    /// Returns whether more of the message is wanted: after `false` it need not be read on.
    pub fn stuff(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> bool {
        let wanted = self.advance(chunk);
        self.stuffer.stuff(chunk.get(..wanted).unwrap_or(chunk), out);
        self.part != Part::Done
    }

    /// Ends the answer, whether or not the whole top was seen. The stuffer must not be used
    /// for another message.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.stuffer.finish(out);
        self.part = Part::Done;
    }

    /// Whether no blank line has been seen yet, and [`finish`](Self::finish) not been called.
    #[must_use]
    pub fn is_in_headers(&self) -> bool {
        matches!(self.part, Part::Headers(_))
    }

    /// As [`DotStuffer::wire_octets`], of what was let through.
    #[must_use]
    pub fn wire_octets(&self) -> u64 {
        self.stuffer.wire_octets()
    }

    /// Moves over `chunk`; returns how many of its octets belong to the top.
    fn advance(&mut self, chunk: &[u8]) -> usize {
        let mut at = 0;
        while let Part::Headers(line) = self.part {
            let Some(rest) = chunk.get(at..).filter(|rest| !rest.is_empty()) else {
                return chunk.len();
            };
            let Some(lf) = memchr(b'\n', rest) else {
                self.part = Part::Headers(line.with(rest));
                return chunk.len();
            };
            at += lf + 1;
            let whole = line.with(rest.get(..lf).unwrap_or_default());
            self.part = match whole {
                HeaderLine::Text => Part::Headers(HeaderLine::Empty),
                HeaderLine::Empty | HeaderLine::Cr if self.body_lines == 0 => Part::Done,
                HeaderLine::Empty | HeaderLine::Cr => Part::Body(self.body_lines),
            };
        }
        at + self.advance_body(chunk.get(at..).unwrap_or_default())
    }

    fn advance_body(&mut self, body: &[u8]) -> usize {
        let Part::Body(wanted) = self.part else { return 0 };
        let mut seen = 0;
        for lf in memchr_iter(b'\n', body) {
            seen += 1;
            if seen == wanted {
                self.part = Part::Done;
                return lf + 1;
            }
        }
        self.part = Part::Body(wanted - seen);
        body.len()
    }
}

impl HeaderLine {
    fn with(self, octets: &[u8]) -> Self {
        match (self, octets) {
            (_, []) => self,
            (Self::Empty, b"\r") => Self::Cr,
            _ => Self::Text,
        }
    }
}
