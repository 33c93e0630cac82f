//! Why a next hop could not be used, in a form that log, queue and report can show.

use std::fmt;
use std::io;
use std::sync::Arc;

use mx::MxError;
use smtp_proto::client::{
    ChannelError, EnhancedCode, OpeningError, Phase, Reply, ReplyError, Severity,
};

use crate::verdict::code;

/// Why a connection did not come about, or came to its end before its time. Not final for a
/// message, for a next hop can be put right, unless its domain takes no mail at all.
#[derive(Clone, Debug)]
pub(crate) struct HopFailure {
    /// RFC 3463; of class 4, or of class 5 if it is final.
    pub(crate) status: EnhancedCode,
    /// One printable line.
    pub(crate) text: Arc<str>,
}

impl HopFailure {
    pub(crate) fn new(status: EnhancedCode, text: impl fmt::Display) -> Self {
        let text: String =
            text.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self { status: EnhancedCode { class: 4, ..status }, text: text.into() }
    }

    /// Whether no attempt can help: there is no such domain, or it takes no mail.
    pub(crate) fn is_final(&self) -> bool {
        self.status.class == 5
    }

    /// Whether it is a matter of TLS (RFC 3463 section 3.8: security).
    pub(crate) fn is_about_security(&self) -> bool {
        self.status.subject == 7
    }

    /// RFC 3463: no answer from host.
    pub(crate) fn no_answer(error: impl fmt::Display) -> Self {
        Self::new(code(4, 4, 1), error)
    }

    /// RFC 3463: bad connection.
    pub(crate) fn lost(error: impl fmt::Display) -> Self {
        Self::new(code(4, 4, 2), error)
    }

    /// RFC 3463: the other side does not speak the protocol.
    fn protocol(error: impl fmt::Display) -> Self {
        Self::new(code(4, 5, 0), error)
    }

    fn of_reply(reply: &Reply, fallback: EnhancedCode, error: impl fmt::Display) -> Self {
        let status = reply.status().filter(|_| reply.severity() != Severity::Success);
        Self::new(status.unwrap_or(fallback), error)
    }
}

impl From<MxError> for HopFailure {
    fn from(error: MxError) -> Self {
        let (class, subject, detail) = error.status();
        let failure = Self::new(code(class, subject, detail), &error);
        let class = if error.is_permanent() { 5 } else { 4 };
        Self { status: code(class, subject, detail), ..failure }
    }
}

impl From<io::Error> for HopFailure {
    fn from(error: io::Error) -> Self {
        Self::lost(error)
    }
}

impl From<ReplyError> for HopFailure {
    fn from(error: ReplyError) -> Self {
        Self::protocol(error)
    }
}

impl From<OpeningError> for HopFailure {
    fn from(error: OpeningError) -> Self {
        match &error {
            OpeningError::Refused { phase: Phase::Auth, reply } => {
                Self::of_reply(reply, code(4, 7, 8), &error)
            }
            OpeningError::Refused { reply, .. } => Self::of_reply(reply, code(4, 3, 2), &error),
            OpeningError::TlsNotOffered
            | OpeningError::AuthNeedsTls
            | OpeningError::InjectedBeforeTls => Self::new(code(4, 7, 4), error),
            OpeningError::AuthNotOffered => Self::new(code(4, 7, 4), error),
            _ => Self::protocol(error),
        }
    }
}

impl From<ChannelError> for HopFailure {
    fn from(error: ChannelError) -> Self {
        match &error {
            ChannelError::Closing(reply) => Self::of_reply(reply, code(4, 4, 2), &error),
            _ => Self::protocol(error),
        }
    }
}
