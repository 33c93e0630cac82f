//! Mail data on its way in: where it ends, and what it holds.

use alloc::vec::Vec;

use memchr::memchr2;

/// What to do with an LF that has no CR before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoneLf {
    /// The message is faulty.
    Reject,
    /// It becomes CRLF in the message. It still begins no line where dots are concerned: no
    /// end of data, no dot to be taken off.
    Normalise,
}

/// Why a message must be refused, although its end was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFault {
    /// A CR without LF behind it.
    LoneCr,
    /// An LF without CR before it, under [`LoneLf::Reject`].
    LoneLf,
}

impl core::fmt::Display for DataFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::LoneCr => "the message holds a CR without LF",
            Self::LoneLf => "the message holds an LF without CR",
        })
    }
}

impl core::error::Error for DataFault {}

/// What a chunk of input was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum DataStep {
    /// All of it was mail data, and more must come.
    More,
    /// The mail data ended in it.
    End {
        /// Octets of the chunk up to and including the end of data; what follows is the next
        /// command.
        consumed: usize,
        /// The first fault of the message, if it had any: then what was decoded must not be
        /// used.
        fault: Option<DataFault>,
    },
}

/// Where in a line the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Directly behind a CRLF; at first, that of the `DATA` line (RFC 5321 section 4.1.1.4).
    LineStart,
    /// Behind a dot that began a line and is not written.
    Dot,
    /// Behind such a dot and a CR, which is not written yet.
    DotCr,
    /// Anywhere else.
    MidLine,
    /// Behind a CR, which is not written yet.
    Cr,
    /// Behind the end of data.
    End,
}

/// Decodes mail data (RFC 5321 section 4.5.2).
///
/// Only CRLF `.` CRLF ends it, and the CRLF before the dot may be that of the `DATA` line. No
/// other sequence does, whatever another mail server may take for an end: that is the defence
/// against smuggled messages. After a fault it writes nothing more but still finds the true
/// end, so the session keeps step. What it writes has CRLF at the end of each line, no other
/// CR or LF, and any other octets, NUL included.
///
/// ```
/// use textproto::{DataStep, DotReader, LoneLf};
///
/// let mut reader = DotReader::new(LoneLf::Reject);
/// let mut message = Vec::new();
/// assert_eq!(reader.read(b"Hi\r\n..\r\n.", &mut message), DataStep::More);
/// let step = reader.read(b"\r\nQUIT\r\n", &mut message);
/// assert_eq!(step, DataStep::End { consumed: 2, fault: None });
/// assert_eq!(message, b"Hi\r\n.\r\n");
/// ```
#[derive(Clone, Debug)]
pub struct DotReader {
    lone_lf: LoneLf,
    state: State,
    fault: Option<DataFault>,
    octets: u64,
}

impl DotReader {
    /// A reader for what follows the reply `354`.
    #[must_use]
    pub fn new(lone_lf: LoneLf) -> Self {
        Self { lone_lf, state: State::LineStart, fault: None, octets: 0 }
    }

    /// Reads the next `chunk` of input and appends what it holds to `message`: at most twice
    /// its length and two octets. The caller bounds the message by draining `message` as it
    /// likes. After the end, nothing is consumed any more.
    pub fn read(&mut self, chunk: &[u8], message: &mut Vec<u8>) -> DataStep {
        let mut writer = Writer { chunk, run: 0, message, enabled: self.fault.is_none() };
        let before = writer.message.len();
        let mut at = 0;
        while self.state != State::End && at < chunk.len() {
            at = self.advance(at, &mut writer);
        }
        // A CR that may yet become a CRLF, or a part of the end, is not written.
        let held = usize::from(self.state == State::Cr && chunk.last() == Some(&b'\r'));
        if matches!(self.state, State::LineStart | State::MidLine | State::Cr) {
            writer.flush(chunk.len() - held);
        }
        self.octets += (writer.message.len() - before) as u64;
        if self.state == State::End {
            return DataStep::End { consumed: at, fault: self.fault };
        }
        DataStep::More
    }

    /// The first fault so far.
    #[must_use]
    pub const fn fault(&self) -> Option<DataFault> {
        self.fault
    }

    /// Octets written so far: the size of the message once it has ended (RFC 1870 section 3).
    #[must_use]
    pub const fn octets(&self) -> u64 {
        self.octets
    }

    /// Takes the octet at `at`, or a run of octets in which nothing happens; returns where to
    /// go on. Between calls, what stands before `at` is either flushed or in the writer's run.
    fn advance(&mut self, at: usize, writer: &mut Writer<'_>) -> usize {
        let octet = writer.chunk.get(at).copied();
        match (self.state, octet) {
            (State::LineStart, Some(b'.')) => {
                writer.flush(at);
                writer.run = at + 1;
                self.state = State::Dot;
                at + 1
            }
            (State::Dot, Some(b'\r')) => {
                self.state = State::DotCr;
                at + 1
            }
            (State::DotCr, Some(b'\n')) => {
                self.state = State::End;
                at + 1
            }
            (State::DotCr, _) => {
                // The dot was an ordinary stuffed one, and its CR stands alone.
                self.fail(DataFault::LoneCr, writer);
                self.state = State::MidLine;
                at
            }
            (State::Cr, Some(b'\n')) => {
                if at == 0 {
                    writer.put(b"\r");
                }
                self.state = State::LineStart;
                at + 1
            }
            (State::Cr, _) => {
                self.fail(DataFault::LoneCr, writer);
                self.state = State::MidLine;
                at
            }
            (State::LineStart | State::Dot | State::MidLine, _) => self.text(at, writer),
            (State::End, _) => at,
        }
    }

    /// Runs to the next CR or LF and takes it.
    fn text(&mut self, at: usize, writer: &mut Writer<'_>) -> usize {
        let rest = writer.chunk.get(at..).unwrap_or_default();
        let Some(offset) = memchr2(b'\r', b'\n', rest) else {
            self.state = State::MidLine;
            return writer.chunk.len();
        };
        let found = at + offset;
        if writer.chunk.get(found) == Some(&b'\r') {
            self.state = State::Cr;
            return found + 1;
        }
        self.state = State::MidLine;
        match self.lone_lf {
            LoneLf::Reject => self.fail(DataFault::LoneLf, writer),
            LoneLf::Normalise => {
                writer.flush(found);
                writer.put(b"\r");
            }
        }
        found + 1
    }

    fn fail(&mut self, fault: DataFault, writer: &mut Writer<'_>) {
        self.fault.get_or_insert(fault);
        writer.enabled = false;
    }
}

/// Copies runs of the chunk, so that octets are moved in blocks.
struct Writer<'a> {
    chunk: &'a [u8],
    /// Where the part of the chunk begins that is still to be written.
    run: usize,
    message: &'a mut Vec<u8>,
    enabled: bool,
}

impl Writer<'_> {
    /// Writes the run up to `end`, which begins the next one.
    fn flush(&mut self, end: usize) {
        if self.enabled {
            self.message.extend_from_slice(self.chunk.get(self.run..end).unwrap_or_default());
        }
        self.run = end;
    }

    fn put(&mut self, octets: &[u8]) {
        if self.enabled {
            self.message.extend_from_slice(octets);
        }
    }
}
