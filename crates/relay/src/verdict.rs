//! What became of one recipient in one attempt.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use smtp_proto::client::{Command, End, EnhancedCode, Outcome, Reply, Severity};

/// The three ways an attempt can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The message is somebody else's responsibility now.
    Delivered,
    /// Not now.
    Deferred {
        /// Not before this, whatever the schedule says.
        not_before: Option<Timestamp>,
    },
    /// Never.
    Failed,
}

/// Who reports what becomes of a delivered message from here on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Onward {
    /// Nobody needs to: it is in the mailbox.
    #[default]
    Delivered,
    /// The next hop, as far as it knows how.
    Relayed {
        /// It takes what the sender wants to hear (RFC 3461).
        dsn: bool,
        /// It takes the time by which to deliver (RFC 2852).
        deliver_by: bool,
    },
}

/// What became of one recipient. Cheap to clone: many recipients share one text.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) kind: Kind,
    /// RFC 3463.
    pub(crate) status: EnhancedCode,
    /// The reply of the next hop, or our own words. Printable.
    pub(crate) text: Arc<str>,
    /// Of which next hop it is said, if one was tried.
    pub(crate) remote: Option<Arc<str>>,
    /// Whether `text` is a reply of that hop, and not our own words.
    pub(crate) is_reply: bool,
    /// Of meaning where it was delivered.
    pub(crate) onward: Onward,
}

/// An enhanced status code.
pub(crate) const fn code(class: u8, subject: u16, detail: u16) -> EnhancedCode {
    EnhancedCode { class, subject, detail }
}

impl Verdict {
    /// Delivered into a Maildir, or accepted without a reply worth keeping.
    pub(crate) fn delivered(text: impl Into<Arc<str>>) -> Self {
        Self::own(Kind::Delivered, code(2, 0, 0), text)
    }

    /// Not now, in our own words.
    pub(crate) fn deferred(status: EnhancedCode, text: impl Into<Arc<str>>) -> Self {
        Self::own(Kind::Deferred { not_before: None }, status, text)
    }

    /// Never, in our own words.
    pub(crate) fn failed(status: EnhancedCode, text: impl Into<Arc<str>>) -> Self {
        Self::own(Kind::Failed, status, text)
    }

    fn own(kind: Kind, status: EnhancedCode, text: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            status,
            text: text.into(),
            remote: None,
            is_reply: false,
            onward: Onward::Delivered,
        }
    }

    /// The same, with what is known of the reports to come.
    pub(crate) fn onward(mut self, onward: Onward) -> Self {
        self.onward = onward;
        self
    }

    /// The same, said of a next hop.
    pub(crate) fn about(mut self, remote: &Arc<str>) -> Self {
        self.remote = Some(Arc::clone(remote));
        self
    }

    /// What `reply` of `remote` to the commands of a transaction means.
    pub(crate) fn from_reply(reply: &Reply, at: Stage, remote: &Arc<str>) -> Self {
        let kind = match reply.severity() {
            Severity::Success => Kind::Delivered,
            Severity::Permanent if !is_passing(reply, at) => Kind::Failed,
            _ => Kind::Deferred { not_before: None },
        };
        let status = reply.status().unwrap_or(match reply.severity() {
            Severity::Success => code(2, 0, 0),
            Severity::Permanent => code(5, 0, 0),
            _ => code(4, 0, 0),
        });
        Self { is_reply: true, ..Self::own(kind, status, reply.to_string()) }.about(remote)
    }
}

/// To what a reply came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// MAIL, RCPT or DATA.
    Envelope,
    /// RCPT, of one recipient.
    Recipient,
    /// The dot.
    EndOfData,
}

/// Whether a 5yz is not a judgement on this message.
fn is_passing(reply: &Reply, at: Stage) -> bool {
    match (reply.code(), at) {
        // The next hop does not know us: that is to be put right here, or there.
        (530 | 534 | 535 | 538, Stage::Envelope | Stage::Recipient) => true,
        // RFC 5321 section 4.5.3.1.10: too many recipients in one transaction.
        (552, Stage::Recipient) => reply.status().is_none_or(|s| (s.subject, s.detail) == (5, 3)),
        _ => false,
    }
}

/// Judges one recipient of a transaction that came to its end.
pub(crate) fn judge(outcome: &Outcome, recipient: usize, remote: &Arc<str>) -> Verdict {
    let refused_alone = outcome.refused().iter().any(|(index, _)| *index == recipient);
    let stage = match outcome.end() {
        End::Refused { at: Command::Mail, .. } => Stage::Envelope,
        _ if refused_alone => Stage::Recipient,
        End::Accepted(_) | End::Answered | End::Refused { at: Command::EndOfData, .. } => {
            Stage::EndOfData
        }
        End::Refused { at: Command::Data, .. } | End::NoRecipient => Stage::Envelope,
    };
    match outcome.result(recipient) {
        Some(Ok(reply) | Err(reply)) => Verdict::from_reply(reply, stage, remote),
        None => Verdict::deferred(code(4, 3, 0), "no reply for this recipient").about(remote),
    }
}

/// Whether a recipient was refused only because there were too many in the transaction, while
/// others got through (RFC 5321 section 4.5.3.1.10): his turn is in the next one, at once.
pub(crate) fn is_crowded_out(outcome: &Outcome, recipient: usize) -> bool {
    let progress = outcome.refused().len() < outcome.recipients();
    progress
        && matches!(outcome.end(), End::Accepted(_) | End::Answered)
        && outcome.refused().iter().any(|(index, reply)| {
            let crowded = reply.status().is_none_or(|s| (s.subject, s.detail) == (5, 3));
            *index == recipient && matches!(reply.code(), 452 | 552) && crowded
        })
}

/// `5.1.1 550 5.1.1 no such user`.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.text)
    }
}

#[cfg(test)]
mod tests;
