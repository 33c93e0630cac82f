//! The exact size of a message that nobody has counted yet.

use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use textproto::Measure;

use crate::merge::Size;
use crate::tree::{Directories, Place, open_message};

/// Octets read at a time.
const BLOCK: usize = 64 * 1024;

/// Counts messages, reusing one buffer.
#[derive(Default)]
pub(crate) struct Counter {
    buffer: Vec<u8>,
    /// Files counted.
    pub(crate) files: usize,
    /// Octets read for it.
    pub(crate) octets: u64,
    /// Files that could not be read.
    pub(crate) unreadable: usize,
}

impl Counter {
    /// The size of the message `name` (RFC 1939 section 11: in CRLF form).
    pub(crate) fn count(&mut self, directories: &Directories, place: Place, name: &[u8]) -> Size {
        let directory = directories.get(place);
        let (stored, counted) = match open_message(directory, name) {
            Ok((file, stat)) => (u64::try_from(stat.st_size).unwrap_or(0), self.read(&file)),
            Err(Errno::NOENT | Errno::STALE) => return Size::Vanished,
            Err(errno) => {
                let stat =
                    rustix::fs::statat(directory, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
                (stat.map_or(0, |s| u64::try_from(s.st_size).unwrap_or(0)), Err(errno))
            }
        };
        match counted {
            Ok(octets) => {
                self.files += 1;
                Size::Counted(octets)
            }
            Err(errno) => {
                let name = String::from_utf8_lossy(name);
                tracing::warn!(event = "message-unreadable", directory = place.name(), file = ?name, error = %errno);
                self.unreadable += 1;
                Size::Unreadable(stored)
            }
        }
    }

    fn read(&mut self, file: &OwnedFd) -> Result<u64, Errno> {
        let mut measure = Measure::new();
        self.buffer.reserve(BLOCK);
        loop {
            self.buffer.clear();
            match rustix::io::read(file, spare_capacity(&mut self.buffer)) {
                Ok(0) => return Ok(measure.octets()),
                Ok(read) => {
                    measure.add(&self.buffer);
                    self.octets += read as u64;
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}
