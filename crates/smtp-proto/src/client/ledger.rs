//! What was said to a transaction so far.

use alloc::vec::Vec;

use super::{Command, End, Outcome, Reply, Severity, Unfinished};

/// What was said to a transaction so far.
#[derive(Debug)]
pub(super) struct Ledger {
    recipients: usize,
    /// The refusal of MAIL.
    pub(super) mail: Option<Reply>,
    /// The refusals of RCPT, in order.
    pub(super) refused: Vec<(usize, Reply)>,
    /// The refusal of a chunk of the text.
    chunk: Option<Reply>,
    /// LMTP: what was said to each recipient after the text, in order.
    answers: Vec<(usize, Reply)>,
    /// Whether any reply has come.
    pub(super) heard: bool,
}

impl Ledger {
    pub(super) fn new(recipients: usize) -> Self {
        Self {
            recipients,
            mail: None,
            refused: Vec::new(),
            chunk: None,
            answers: Vec::new(),
            heard: false,
        }
    }

    /// Whether there is nobody to send the body for.
    pub(super) fn is_hopeless(&self) -> bool {
        self.mail.is_some() || self.refused.len() == self.recipients
    }

    /// A chunk was refused. The first reason is the one that counts.
    pub(super) fn refuse_chunk(&mut self, reply: Reply) {
        self.chunk.get_or_insert(reply);
    }

    pub(super) fn is_chunk_refused(&self) -> bool {
        self.chunk.is_some()
    }

    /// LMTP: the next answer after the text. True if it was the last one.
    pub(super) fn answer(&mut self, reply: Reply) -> bool {
        let next = self.next_unanswered(self.answers.last().map_or(0, |(index, _)| index + 1));
        self.answers.push((next, reply));
        self.next_unanswered(next + 1) >= self.recipients
    }

    /// The first recipient from `from` on whom RCPT did not refuse.
    fn next_unanswered(&self, from: usize) -> usize {
        let skip = self.refused.partition_point(|(index, _)| *index < from);
        let mut next = from;
        for (index, _) in self.refused.get(skip..).unwrap_or_default() {
            if *index != next {
                break;
            }
            next += 1;
        }
        next
    }

    /// The end of a transaction that never came to its body; `data`: the refusal of DATA.
    pub(super) fn give_up(self, data: Option<Reply>) -> Outcome {
        let end = match (self.mail, data) {
            (Some(reply), _) => End::Refused { at: Command::Mail, reply },
            (None, _) if self.refused.len() == self.recipients => End::NoRecipient,
            (None, Some(reply)) => End::Refused { at: Command::Data, reply },
            (None, None) => End::NoRecipient,
        };
        let Self { recipients, refused, answers, .. } = self;
        Outcome { recipients, refused, answers, end }
    }

    /// The end of a transaction of which a chunk was refused.
    pub(super) fn end_at_chunk(mut self) -> Outcome {
        match self.chunk.take() {
            Some(reply) if !self.is_hopeless() => self.conclude(reply),
            _ => self.give_up(None),
        }
    }

    /// The end of a transaction whose body went out.
    pub(super) fn conclude(self, reply: Reply) -> Outcome {
        let end = match reply.severity() {
            Severity::Success => End::Accepted(reply),
            _ => End::Refused { at: Command::EndOfData, reply },
        };
        let Self { recipients, refused, answers, .. } = self;
        Outcome { recipients, refused, answers, end }
    }

    /// LMTP: the end of a transaction of which every recipient has his answer.
    pub(super) fn conclude_answered(self) -> Outcome {
        let Self { recipients, refused, answers, .. } = self;
        Outcome { recipients, refused, answers, end: End::Answered }
    }

    pub(super) fn unfinished(self, body_sent: bool) -> Unfinished {
        let body_sent = body_sent && !self.is_hopeless();
        let Self { recipients, mail, mut refused, answers, heard, .. } = self;
        if let Some(reply) = mail {
            refused = (0..recipients).map(|index| (index, reply.clone())).collect();
        }
        Unfinished { recipients, refused, answers, body_sent, heard }
    }
}
