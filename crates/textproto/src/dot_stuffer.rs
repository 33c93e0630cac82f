//! A stored message on its way out: CRLF line ends and doubled leading dots.

use alloc::vec::Vec;

use memchr::memchr_iter;

/// What came last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// Nothing yet, or an LF: the next octet begins a line.
    LineStart,
    /// A CR.
    AfterCr,
    /// Anything else.
    MidLine,
}

impl Position {
    pub(crate) fn after(self, chunk: &[u8]) -> Self {
        match chunk.last() {
            None => self,
            Some(b'\n') => Self::LineStart,
            Some(b'\r') => Self::AfterCr,
            Some(_) => Self::MidLine,
        }
    }
}

/// Writes a message as a multi-line answer (RFC 1939 section 3) or mail data (RFC 5321 section
/// 4.5.2): each line ends with CRLF, a dot that begins a line is doubled, and `.` CRLF follows.
///
/// A stored line ends with LF or CRLF; a CR anywhere else is a part of the line and passes
/// through. Octets are copied in runs that reach from one change to the next, so a message
/// stored with CRLF is mostly copied as it lies.
///
/// ```
/// let mut stuffer = textproto::DotStuffer::new();
/// let mut out = Vec::new();
/// stuffer.stuff(b"a\n.b", &mut out);
/// stuffer.finish(&mut out);
/// assert_eq!(out, b"a\r\n..b\r\n.\r\n");
/// assert_eq!(stuffer.wire_octets(), 7);
/// ```
#[derive(Clone, Debug)]
pub struct DotStuffer {
    position: Position,
    octets: u64,
}

impl Default for DotStuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl DotStuffer {
    /// A stuffer at the beginning of a message.
    #[must_use]
    pub fn new() -> Self {
        Self { position: Position::LineStart, octets: 0 }
    }

    /// Appends the wire form of the next `chunk` of the message to `out`: at most three octets
    /// for each octet.
    pub fn stuff(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let Some(&first) = chunk.first() else { return };
        let before = out.len();
        out.reserve(chunk.len() + chunk.len() / 32 + 2);
        let mut stuffed: u64 = 0;
        if self.position == Position::LineStart && first == b'.' {
            out.push(b'.');
            stuffed += 1;
        }
        let mut run = 0;
        for lf in memchr_iter(b'\n', chunk) {
            let after_cr = match lf.checked_sub(1) {
                Some(previous) => chunk.get(previous) == Some(&b'\r'),
                None => self.position == Position::AfterCr,
            };
            if !after_cr {
                out.extend_from_slice(chunk.get(run..lf).unwrap_or_default());
                out.push(b'\r');
                run = lf;
            }
            if chunk.get(lf + 1) == Some(&b'.') {
                out.extend_from_slice(chunk.get(run..=lf).unwrap_or_default());
                out.push(b'.');
                stuffed += 1;
                run = lf + 1;
            }
        }
        out.extend_from_slice(chunk.get(run..).unwrap_or_default());
        self.octets += (out.len() - before) as u64 - stuffed;
        self.position = self.position.after(chunk);
    }

    /// Ends the message: appends the CRLF that its last line may lack, and `.` CRLF. The
    /// stuffer must not be used for another message.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.position != Position::LineStart {
            out.extend_from_slice(b"\r\n");
            self.octets += 2;
            self.position = Position::LineStart;
        }
        out.extend_from_slice(b".\r\n");
    }

    /// Octets of the message so far as RFC 1939 section 11 counts them: with CRLF, without the
    /// doubled dots and the final line. After [`finish`](Self::finish) it is what
    /// [`measure`](crate::measure) says of the whole message.
    #[must_use]
    pub fn wire_octets(&self) -> u64 {
        self.octets
    }
}
