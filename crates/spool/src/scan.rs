//! Reads the records of one segment in order, steps over what does not read, and tells
//! whether that is a crash's torn tail or damage to what had been acknowledged.
//!
//! A batch is written only after the batch before it has been flushed. So if a record of some
//! batch reads, every record of earlier batches must; what is missing there is damage. What is
//! missing of the last batch was never acknowledged, as far as the segment itself can tell;
//! the next segment begins with a [`Seal`](crate::note::Seal) that can tell more.

use std::io;
use std::os::unix::fs::FileExt;

use crate::record::{BLOCK, HEADER, Header};
use crate::segment::{FIRST_RECORD, Segment};

/// Octets read at once.
const WINDOW: usize = 1024 * 1024;

/// A stretch without a record that should have had one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: u64,
    pub(crate) until: u64,
    /// The batch of the first record that is missing.
    pub(crate) batch: u32,
}

/// What a scan found beside the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    pub(crate) gaps: Vec<Gap>,
    /// End of the last record that reads.
    pub(crate) tail: u64,
    /// The last batch of which a record reads; 0: none.
    pub(crate) batches: u32,
    /// Where the first such record lies.
    pub(crate) last_batch: u64,
    /// Whether all records of that batch read.
    pub(crate) complete: bool,
    /// Octets that the disk refused to read.
    pub(crate) unreadable: u64,
}

impl Scan {
    /// The last batch that must have been acknowledged, as far as this segment can tell.
    pub(crate) fn acknowledged(&self) -> u32 {
        if self.complete { self.batches } else { self.batches.saturating_sub(1) }
    }
}

/// A record that reads.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    pub(crate) header: Header,
    pub(crate) offset: u64,
    pub(crate) meta: &'a [u8],
}

/// Reads records from the front to `limit` (or the end), giving each to `each`.
pub(crate) fn scan(segment: &Segment, limit: u64, mut each: impl FnMut(Found<'_>)) -> Scan {
    let mut window = Window::new(segment, limit.min(segment.size));
    let mut scan = Scan { tail: FIRST_RECORD, complete: true, ..Scan::default() };
    let mut expected = (1, 0);
    let mut at = FIRST_RECORD;
    loop {
        if expected.1 == 0 {
            at = at.next_multiple_of(BLOCK);
        }
        let header = match window.record(at) {
            Some(header) => header,
            None => match window.search(at + 8) {
                Some((offset, header)) => {
                    scan.gaps.push(Gap { from: at, until: offset, batch: expected.0 });
                    at = offset;
                    header
                }
                None => break,
            },
        };
        each(Found { header, offset: at, meta: window.meta(at, &header) });
        if scan.batches != header.batch {
            scan.last_batch = at;
        }
        at += header.span();
        scan.tail = at;
        scan.batches = header.batch;
        expected = if header.index + 1 == header.count {
            (header.batch.saturating_add(1), 0)
        } else {
            (header.batch, header.index + 1)
        };
    }
    scan.complete = expected.1 == 0 && scan.gaps.iter().all(|gap| gap.batch < scan.batches);
    if let Some(until) = window.last_frame(at) {
        scan.gaps.push(Gap { from: at.min(until), until, batch: expected.0 });
    }
    if window.unreadable > 0 && scan.gaps.is_empty() {
        scan.gaps.push(Gap { from: scan.tail, until: window.limit, batch: expected.0 });
    }
    scan.unreadable = window.unreadable;
    scan
}

/// Reads the first record alone.
pub(crate) fn first(segment: &Segment) -> Option<(Header, Vec<u8>)> {
    let mut window = Window::new(segment, segment.size);
    let header = window.record(FIRST_RECORD)?;
    let meta = window.meta(FIRST_RECORD, &header).to_vec();
    Some((header, meta))
}

/// A sliding piece of the file in memory.
#[derive(Debug)]
struct Window<'a> {
    segment: &'a Segment,
    limit: u64,
    start: u64,
    octets: Vec<u8>,
    unreadable: u64,
}

impl<'a> Window<'a> {
    fn new(segment: &'a Segment, limit: u64) -> Self {
        Self { segment, limit, start: 0, octets: Vec::new(), unreadable: 0 }
    }

    /// The octets from `at`, `length` of them; empty where the file has not so many.
    fn get(&mut self, at: u64, length: usize) -> &[u8] {
        if at.checked_add(length as u64).is_none_or(|end| end > self.limit) {
            return &[];
        }
        let inside =
            at >= self.start && at + length as u64 <= self.start + self.octets.len() as u64;
        if !inside {
            let want = (length.max(WINDOW) as u64).min(self.limit - at);
            self.start = at;
            self.octets.resize(want as usize, 0);
            if let Err(error) = self.segment.file.read_exact_at(&mut self.octets, at) {
                self.read_in_blocks(&error);
            }
        }
        let from = (at - self.start) as usize;
        self.octets.get(from..from + length).unwrap_or(&[])
    }

    /// Reads what can be read; the rest becomes octets that are no record.
    fn read_in_blocks(&mut self, error: &io::Error) {
        tracing::error!(
            target: "lastpost::spool",
            segment = self.segment.generation, at = self.start, %error,
            "spool: the log does not read; trying block by block"
        );
        let mut at = self.start;
        for block in self.octets.chunks_mut(BLOCK as usize) {
            if self.segment.file.read_exact_at(block, at).is_err() {
                block.fill(0xff);
                self.unreadable += block.len() as u64;
            }
            at += block.len() as u64;
        }
    }

    /// The record at `at`, if there is a whole one.
    fn record(&mut self, at: u64) -> Option<Header> {
        let salt = self.segment.salt;
        let frame: [u8; HEADER] = self.get(at, HEADER).try_into().ok()?;
        let header = Header::parse(&frame, salt)?;
        let length = usize::try_from(header.span()).ok()?;
        let whole = self.get(at, length);
        let meta = whole.get(HEADER..HEADER + header.meta_len as usize)?;
        let body =
            whole.get(HEADER + meta.len()..HEADER + meta.len() + header.body_len as usize)?;
        let good = Header::holds(&frame, meta, at) && crc32c::crc32c(body) == header.body_crc;
        good.then_some(header)
    }

    /// The meta of the record at `at`, which [`Self::record`] has found whole.
    fn meta(&mut self, at: u64, header: &Header) -> &[u8] {
        let whole = self.get(at, HEADER + header.meta_len as usize);
        whole.get(HEADER..).unwrap_or(&[])
    }

    /// The first whole record at or behind `at`.
    fn search(&mut self, at: u64) -> Option<(u64, Header)> {
        let mut at = at.next_multiple_of(8);
        let salt = self.segment.salt.to_le_bytes();
        while at + HEADER as u64 <= self.limit {
            let length = ((self.limit - at) as usize / 8 * 8).min(WINDOW / 4);
            let hit = self.get(at, length).chunks_exact(8).position(|word| word == salt);
            let Some(words) = hit else {
                at += length.max(8) as u64;
                continue;
            };
            at += 8 * words as u64;
            if let Some(header) = self.record(at) {
                return Some((at, header));
            }
            at += 8;
        }
        None
    }

    /// The end of the last thing behind `at` that looks like the begin of a record; `None`:
    /// nothing does. What else is there is zeros, or an earlier life of the file.
    fn last_frame(&mut self, at: u64) -> Option<u64> {
        let (mut at, mut last) = (at.next_multiple_of(8), None);
        let salt = self.segment.salt.to_le_bytes();
        while at + 8 <= self.limit {
            let length = ((self.limit - at) as usize / 8 * 8).min(WINDOW / 4);
            let piece = self.get(at, length);
            if let Some(word) = piece.chunks_exact(8).rposition(|word| word == salt) {
                let end = at + 8 * word as u64 + HEADER as u64;
                last = Some(end.min(self.limit));
            }
            at += length as u64;
        }
        last
    }
}
