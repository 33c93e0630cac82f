//! Mail data: handed on in blocks, judged at its true end.

use alloc::vec::Vec;

use envelope::Coding;
use textproto::{ChunkReader, DataFault, DataStep, DotReader};

use super::chunk::Chunk;
use super::command::Verb;
use super::parameters::Parameters;
use super::reply::Reply;
use super::state::{Daemon, Greeted};

/// Why a message is refused whose end was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A CR without LF.
    LoneCr,
    /// An LF without CR, where the listener refuses them.
    LoneLf,
    /// More octets than allowed.
    TooLarge,
    /// More chunks than a message of its size can need.
    Crumbs,
}

impl Flaw {
    /// A stable word for the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::LoneCr => "lone-cr",
            Self::LoneLf => "lone-lf",
            Self::TooLarge => "too-large",
            Self::Crumbs => "tiny-chunks",
        }
    }

    pub(crate) const fn reply(self) -> Reply {
        match self {
            Self::LoneCr => {
                Reply::fixed(550, "5.5.2", "The message holds a CR that is not followed by LF")
            }
            Self::LoneLf => {
                Reply::fixed(550, "5.5.2", "The message holds an LF that does not follow a CR")
            }
            Self::TooLarge => Reply::MESSAGE_TOO_LARGE,
            Self::Crumbs => {
                Reply::fixed(554, "5.5.0", "The message comes in too many small chunks")
            }
        }
    }
}

impl From<DataFault> for Flaw {
    fn from(fault: DataFault) -> Self {
        match fault {
            DataFault::LoneCr => Self::LoneCr,
            DataFault::LoneLf => Self::LoneLf,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Reading,
    /// A chunk has ended that is not the last.
    ChunkEnded,
    /// The next `BDAT` must come.
    BetweenChunks,
    Ended,
    /// Far too much, and no end in sight.
    Overrun,
}

/// How the end is found.
#[derive(Debug)]
enum Reader {
    /// After `DATA`: by the dot.
    Dots(DotReader),
    /// After `BDAT`: by counting.
    Chunks(ChunkReader),
}

/// Mail data is coming in.
pub(crate) struct Receiving<D: Daemon> {
    pub(crate) greeted: Greeted<D>,
    pub(crate) message: D::Message,
    pub(crate) flaw: Option<Flaw>,
    pub(crate) progress: Progress,
    /// Whether the present chunk is the last.
    last: bool,
    chunks: u32,
    reader: Reader,
    /// Octets that came in, stuffing and all.
    received: u64,
    /// Octets of the present chunk that are still to come.
    remaining: u64,
}

/// Chunks that a message may have whatever its size, and octets that pay for a further one.
const CHUNKS_FREE: u64 = 100;
const OCTETS_A_CHUNK: u64 = 256;

impl<D: Daemon> Receiving<D> {
    /// Mail data after `DATA`, or from the first `chunk` on.
    pub(crate) fn new(
        greeted: Greeted<D>,
        message: D::Message,
        (coding, chunk): (Coding, Option<Chunk>),
        parameters: &Parameters,
    ) -> Self {
        let reader = match (chunk, coding) {
            (None, _) => Reader::Dots(DotReader::new(parameters.lone_lf)),
            (Some(_), Coding::Binary) => Reader::Chunks(ChunkReader::binary()),
            (Some(_), Coding::SevenBit | Coding::EightBit) => {
                Reader::Chunks(ChunkReader::text(parameters.lone_lf))
            }
        };
        let mut receiving = Self {
            greeted,
            message,
            flaw: None,
            progress: Progress::Reading,
            last: false,
            chunks: 0,
            reader,
            received: 0,
            remaining: 0,
        };
        if let Some(chunk) = chunk {
            receiving.begin(chunk, parameters.message_octets_max);
        }
        receiving
    }

    /// The next chunk begins.
    pub(crate) fn begin(&mut self, chunk: Chunk, octets_max: u64) {
        self.chunks = self.chunks.saturating_add(1);
        self.remaining = chunk.octets;
        self.last = chunk.last;
        if self.received.saturating_add(chunk.octets) > received_max(octets_max) {
            self.flaw = Some(Flaw::TooLarge);
            self.progress = Progress::Overrun;
            return;
        }
        if u64::from(self.chunks) > CHUNKS_FREE + self.received / OCTETS_A_CHUNK {
            self.flaw.get_or_insert(Flaw::Crumbs);
        }
        let nothing = chunk.octets == 0 && !chunk.last;
        self.progress = if nothing { Progress::ChunkEnded } else { Progress::Reading };
    }

    /// Which command the message came with.
    pub(crate) const fn verb(&self) -> Verb {
        match self.reader {
            Reader::Dots(_) => Verb::Data,
            Reader::Chunks(_) => Verb::Bdat,
        }
    }

    /// Whether nothing need be read to go on.
    pub(crate) const fn is_all_here(&self) -> bool {
        matches!(self.reader, Reader::Chunks(_)) && self.remaining == 0
    }

    /// Octets of the message, once it has ended.
    pub(crate) const fn octets(&self) -> u64 {
        match &self.reader {
            Reader::Dots(reader) => reader.octets(),
            Reader::Chunks(reader) => reader.octets(),
        }
    }

    fn read(&mut self, input: &[u8], block: &mut Vec<u8>, octets_max: u64) -> usize {
        if self.progress != Progress::Reading {
            return 0;
        }
        let before = block.len();
        let (consumed, fault) = match &mut self.reader {
            Reader::Dots(reader) => {
                let consumed = match reader.read(input, block) {
                    DataStep::More => input.len(),
                    DataStep::End { consumed, .. } => {
                        self.progress = Progress::Ended;
                        consumed
                    }
                };
                (consumed, reader.fault())
            }
            Reader::Chunks(reader) => {
                let fits = usize::try_from(self.remaining).unwrap_or(usize::MAX);
                let piece = input.get(..fits).unwrap_or(input);
                reader.read(piece, block);
                self.remaining = self.remaining.saturating_sub(piece.len() as u64);
                if self.remaining == 0 && self.last {
                    reader.finish(block);
                    self.progress = Progress::Ended;
                } else if self.remaining == 0 {
                    self.progress = Progress::ChunkEnded;
                }
                (piece.len(), reader.fault())
            }
        };
        let too_large = (self.octets() > octets_max).then_some(Flaw::TooLarge);
        // However the input is cut, the same flaw is told.
        self.flaw = fault.map(Flaw::from).or(self.flaw).or(too_large);
        if self.flaw.is_some() {
            block.truncate(before);
        }
        self.received = self.received.saturating_add(consumed as u64);
        if self.progress == Progress::Reading && self.received > received_max(octets_max) {
            self.progress = Progress::Overrun;
        }
        consumed
    }
}

/// What a client may send in all before the connection is worth more than the message.
pub(crate) const fn received_max(octets_max: u64) -> u64 {
    octets_max.saturating_mul(2).saturating_add(1 << 20)
}

/// Mail data lies at the head of the input: to be taken by [`read`](Self::read).
#[must_use]
pub struct Body<'s, D: Daemon> {
    receiving: &'s mut Receiving<D>,
    octets_max: u64,
}

impl<'s, D: Daemon> Body<'s, D> {
    pub(crate) const fn new(receiving: &'s mut Receiving<D>, octets_max: u64) -> Self {
        Self { receiving, octets_max }
    }

    /// Takes mail data off the head of `input` and appends what it decodes to `block`, at most
    /// twice as many octets as `input` has, and two: lines with CRLF without dot-stuffing, or what
    /// came, where `MAIL` said `BODY=BINARYMIME`. Returns how many octets of `input` it took,
    /// which may be none; ask the session for its next action afterwards.
    ///
    /// Once the message has a [`Flaw`], nothing more is written, but the data is still read
    /// to its true end.
    pub fn read(&mut self, input: &[u8], block: &mut Vec<u8>) -> usize {
        self.receiving.read(input, block, self.octets_max)
    }

    /// The daemon's message.
    pub fn message(&mut self) -> &mut D::Message {
        &mut self.receiving.message
    }
}
