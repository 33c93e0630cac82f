//! The frame of a record: forty octets that tell what follows and whether it is whole.
//!
//! ```text
//!  0 salt u64      random per segment: a message cannot contain a record of it by design
//!  8 kind u8, version u8, index u16     place in its batch
//! 12 count u16, 0 u16                   records in its batch
//! 16 batch u32                          batches in the segment count from 1
//! 20 meta length u32, body length u32
//! 28 CRC-32C of the body u32
//! 32 CRC-32C of octets 0..32, the meta and the record's offset u32, 0 u32
//! 40 meta, body, zeros to a multiple of 8
//! ```
//! Numbers are little-endian. Body and rest have checksums of their own, so that the session
//! that receives a body sums it up, not the one thread that writes, and so that an envelope
//! can be checked without reading the text.

/// Octets before the meta.
pub(crate) const HEADER: usize = 40;

/// Records in a batch, at most.
pub(crate) const BATCH_RECORDS: usize = 4096;

/// The format this code writes.
const VERSION: u8 = 1;

/// A batch begins at a multiple of this: what was flushed before is in blocks that are never
/// written again, so that a torn write cannot hurt it.
pub(crate) const BLOCK: u64 = 4096;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A message: envelope, and the text or where it is.
    Message,
    /// How far each recipient of a message is; the newest holds.
    State,
    /// A message is no longer queued.
    Finished,
    /// From some offset on a segment is void: writing there failed.
    Cut,
    /// So many batches of a segment were acknowledged.
    Seal,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Message => 1,
            Self::State => 2,
            Self::Finished => 3,
            Self::Cut => 4,
            Self::Seal => 5,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Message, Self::State, Self::Finished, Self::Cut, Self::Seal]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// A record's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) index: u16,
    pub(crate) count: u16,
    pub(crate) batch: u32,
    pub(crate) meta_len: u32,
    pub(crate) body_len: u32,
    pub(crate) body_crc: u32,
}

impl Header {
    /// The frame as stored at `offset`, in front of `meta`.
    pub(crate) fn seal(&self, salt: u64, offset: u64, meta: &[u8]) -> [u8; HEADER] {
        let mut frame = [0; HEADER];
        frame[0..8].copy_from_slice(&salt.to_le_bytes());
        frame[8] = self.kind.code();
        frame[9] = VERSION;
        frame[10..12].copy_from_slice(&self.index.to_le_bytes());
        frame[12..14].copy_from_slice(&self.count.to_le_bytes());
        frame[16..20].copy_from_slice(&self.batch.to_le_bytes());
        frame[20..24].copy_from_slice(&self.meta_len.to_le_bytes());
        frame[24..28].copy_from_slice(&self.body_len.to_le_bytes());
        frame[28..32].copy_from_slice(&self.body_crc.to_le_bytes());
        let crc = checksum(&frame, meta, offset);
        frame[32..36].copy_from_slice(&crc.to_le_bytes());
        frame
    }

    /// The lengths and kind of what may be a frame; [`Self::holds`] tells whether it is one.
    pub(crate) fn parse(frame: &[u8; HEADER], salt: u64) -> Option<Self> {
        let u16_at = |at: usize| u16::from_le_bytes([frame[at], frame[at + 1]]);
        let u32_at = |at: usize| {
            u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]])
        };
        if frame[0..8] != salt.to_le_bytes() || frame[9] != VERSION {
            return None;
        }
        let header = Self {
            kind: Kind::from_code(frame[8])?,
            index: u16_at(10),
            count: u16_at(12),
            batch: u32_at(16),
            meta_len: u32_at(20),
            body_len: u32_at(24),
            body_crc: u32_at(28),
        };
        (header.index < header.count && header.batch > 0).then_some(header)
    }

    /// Whether frame and meta are as they were written at `offset`.
    pub(crate) fn holds(frame: &[u8; HEADER], meta: &[u8], offset: u64) -> bool {
        let stored = u32::from_le_bytes([frame[32], frame[33], frame[34], frame[35]]);
        stored == checksum(frame, meta, offset) && frame[36..40] == [0; 4]
    }

    /// Octets of the whole record, a multiple of 8.
    pub(crate) fn span(&self) -> u64 {
        span(self.meta_len, self.body_len)
    }
}

fn checksum(frame: &[u8; HEADER], meta: &[u8], offset: u64) -> u32 {
    let crc = crc32c::crc32c(&frame[..32]);
    let crc = crc32c::crc32c_append(crc, meta);
    crc32c::crc32c_append(crc, &offset.to_le_bytes())
}

/// Octets that a record takes in the log.
pub(crate) fn span(meta_len: u32, body_len: u32) -> u64 {
    (HEADER as u64 + u64::from(meta_len) + u64::from(body_len)).next_multiple_of(8)
}
