//! A batch on its way to disk: the records chosen, their frames, and one vectored write of
//! them in which no text is copied.

use std::io::{self, IoSlice};
use std::ops::Range;

use crate::layer::{Layer, write_all_at};
use crate::record::{HEADER, Header, Kind};
use crate::request::Request;
use crate::segment::Segment;

/// A record that belongs to the batch.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) request: Request,
    pub(crate) kind: Kind,
    pub(crate) offset: u64,
}

impl Planned {
    pub(crate) fn meta_len(&self) -> u32 {
        u32::try_from(self.request.meta.len()).unwrap_or(u32::MAX)
    }
}

/// Records chosen for one write, at consecutive offsets.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) planned: Vec<Planned>,
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// How many of the first records nobody asked for.
    pub(crate) introduced: usize,
}

impl Batch {
    pub(crate) fn at(start: u64) -> Self {
        Self { planned: Vec::new(), start, end: start, introduced: 0 }
    }

    /// Adds a record at the end.
    pub(crate) fn push(&mut self, request: Request, kind: Kind) {
        let planned = Planned { request, kind, offset: self.end };
        self.end += crate::record::span(planned.meta_len(), planned.request.body.octets);
        self.planned.push(planned);
    }

    /// Writes all records with one call (or as few as the system allows) and flushes them.
    pub(crate) fn write(
        &self,
        layer: &dyn Layer,
        segment: &Segment,
        number: u32,
        heads: &mut Vec<u8>,
    ) -> io::Result<()> {
        let ranges = self.frame(segment.salt, number, heads);
        let mut slices = Vec::with_capacity(self.planned.len() * 4);
        for (planned, range) in self.planned.iter().zip(ranges) {
            slices.push(IoSlice::new(&heads[range]));
            slices.extend(planned.request.body.chunks.iter().map(|chunk| IoSlice::new(chunk)));
        }
        write_all_at(layer, &segment.file, &mut slices, self.start)?;
        layer.sync(&segment.file)
    }

    /// Puts into `heads`, for each record, the padding of the record before, frame and meta.
    fn frame(&self, salt: u64, number: u32, heads: &mut Vec<u8>) -> Vec<Range<usize>> {
        heads.clear();
        let count = self.planned.len() as u16;
        let mut ranges = Vec::with_capacity(self.planned.len());
        let mut at = self.start;
        for (index, planned) in self.planned.iter().enumerate() {
            let Request { meta, body, .. } = &planned.request;
            let header = Header {
                kind: planned.kind,
                index: index as u16,
                count,
                batch: number,
                meta_len: planned.meta_len(),
                body_len: body.octets,
                body_crc: body.crc,
            };
            let begin = heads.len();
            let padding = (planned.offset - at) as usize;
            heads.resize(begin + padding, 0);
            heads.extend_from_slice(&header.seal(salt, planned.offset, meta));
            heads.extend_from_slice(meta);
            ranges.push(begin..heads.len());
            at = planned.offset + (HEADER + meta.len()) as u64 + u64::from(body.octets);
        }
        ranges
    }

    /// Whether it holds nothing that anybody asked for.
    pub(crate) fn is_idle(&self) -> bool {
        self.planned.len() == self.introduced
    }
}
