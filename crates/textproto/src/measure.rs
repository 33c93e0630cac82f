//! How many octets a stored message has on the wire.

use memchr::{memchr, memchr_iter};

use crate::dot_stuffer::Position;

/// Counts the octets of a message in CRLF form, as `STAT` and `LIST` must state them
/// (RFC 1939 section 11): each line end as two octets, also the one that
/// [`DotStuffer::finish`](crate::DotStuffer::finish) adds; doubled dots and the final `.` not.
#[derive(Clone, Debug)]
pub struct Measure {
    position: Position,
    octets: u64,
}

impl Default for Measure {
    fn default() -> Self {
        Self::new()
    }
}

impl Measure {
    /// The measure of an empty message.
    #[must_use]
    pub fn new() -> Self {
        Self { position: Position::LineStart, octets: 0 }
    }

    /// Adds the next `chunk` of the message.
    pub fn add(&mut self, chunk: &[u8]) {
        let lone = if memchr(b'\r', chunk).is_none() {
            // The usual Maildir file: counting is faster than finding.
            let all = memchr_iter(b'\n', chunk).count();
            all - usize::from(self.position == Position::AfterCr && chunk.first() == Some(&b'\n'))
        } else {
            memchr_iter(b'\n', chunk).filter(|&lf| !self.is_after_cr(chunk, lf)).count()
        };
        self.octets += (chunk.len() + lone) as u64;
        self.position = self.position.after(chunk);
    }

    /// Octets of the message if it ends here.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets + if self.position == Position::LineStart { 0 } else { 2 }
    }

    fn is_after_cr(&self, chunk: &[u8], lf: usize) -> bool {
        match lf.checked_sub(1) {
            Some(previous) => chunk.get(previous) == Some(&b'\r'),
            None => self.position == Position::AfterCr,
        }
    }
}

/// Octets of a whole message in CRLF form: [`Measure`] in one step.
#[must_use]
pub fn measure(message: &[u8]) -> u64 {
    let mut measure = Measure::new();
    measure.add(message);
    measure.octets()
}
