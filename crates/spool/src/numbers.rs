//! The source of queue IDs: numbers in blocks, reserved on disk before any is given.

use std::fs;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::QueueId;
use crate::layer::{Layer, write_all_at};
use crate::names::Names;

/// Numbers reserved at once. A start takes a new block, and a block lasts 2^30 messages.
const BLOCK: u64 = 1 << 30;

/// Numbers left at which the next block is reserved, long before the last is given.
const LOW: u64 = BLOCK / 2;

const FILE: &str = "reserved";

/// Gives each number once.
///
/// Numbers begin at the larger of what the file `reserved` and the log have seen and of the
/// seconds since 1970 times 2^30, so that not even a spool made anew repeats old names.
#[derive(Debug)]
pub(crate) struct Numbers {
    next: AtomicU64,
    reserved: AtomicU64,
}

impl Numbers {
    /// Reserves a block behind `seen`, the largest number in the log. The second value says
    /// whether the file `reserved` was there but could not be used.
    pub(crate) fn open(
        layer: &dyn Layer,
        names: &Names,
        directory: &Path,
        seen: u64,
        now: Timestamp,
    ) -> io::Result<(Self, bool)> {
        let stored = match fs::read_to_string(directory.join(FILE)) {
            Ok(text) => parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(0),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => None,
            Err(error) => return Err(error),
        };
        let by_clock = u64::try_from(now.as_second()).unwrap_or(0).saturating_mul(BLOCK);
        let first = stored.unwrap_or(0).max(by_clock).max(seen.saturating_add(1)).max(1);
        let reserved = first.checked_add(BLOCK).ok_or(io::ErrorKind::FileTooLarge)?;
        store(layer, names, directory, reserved)?;
        let numbers = Self { next: AtomicU64::new(first), reserved: AtomicU64::new(reserved) };
        Ok((numbers, stored.is_none()))
    }

    /// The next ID; `None` if the reserved block is used up, because the next one could not be
    /// reserved for half a block.
    pub(crate) fn take(&self) -> Option<QueueId> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.reserved.load(Ordering::Acquire)).then(|| QueueId::from_u64(number))
    }

    /// Reserves another block if less than half of one is left. Called by one thread.
    pub(crate) fn top_up(
        &self,
        layer: &dyn Layer,
        names: &Names,
        directory: &Path,
    ) -> io::Result<()> {
        let reserved = self.reserved.load(Ordering::Acquire);
        if reserved.saturating_sub(self.next.load(Ordering::Relaxed)) > LOW {
            return Ok(());
        }
        let more = reserved.checked_add(BLOCK).ok_or(io::ErrorKind::FileTooLarge)?;
        store(layer, names, directory, more)?;
        self.reserved.store(more, Ordering::Release);
        Ok(())
    }
}

fn parse(text: &str) -> Option<u64> {
    let (number, crc) = text.strip_suffix('\n')?.split_once(' ')?;
    let whole = u32::from_str_radix(crc, 16).ok()? == crc32c::crc32c(number.as_bytes());
    if whole { number.parse().ok() } else { None }
}

fn store(layer: &dyn Layer, names: &Names, directory: &Path, reserved: u64) -> io::Result<()> {
    let path: PathBuf = directory.join(FILE);
    let unfinished = path.with_extension("new");
    let number = reserved.to_string();
    let text = format!("{number} {:08x}\n", crc32c::crc32c(number.as_bytes()));
    layer.remove(&unfinished)?;
    let file = layer.create(&unfinished)?;
    write_all_at(layer, &file, &mut [IoSlice::new(text.as_bytes())], 0)?;
    layer.sync(&file)?;
    let begun = names.begin();
    layer.rename(&unfinished, &path)?;
    names.flush(layer, begun)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Disk;

    #[test]
    fn no_number_repeats_across_starts_and_a_clock_that_steps_back() {
        let directory = tempfile::tempdir().unwrap();
        let names = Names::new(directory.path());
        let mut last = QueueId::from_u64(0);
        for second in [1_700_000_000, 1_700_000_000, 1_600_000_000, 0, -5] {
            let now = Timestamp::from_second(second).unwrap();
            let (numbers, unusable) =
                Numbers::open(&Disk, &names, directory.path(), 0, now).unwrap();
            assert!(!unusable);
            for _ in 0..100 {
                let id = numbers.take().unwrap();
                assert!(id > last, "{id} came after {last}");
                last = id;
            }
        }
    }

    #[test]
    fn a_broken_file_is_reported_and_the_log_still_counts() {
        let directory = tempfile::tempdir().unwrap();
        let names = Names::new(directory.path());
        for rubbish in ["", "12", "12 00000000\n", "x y\n", "99999999999999999999 0\n"] {
            fs::write(directory.path().join(FILE), rubbish).unwrap();
            let opened = Numbers::open(&Disk, &names, directory.path(), 77, Timestamp::UNIX_EPOCH);
            let (numbers, unusable) = opened.unwrap();
            assert!(unusable, "{rubbish:?}");
            assert_eq!(numbers.take().unwrap().as_u64(), 78);
        }
    }

    #[test]
    fn the_block_is_extended_before_it_ends_and_never_overrun() {
        let directory = tempfile::tempdir().unwrap();
        let names = Names::new(directory.path());
        let numbers = Numbers { next: AtomicU64::new(1), reserved: AtomicU64::new(3) };
        assert_eq!(numbers.take().map(QueueId::as_u64), Some(1));
        assert_eq!(numbers.take().map(QueueId::as_u64), Some(2));
        assert_eq!(numbers.take(), None);
        numbers.top_up(&Disk, &names, directory.path()).unwrap();
        assert_eq!(numbers.take().map(QueueId::as_u64), Some(4));
        let text = fs::read_to_string(directory.path().join(FILE)).unwrap();
        assert_eq!(parse(&text), Some(3 + BLOCK));
        numbers.top_up(&Disk, &names, directory.path()).unwrap();
        assert_eq!(numbers.reserved.load(Ordering::Acquire), 3 + BLOCK);
    }
}
