//! A message on its way out: claimed and read.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::message::{Message, milliseconds};
use crate::progress::Progress;
use crate::queue::{Marks, View};
use crate::shared::Shared;
use crate::text::{BodyReader, Text};
use crate::{Envelope, Origin, QueueId, RecipientState};

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
    /// Reads a claimed message, and if `eager` a small text too. Blocking.
    pub(crate) fn read(view: &View, claim: Claim, at: i64, eager: bool) -> io::Result<Self> {
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
        let text = Text::of(view, &stored, eager)?;
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
        BodyReader::open(&self.claim.shared, &self.text, &self.message.summary).await
    }
}
