//! How a mail transaction ended, recipient by recipient.

use alloc::vec::Vec;

use super::{Reply, Severity};

/// Which command of a transaction a reply answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// MAIL FROM.
    Mail,
    /// DATA.
    Data,
    /// The lone dot behind the body, or a chunk of it (BDAT).
    EndOfData,
}

/// What became of the message as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The next hop took responsibility for it (RFC 5321 section 4.2.5).
    Accepted(Reply),
    /// It was refused at this command.
    Refused {
        /// Which one.
        at: Command,
        /// In which words.
        reply: Reply,
    },
    /// Every recipient was refused, so that there was nobody to send the body for.
    NoRecipient,
    /// LMTP: each recipient has an answer of his own (RFC 2033 section 4.2).
    Answered,
}

/// A transaction that came to its end. Recipients are numbered as they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub(super) recipients: usize,
    pub(super) refused: Vec<(usize, Reply)>,
    pub(super) answers: Vec<(usize, Reply)>,
    pub(super) end: End,
}

impl Outcome {
    /// How many recipients it had.
    #[must_use]
    pub fn recipients(&self) -> usize {
        self.recipients
    }

    /// What became of the message as a whole.
    #[must_use]
    pub fn end(&self) -> &End {
        &self.end
    }

    /// The recipients that were refused at RCPT, in order, with the reply to each.
    #[must_use]
    pub fn refused(&self) -> &[(usize, Reply)] {
        &self.refused
    }

    /// For one recipient: the reply that accepted the message, or the one that refused it.
    #[must_use]
    pub fn result(&self, recipient: usize) -> Option<Result<&Reply, &Reply>> {
        if recipient >= self.recipients {
            return None;
        }
        match (&self.end, find(&self.refused, recipient)) {
            (End::Refused { at: Command::Mail, reply }, _) => Some(Err(reply)),
            (_, Some(reply)) => Some(Err(reply)),
            (End::Accepted(reply), None) => Some(Ok(reply)),
            (End::Refused { reply, .. }, None) => Some(Err(reply)),
            (End::Answered, None) => find(&self.answers, recipient).map(sorted),
            // Then each was refused: the arm above has taken it.
            (End::NoRecipient, None) => None,
        }
    }
}

/// A transaction whose connection ended first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    pub(super) recipients: usize,
    pub(super) refused: Vec<(usize, Reply)>,
    pub(super) answers: Vec<(usize, Reply)>,
    pub(super) body_sent: bool,
    pub(super) heard: bool,
}

impl Unfinished {
    /// How many recipients it had.
    #[must_use]
    pub fn recipients(&self) -> usize {
        self.recipients
    }

    /// What was already said to a recipient, for that stands though the connection is gone: a
    /// refusal, or what LMTP says to each after the text.
    #[must_use]
    pub fn result(&self, recipient: usize) -> Option<Result<&Reply, &Reply>> {
        let refused = find(&self.refused, recipient).map(Err);
        refused.or_else(|| find(&self.answers, recipient).map(sorted))
    }

    /// How many recipients have been told something that stands.
    #[must_use]
    pub fn results(&self) -> usize {
        self.refused.len() + self.answers.len()
    }

    /// Whether the body had gone out to its end, and for somebody: then the next hop may have
    /// accepted it, and a second attempt may make a duplicate (RFC 1047).
    #[must_use]
    pub fn body_sent(&self) -> bool {
        self.body_sent
    }

    /// Whether the next hop answered any of its commands. If not, the connection was as good as
    /// gone before they went out.
    #[must_use]
    pub fn heard(&self) -> bool {
        self.heard
    }
}

fn sorted(reply: &Reply) -> Result<&Reply, &Reply> {
    if reply.severity() == Severity::Success { Ok(reply) } else { Err(reply) }
}

/// `replies` is in the order of the recipients.
fn find(replies: &[(usize, Reply)], recipient: usize) -> Option<&Reply> {
    let at = replies.binary_search_by_key(&recipient, |(index, _)| *index).ok()?;
    replies.get(at).map(|(_, reply)| reply)
}
