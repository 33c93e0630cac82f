//! What is asked of the committer: a record to write, what it changes in the index once it is
//! durable, and who is told.

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::QueueId;
use crate::draft::OwnFile;
use crate::queue::Marks;
use crate::record::{Kind, span};
use crate::segments::{Location, Segments};

/// Why a record did not become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No room on the file system.
    Full,
    /// Writing or flushing failed.
    Failed,
    /// The message is not in the queue (any more).
    NotFound,
    /// The record that was to be replaced has been replaced already.
    Changed,
}

/// The text of a message on its way into the log.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) octets: u32,
    pub(crate) crc: u32,
    /// Its share of the memory for drafts; goes when it is written.
    pub(crate) _memory: Option<OwnedSemaphorePermit>,
}

/// What a record changes once it is durable.
#[derive(Debug)]
pub(crate) enum Effect {
    /// A new message, due at `due`.
    Queue { id: QueueId, due: i64, marks: Marks, file: Option<OwnFile> },
    /// A job is settled, and some recipient is still pending. Written later if not now.
    Progress { id: QueueId, due: i64 },
    /// Some recipients of a job have their outcomes; it goes on. Written later if not now.
    Record { id: QueueId },
    /// A job is settled, and no recipient is pending. Written later if not now.
    Done { id: QueueId },
    /// An administrator deletes a message.
    Delete { id: QueueId },
    /// An administrator holds or releases (due at `due`) a message whose newest state record
    /// was at `seen`.
    Hold { id: QueueId, held: bool, seen: Location, due: i64 },
    /// A state that could not be written before.
    Save { id: QueueId },
    /// A copy of the message record at `from`.
    MoveMessage { id: QueueId, from: Location },
    /// A copy of the state record at `from`.
    MoveState { id: QueueId, from: Location },
    /// Something about other segments; `discard`: the message whose file may go now.
    Note { kind: Kind, targets: Vec<u32>, discard: Option<QueueId> },
    /// Tails of other segments are void.
    Cut { targets: Vec<u32> },
    /// Nothing; makes the committer look at what it could not write before.
    Nudge,
}

impl Effect {
    /// The kind of record that says it.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Queue { .. } | Self::MoveMessage { .. } => Some(Kind::Message),
            Self::Progress { .. }
            | Self::Record { .. }
            | Self::Hold { .. }
            | Self::Save { .. }
            | Self::MoveState { .. } => Some(Kind::State),
            Self::Done { .. } | Self::Delete { .. } => Some(Kind::Finished),
            Self::Note { kind, .. } => Some(*kind),
            Self::Cut { .. } => Some(Kind::Cut),
            Self::Nudge => None,
        }
    }
}

/// Who is told, at most once; a receiver that has gone is no matter.
pub(crate) type Ack = oneshot::Sender<Result<(), Fault>>;

/// One record to be written.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) effect: Effect,
    /// The payload; of an end, made by the committer.
    pub(crate) meta: Vec<u8>,
    pub(crate) body: Body,
    pub(crate) ack: Option<Ack>,
}

impl Request {
    /// A record without body.
    pub(crate) fn new(effect: Effect, meta: Vec<u8>, ack: Option<Ack>) -> Self {
        Self { effect, meta, body: Body::default(), ack }
    }

    /// Octets it may take in the log.
    pub(crate) fn span(&self, segments: &Segments) -> u64 {
        let meta = match self.effect {
            Effect::Done { .. } | Effect::Delete { .. } => 12 + 4 * segments.targets_max(),
            _ => self.meta.len(),
        };
        span(u32::try_from(meta).unwrap_or(u32::MAX), self.body.octets)
    }

    pub(crate) fn answer(&mut self, answer: Result<(), Fault>) {
        if let Some(ack) = self.ack.take() {
            let _ = ack.send(answer);
        }
    }
}
