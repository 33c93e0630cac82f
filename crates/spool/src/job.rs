//! A message on its way out: claimed and read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;

use crate::message::{Message, milliseconds};
use crate::progress::Progress;
use crate::queue::{Marks, View};
use crate::record::Header;
use crate::segment::Segment;
use crate::shared::Shared;
use crate::{Envelope, Origin, QueueId, RecipientState};

/// Octets read from a file at once.
const BLOCK: usize = 128 * 1024;

/// Texts up to this size are read together with the envelope: one trip to the disk less.
const EAGER: u32 = 16 * 1024;

/// A recipient whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Index into [`Envelope::recipients`].
    pub index: usize,
    /// Attempts so far, without the one that begins now.
    pub attempts: u32,
    /// What the last attempt ended with, if there was one.
    pub last_reply: Option<Box<str>>,
    /// An earlier [`Outcome::Deferred`] said that the sender has been told of the delay.
    pub delay_reported: bool,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Delivered to the next hop or the maildrop.
    Done,
    /// Try again at `until` (wall clock).
    Deferred {
        /// When.
        until: Timestamp,
        /// Why: the reply of the next hop or our own words. Cut at 500 octets.
        reply: Box<str>,
        /// The sender has been told that it takes longer. Once said, it stays.
        delay_reported: bool,
    },
    /// Given up. The caller has queued the report already, or none is due.
    Failed {
        /// Why. Cut at 500 octets.
        reply: Box<str>,
    },
}

/// Holds a claim; gives the message back when it goes.
#[derive(Debug)]
pub(crate) struct Claim {
    shared: Arc<Shared>,
    id: QueueId,
    settled: bool,
}

impl Claim {
    /// For a message just claimed in the queue.
    pub(crate) fn new(shared: Arc<Shared>, id: QueueId) -> Self {
        Self { shared, id, settled: false }
    }

    /// Gives the message back, due at `due`, without a record.
    pub(crate) fn postpone(mut self, due: i64) {
        self.settled = true;
        self.shared.queue().change(self.id, |entry| {
            entry.due = due;
            entry.marks.set(Marks::CLAIMED, false);
        });
        self.shared.changed.notify_waiters();
    }

    /// What becomes of the message is up to the committer.
    pub(crate) fn settle(mut self) {
        self.settled = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let release = |entry: &mut crate::queue::Entry| entry.marks.set(Marks::CLAIMED, false);
        self.shared.queue().change(self.id, release);
        self.shared.changed.notify_waiters();
    }
}

/// Where a job's text is.
#[derive(Debug)]
enum Text {
    Read(Bytes),
    Log {
        segment: Arc<Segment>,
        offset: u32,
        header: Header,
    },
    /// In a file of its own; the head that the record holds goes before.
    Own {
        segment: Arc<Segment>,
        offset: u32,
        header: Header,
    },
}

/// A claimed message. Nobody else gets it until it is settled or dropped; dropped, it goes
/// back to the queue at once, unchanged.
#[derive(Debug)]
pub struct Job {
    pub(crate) claim: Claim,
    message: Message,
    progress: Mutex<Vec<Progress>>,
    remaining: Vec<Remaining>,
    text: Text,
}

impl Job {
    /// Reads a claimed message. Blocking.
    pub(crate) fn read(view: &View, claim: Claim, at: i64) -> io::Result<Self> {
        let stored = view.read()?;
        let hurried = view.entry.marks.has(Marks::HURRIED);
        let turn = |p: &Progress| p.state == RecipientState::Pending && (hurried || p.due <= at);
        let remaining = stored
            .progress
            .iter()
            .enumerate()
            .filter(|(_, progress)| turn(progress))
            .map(|(index, progress)| Remaining {
                index,
                attempts: progress.attempts,
                last_reply: progress.reply.clone(),
                delay_reported: progress.delay_reported,
            })
            .collect();
        let (offset, header) = (view.entry.message.offset, stored.header);
        let text = if stored.message.summary.external {
            Text::Own { segment: Arc::clone(&view.segment), offset, header }
        } else if header.body_len <= EAGER {
            Text::Read(view.segment.read_body(offset, &header)?.into())
        } else {
            Text::Log { segment: Arc::clone(&view.segment), offset, header }
        };
        let (message, progress) = (stored.message, Mutex::new(stored.progress));
        Ok(Self { claim, message, progress, remaining, text })
    }

    /// How far each recipient is.
    pub(crate) fn progress(&self) -> MutexGuard<'_, Vec<Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn into_parts(self) -> (Claim, Vec<Progress>) {
        (self.claim, self.progress.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> QueueId {
        self.message.summary.id
    }

    /// Its envelope, with all recipients it ever had.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.message.envelope
    }

    /// Where it came from: [`Origin::Inbound`] must not be relayed, about [`Origin::Report`]
    /// no report is made.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.message.origin
    }

    /// The recipients to try now; those done, failed or deferred to a later time are not
    /// among them.
    #[must_use]
    pub fn remaining(&self) -> &[Remaining] {
        &self.remaining
    }

    /// Gives the message back to be tried at `until` (wall clock), or when a recipient that is
    /// not among [`Self::remaining`] is due, if that is earlier. Nothing is recorded: no attempt
    /// is counted, and after a restart the message is due when it was due before. For a message
    /// that nobody could try, because its next hop is known to be down.
    pub fn postpone(self, until: Timestamp) {
        let remaining = self.remaining.clone();
        let (claim, progress) = self.into_parts();
        let mut named = remaining.iter().map(|recipient| recipient.index).peekable();
        let others = progress.iter().enumerate().filter(|(index, progress)| {
            let is_named = named.next_if_eq(index).is_some();
            !is_named && progress.state == RecipientState::Pending
        });
        let first = others.map(|(_, progress)| progress.due).min();
        let until = milliseconds(until);
        claim.postpone(first.map_or(until, |due| due.min(until)));
    }

    /// Size of the text as stored (canonical CRLF).
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.message.summary.octets
    }

    /// Opens the text for reading from its begin; may be called again for another group of
    /// recipients.
    ///
    /// # Errors
    /// The file system's answer, or `InvalidData` if the checksum says that a text in the log
    /// is damaged.
    pub async fn body(&self) -> io::Result<BodyReader> {
        let shared = Arc::clone(&self.claim.shared);
        let source = match &self.text {
            Text::Read(text) => Source::Whole(Some(text.clone())),
            Text::Log { segment, offset, header } => {
                let (segment, offset, header) = (Arc::clone(segment), *offset, *header);
                let body = shared.blocking(move || segment.read_body(offset, &header)).await?;
                Source::Whole(Some(body.into()))
            }
            Text::Own { segment, offset, header } => {
                let path = shared.own_file(self.id());
                let (segment, offset, header) = (Arc::clone(segment), *offset, *header);
                let opened = shared.blocking(move || {
                    let head = segment.read_body(offset, &header)?;
                    Ok((head, File::open(path)?))
                });
                let (head, file) = opened.await?;
                let left = self.octets().saturating_sub(head.len() as u64);
                let (file, wanted) = (Arc::new(file), self.message.summary.crc);
                Source::File { head: head.into(), file, at: 0, left, crc: header.body_crc, wanted }
            }
        };
        Ok(BodyReader { shared, source })
    }
}

#[derive(Debug)]
enum Source {
    Whole(Option<Bytes>),
    /// `crc`: of what has been read, the head included.
    File {
        head: Bytes,
        file: Arc<File>,
        at: u64,
        left: u64,
        crc: u32,
        wanted: u32,
    },
}

/// Reads a stored text in blocks.
#[derive(Debug)]
pub struct BodyReader {
    shared: Arc<Shared>,
    source: Source,
}

impl BodyReader {
    /// The next block (at most 128 KiB from a file of its own, its head before that in one;
    /// otherwise the whole text),
    /// `None` at the end. Dropped before it is done, it may be called again.
    ///
    /// # Errors
    /// The file system's answer, or `InvalidData` in place of the last block if the checksum
    /// does not match: the transfer must be broken off then, not ended.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let (file, at, left, crc, wanted) = match &mut self.source {
            Source::Whole(text) => return Ok(text.take().filter(|text| !text.is_empty())),
            Source::File { head, .. } if !head.is_empty() => return Ok(Some(std::mem::take(head))),
            Source::File { left: 0, .. } => return Ok(None),
            Source::File { file, at, left, crc, wanted, .. } => (file, at, left, crc, wanted),
        };
        let length = usize::try_from(*left).unwrap_or(BLOCK).min(BLOCK);
        let (source, from) = (Arc::clone(file), *at);
        let read = self.shared.blocking(move || {
            let mut block = vec![0; length];
            source.read_exact_at(&mut block, from)?;
            Ok(block)
        });
        let block = read.await?;
        let sum = crc32c::crc32c_append(*crc, &block);
        if length as u64 == *left && sum != *wanted {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the checksum of the message's own file does not match",
            ));
        }
        (*crc, *at, *left) = (sum, *at + length as u64, *left - length as u64);
        Ok(Some(block.into()))
    }
}
