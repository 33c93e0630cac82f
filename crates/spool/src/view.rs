//! Reading a queued message's envelope and state from disk, and showing it in a listing.

use std::io;

use crate::message::{Message, decode, timestamp};
use crate::progress::{Progress, State};
use crate::queue::{Marks, StateAt, View};
use crate::record::{Header, Kind, span};
use crate::segment::damaged;
use crate::{QueueEntry, QueueRecipient, RecipientState};

/// A message as it lies on disk.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) header: Header,
    pub(crate) message: Message,
    /// As many as the envelope has recipients.
    pub(crate) progress: Vec<Progress>,
    /// The state record's payload, if there is one.
    pub(crate) payload: Option<Vec<u8>>,
}

impl View {
    /// Reads envelope and state, checked. Blocking.
    pub(crate) fn read(&self) -> io::Result<Stored> {
        let at = self.entry.message.offset;
        let bad = || damaged(&self.segment.path, at);
        let (header, meta) = self.segment.read_meta(at, self.entry.meta_len)?;
        if header.kind != Kind::Message {
            return Err(bad());
        }
        let message = decode(&meta).map_err(|_| bad())?;
        if message.summary.id != self.id {
            return Err(bad());
        }
        let payload = self.read_state()?;
        let mut progress = match &payload {
            None => Vec::new(),
            Some(payload) => State::decode(payload).map_err(|_| bad())?.recipients,
        };
        let count = message.envelope.recipients.len();
        if progress.is_empty() {
            progress = vec![Progress::untried(message.summary.first_due()); count];
        }
        if progress.len() != count {
            return Err(bad());
        }
        Ok(Stored { header, message, progress, payload })
    }

    /// Whether envelope, state and, with `body`, a text of at most `body_max` octets can be read
    /// without waiting for the disk.
    pub(crate) fn is_at_hand(&self, body: bool, body_max: u32) -> bool {
        let text = if body && self.entry.body_len <= body_max { self.entry.body_len } else { 0 };
        let octets = span(self.entry.meta_len, text);
        let in_memory = |octets| self.segment.is_in_memory(self.entry.message.offset, octets);
        !matches!(self.state, StateAt::Log { .. }) && usize::try_from(octets).is_ok_and(in_memory)
    }

    fn read_state(&self) -> io::Result<Option<Vec<u8>>> {
        match &self.state {
            StateAt::Untried => Ok(None),
            StateAt::Memory(payload) => Ok(Some(payload.clone())),
            StateAt::Log { segment, offset, meta_len } => {
                let (header, payload) = segment.read_meta(*offset, *meta_len)?;
                if header.kind != Kind::State {
                    return Err(damaged(&segment.path, *offset));
                }
                Ok(Some(payload))
            }
        }
    }

    /// Makes the row of a listing.
    pub(crate) fn show(&self, stored: Stored) -> QueueEntry {
        let marks = self.entry.marks;
        let (held, in_delivery) = (marks.has(Marks::HELD), marks.has(Marks::CLAIMED));
        let waits = !held && !in_delivery && !marks.has(Marks::BROKEN);
        let last_reply = stored
            .progress
            .iter()
            .filter(|r| r.state == RecipientState::Pending)
            .find_map(|r| r.reply.clone());
        let attempts = stored.progress.iter().map(|r| r.attempts).max().unwrap_or(0);
        let Message { summary, envelope, origin, review } = stored.message;
        let recipients = envelope
            .recipients
            .into_iter()
            .zip(stored.progress)
            .map(|(recipient, progress)| show_recipient(recipient.mailbox, progress))
            .collect();
        QueueEntry {
            id: self.id,
            received_at: envelope.received_at,
            sender: envelope.sender,
            recipients,
            origin,
            octets: summary.octets,
            attempts,
            next_attempt: waits.then(|| timestamp(self.entry.due)),
            last_reply,
            held,
            review,
            in_delivery,
            damaged: marks.has(Marks::BROKEN),
        }
    }
}

fn show_recipient(mailbox: address::Mailbox, progress: Progress) -> QueueRecipient {
    QueueRecipient {
        mailbox,
        state: progress.state,
        attempts: progress.attempts,
        next_attempt: (progress.state == RecipientState::Pending).then(|| timestamp(progress.due)),
        last_reply: progress.reply,
    }
}
