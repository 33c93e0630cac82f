//! A message on its way out of the file, as it is stored.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use textproto::Measure;

/// Octets read at a time.
const BLOCK: usize = 128 * 1024;

/// Sizes that turned out to be other than announced: (index, octets).
pub(crate) type Corrections = Arc<Mutex<Vec<(usize, u64)>>>;

/// Reads one message, as stored (lines end with LF or CRLF, nothing is stuffed).
///
/// It gives exactly as many octets as the file had when it was opened: if another program makes
/// it longer, the rest is left out; if it gets shorter, reading fails rather than end early.
/// When the message has been read to its end, its size is compared with what was announced, and
/// the right one is kept for the next session.
#[derive(Debug)]
pub struct MessageReader {
    file: OwnedFd,
    size: u64,
    left: u64,
    measure: Measure,
    index: usize,
    announced: u64,
    corrections: Corrections,
}

impl MessageReader {
    pub(crate) fn new(
        file: OwnedFd,
        size: u64,
        index: usize,
        announced: u64,
        corrections: Corrections,
    ) -> Self {
        Self { file, size, left: size, measure: Measure::new(), index, announced, corrections }
    }

    /// Octets of the file as stored, which is how many will be read.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends the next block of the message to `out`: usually 128 KiB, more only if `out` has
    /// room for more already. `Ok(true)`: there is more to read; `Ok(false)`: that was the end.
    ///
    /// # Errors
    /// What the system says, or `UnexpectedEof` if the file has become shorter. The message is
    /// incomplete then and must not be ended as if it were whole.
    pub fn read_chunk(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        if self.left > 0 {
            let block = usize::try_from(self.left).unwrap_or(BLOCK).min(BLOCK);
            out.reserve(block);
            let start = out.len();
            let read = loop {
                match rustix::io::read(&self.file, spare_capacity(out)) {
                    Err(Errno::INTR) => {}
                    other => break other?,
                }
            };
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let wanted = usize::try_from(self.left).unwrap_or(read).min(read);
            out.truncate(start + wanted);
            self.measure.add(out.get(start..).unwrap_or_default());
            self.left -= wanted as u64;
        }
        if self.left == 0 {
            self.compare();
        }
        Ok(self.left > 0)
    }

    fn compare(&mut self) {
        let octets = self.measure.octets();
        if octets != self.announced {
            tracing::warn!(
                event = "size-corrected",
                message = self.index + 1,
                announced = self.announced,
                counted = octets
            );
            // Known once is enough, however often the end is asked for.
            self.announced = octets;
            let mut corrections = self.corrections.lock().unwrap_or_else(PoisonError::into_inner);
            corrections.push((self.index, octets));
        }
    }
}
