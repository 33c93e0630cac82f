//! Commands and replies: lines of bounded length, cut out of the caller's buffer.

use memchr::memchr;

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    /// CRLF alone; a lone LF is a part of the line (RFC 5321 section 2.3.8). For SMTP.
    Crlf,
    /// CRLF, or an LF without CR as sloppy clients send it. For POP3.
    CrlfOrLf,
}

/// What the head of the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A whole line.
    Whole {
        /// The line without its ending; any octets, also NUL and, by [`LineEnd`], CR or LF.
        line: &'a [u8],
        /// Octets to take off the input: the line and its ending.
        consumed: usize,
    },
    /// The end of a line that was longer than allowed: reported once for each such line.
    TooLong {
        /// Octets to take off the input.
        consumed: usize,
    },
    /// No end of line yet: read more and ask again.
    More {
        /// Octets to take off the input before more is read; nonzero only within a line that
        /// is already too long, whose octets need not be kept.
        consumed: usize,
    },
}

/// Cuts lines out of a buffer that the caller owns.
///
/// The caller passes what it has not yet consumed, takes `consumed` octets off its front after
/// each call, and after [`Line::More`] appends what it reads. Octets once scanned are not
/// scanned again, so a line that trickles in costs no more than one that comes at once. With
/// `max` octets or more in the buffer, each call makes progress: a buffer of `max` octets is
/// enough.
///
/// ```
/// use textproto::{Line, LineEnd, LineReader};
///
/// let mut reader = LineReader::new(255, LineEnd::CrlfOrLf);
/// let mut buffer = b"USER aiko\r\nPA".to_vec();
/// let Line::Whole { line, consumed } = reader.next_line(&buffer) else { panic!() };
/// assert_eq!(line, b"USER aiko");
/// buffer.drain(..consumed);
/// assert_eq!(reader.next_line(&buffer), Line::More { consumed: 0 });
/// ```
#[derive(Clone, Debug)]
pub struct LineReader {
    // Small numbers: a reader is a part of each session, and there are very many of those.
    max: u32,
    end: LineEnd,
    /// Octets at the head of the input that hold no end of line.
    scanned: u32,
    /// Whether the head of the input belongs to a line already known to be too long.
    overlong: bool,
}

impl LineReader {
    /// A reader of lines of at most `max` octets, ending included (which is how RFC 2449
    /// section 4 and RFC 5321 section 4.5.3.1 count). A `max` below 2 counts as 2.
    #[must_use]
    pub fn new(max: usize, end: LineEnd) -> Self {
        Self { max: count(max.max(2)), end, scanned: 0, overlong: false }
    }

    /// Changes the longest line allowed from the next call on: a SASL response may be longer
    /// than a command.
    pub fn set_max(&mut self, max: usize) {
        self.max = count(max.max(2));
    }

    /// Forgets what it saw of an unfinished line: for when the caller has thrown its buffer
    /// away, as after STARTTLS.
    pub fn reset(&mut self) {
        self.scanned = 0;
        self.overlong = false;
    }

    /// What the head of `input` is. `input` begins with the octets that earlier calls left
    /// unconsumed.
    pub fn next_line<'a>(&mut self, input: &'a [u8]) -> Line<'a> {
        let Some(end) = self.find_end(input) else {
            return self.unfinished(input);
        };
        let overlong = self.overlong || end > self.max as usize;
        self.reset();
        if overlong {
            return Line::TooLong { consumed: end };
        }
        let body = input.get(..end).unwrap_or_default();
        let line = body.strip_suffix(b"\r\n").or_else(|| body.strip_suffix(b"\n"));
        Line::Whole { line: line.unwrap_or(body), consumed: end }
    }

    /// Length of the first line of `input`, ending included.
    fn find_end(&self, input: &[u8]) -> Option<usize> {
        let mut from = (self.scanned as usize).min(input.len());
        while let Some(offset) = memchr(b'\n', input.get(from..)?) {
            let lf = from + offset;
            let after_cr = lf.checked_sub(1).and_then(|at| input.get(at)) == Some(&b'\r');
            if after_cr || self.end == LineEnd::CrlfOrLf {
                return Some(lf + 1);
            }
            from = lf + 1;
        }
        None
    }

    fn unfinished(&mut self, input: &[u8]) -> Line<'static> {
        if input.len() >= self.max as usize {
            self.overlong = true;
        }
        if !self.overlong {
            self.scanned = count(input.len());
            return Line::More { consumed: 0 };
        }
        // A trailing CR stays, for its LF may be the next octet to come.
        let keep = usize::from(input.last() == Some(&b'\r'));
        self.scanned = count(keep);
        Line::More { consumed: input.len() - keep }
    }
}

/// What does not fit is scanned once more.
fn count(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}
