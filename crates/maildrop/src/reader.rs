//! A message on its way out of the file, as it is stored.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::{Errno, ReadWriteFlags};

use crate::cached::Usable;

/// Sizes that turned out to be other than announced: (index, octets).
pub(crate) type Corrections = Arc<Mutex<Vec<(usize, u64)>>>;

/// Reads one message, as stored (lines end with LF or CRLF, nothing is stuffed).
///
/// It gives exactly as many octets as the file had when it was opened: if another program makes
/// it longer, the rest is left out; if it gets shorter, reading fails with `UnexpectedEof` rather
/// than end early, and the message must not be ended as if it were whole.
///
/// As [`io::Read`] it waits for the disk. [`read_cached`](Self::read_cached) does not, and both
/// may be used by turns.
#[derive(Debug)]
pub struct MessageReader {
    file: OwnedFd,
    size: u64,
    /// Octets read so far.
    done: u64,
    index: usize,
    announced: u64,
    corrections: Corrections,
    cache: Arc<Usable>,
}

impl MessageReader {
    pub(crate) fn new(
        file: OwnedFd,
        size: u64,
        index: usize,
        announced: u64,
        corrections: Corrections,
        cache: Arc<Usable>,
    ) -> Self {
        Self { file, size, done: 0, index, announced, corrections, cache }
    }

    /// Octets of the file as stored, which is how many will be read.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Octets that are still to be read.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.size - self.done
    }

    /// Reads the next octets into `buffer` if they are at hand in memory; returns how many, 0
    /// only at the end. `None`: that would mean to wait, or to report an error; read by
    /// [`io::Read`] then, where that may block.
    pub fn read_cached(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let buffer = self.wanted(buffer);
        if buffer.is_empty() {
            return Some(0);
        }
        if !self.cache.load(Ordering::Relaxed) {
            return None;
        }
        let mut parts = [io::IoSliceMut::new(buffer)];
        match rustix::io::preadv2(&self.file, &mut parts, self.done, ReadWriteFlags::NOWAIT) {
            // Nothing at all may be the end of a file that has become shorter, or a kernel that
            // says so where it means "not at hand" (Linux 5.9 and 5.10).
            Ok(0) => None,
            Ok(read) => {
                self.done += read as u64;
                Some(read)
            }
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                self.cache.store(false, Ordering::Relaxed);
                None
            }
            Err(_) => None,
        }
    }

    /// Tells how many octets the whole message was in CRLF form, by the sender's count
    /// (RFC 1939 section 11). If something else was announced, the right size is kept for the
    /// next session.
    pub fn note_octets(&mut self, counted: u64) {
        if counted == self.announced {
            return;
        }
        tracing::warn!(
            event = "size-corrected",
            message = self.index + 1,
            announced = self.announced,
            counted
        );
        self.announced = counted;
        let mut corrections = self.corrections.lock().unwrap_or_else(PoisonError::into_inner);
        corrections.push((self.index, counted));
    }

    /// As much of `buffer` as may be filled.
    fn wanted<'a>(&self, buffer: &'a mut [u8]) -> &'a mut [u8] {
        let room = buffer.len();
        let wanted = usize::try_from(self.left()).unwrap_or(room).min(room);
        buffer.get_mut(..wanted).unwrap_or_default()
    }
}

impl io::Read for MessageReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let buffer = self.wanted(buffer);
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = loop {
            match rustix::io::pread(&self.file, &mut *buffer, self.done) {
                Err(Errno::INTR) => {}
                other => break other?,
            }
        };
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.done += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::sync::atomic::AtomicBool;

    const MESSAGE: usize = 300_000;

    fn reader(path: &std::path::Path, size: u64, cached: bool) -> MessageReader {
        let file = std::fs::File::open(path).unwrap().into();
        MessageReader::new(file, size, 0, 0, Arc::default(), Arc::new(AtomicBool::new(cached)))
    }

    fn message() -> (tempfile::NamedTempFile, Vec<u8>) {
        let octets: Vec<u8> = (0..MESSAGE).map(|n| (n * 7 % 251) as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, &octets).unwrap();
        (file, octets)
    }

    #[test]
    fn both_ways_by_turns_give_the_message_once() {
        let (file, octets) = message();
        for (pattern, size) in [(0b1_u32, 70_000), (0b01, 1), (0b0110, 8191), (0b0, 1 << 20)] {
            let mut reader = reader(file.path(), MESSAGE as u64, true);
            let (mut got, mut block) = (Vec::new(), vec![0; size]);
            for turn in 0.. {
                let cached = pattern >> (turn % 4) & 1 == 1;
                let read = match cached.then(|| reader.read_cached(&mut block)).flatten() {
                    Some(read) => read,
                    None => reader.read(&mut block).unwrap(),
                };
                if read == 0 {
                    break;
                }
                got.extend_from_slice(&block[..read]);
                assert_eq!(reader.left(), (MESSAGE - got.len()) as u64);
                // Octet by octet is tried on the first ones only.
                block.resize(if got.len() > 5000 { size.max(50_000) } else { size }, 0);
            }
            assert!(got == octets, "{pattern:b} {size}");
            assert_eq!(reader.read_cached(&mut block), Some(0));
            assert_eq!(reader.read(&mut block).unwrap(), 0);
        }
    }

    #[test]
    fn no_more_is_read_than_the_file_had_and_no_room_is_no_end() {
        let (file, octets) = message();
        let mut reader = reader(file.path(), 1000, true);
        assert_eq!(reader.read_cached(&mut []), Some(0));
        assert_eq!(reader.left(), 1000);
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        assert_eq!(got, octets[..1000]);
    }

    #[test]
    fn a_way_that_is_closed_is_not_tried() {
        let (file, octets) = message();
        let mut reader = reader(file.path(), MESSAGE as u64, false);
        let mut block = [0; 100];
        assert_eq!(reader.read_cached(&mut block), None);
        assert_eq!(reader.read(&mut block).unwrap(), 100);
        assert_eq!(block, octets[..100]);
    }

    #[test]
    fn a_file_that_cannot_say_whether_it_waits_closes_the_way() {
        // Its file system has no such reads.
        let mut reader = reader("/proc/version".as_ref(), 6, true);
        let mut block = [0; 6];
        assert_eq!(reader.read_cached(&mut block), None);
        assert!(!reader.cache.load(Ordering::Relaxed));
        assert_eq!((reader.read(&mut block).unwrap(), &block), (6, b"Linux "));
    }

    #[test]
    fn only_another_size_is_a_correction_and_it_is_told_once() {
        let (file, _) = message();
        let mut reader = reader(file.path(), MESSAGE as u64, true);
        reader.note_octets(0);
        reader.note_octets(7);
        reader.note_octets(7);
        assert_eq!(*reader.corrections.lock().unwrap(), [(0, 7)]);
    }
}
