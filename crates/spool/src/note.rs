//! Payloads of the records that are about other segments: a message's end, a void tail, a
//! seal. Each must live as long as the segments it is about.

use crate::QueueId;
use crate::codec::{Decoder, Encoder, Malformed};

/// The end of a message, and the segments that still hold a record of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) id: QueueId,
    pub(crate) targets: Vec<u32>,
}

impl Finished {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(12 + 4 * self.targets.len());
        out.u64(self.id.as_u64()).u32(self.targets.len() as u32);
        for target in &self.targets {
            out.u32(*target);
        }
        out.finish()
    }

    pub(crate) fn decode(meta: &[u8]) -> Result<Self, Malformed> {
        let mut from = Decoder::new(meta);
        let id = QueueId::from_u64(from.u64()?);
        let count = from.u32()? as usize;
        if count != from.remaining() / 4 || !from.remaining().is_multiple_of(4) {
            return Err(Malformed);
        }
        let mut targets = Vec::with_capacity(count);
        for _ in 0..count {
            targets.push(from.u32()?);
        }
        Ok(Self { id, targets })
    }
}

/// Everything from `from` on in segment `generation` is void: writing or flushing it failed
/// and those who waited were told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) generation: u32,
    pub(crate) from: u32,
}

impl Cut {
    pub(crate) fn encode_all(cuts: &[Self]) -> Vec<u8> {
        let mut out = Encoder::with_capacity(8 * cuts.len());
        for cut in cuts {
            out.u32(cut.generation).u32(cut.from);
        }
        out.finish()
    }

    pub(crate) fn decode_all(meta: &[u8]) -> Result<Vec<Self>, Malformed> {
        if !meta.len().is_multiple_of(8) {
            return Err(Malformed);
        }
        let mut from = Decoder::new(meta);
        let mut cuts = Vec::with_capacity(meta.len() / 8);
        while from.remaining() > 0 {
            cuts.push(Self { generation: from.u32()?, from: from.u32()? });
        }
        Ok(cuts)
    }
}

/// The first `batches` batches of segment `generation`, which end at `tail`, were
/// acknowledged: if one of them does not read, that is damage and not a crash's torn tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    pub(crate) generation: u32,
    pub(crate) batches: u32,
    pub(crate) tail: u32,
}

impl Seal {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(12);
        out.u32(self.generation).u32(self.batches).u32(self.tail);
        out.finish()
    }

    pub(crate) fn decode(meta: &[u8]) -> Result<Self, Malformed> {
        let mut from = Decoder::new(meta);
        let seal = Self { generation: from.u32()?, batches: from.u32()?, tail: from.u32()? };
        if from.remaining() == 0 { Ok(seal) } else { Err(Malformed) }
    }
}
