//! What can go wrong between this client and the next hop.

use core::fmt;

use super::Reply;

/// Why a stream is no sequence of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyError {
    /// A line does not begin with a code between 200 and 599.
    Malformed,
    /// The lines of one reply have different codes.
    MixedCodes,
    /// A line is longer than [`super::ReplyReader::LINE_MAX`].
    LineTooLong,
    /// A reply is longer than [`super::ReplyReader::REPLY_MAX`].
    ReplyTooLong,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "sent a line that is no SMTP reply",
            Self::MixedCodes => "sent one reply with different codes",
            Self::LineTooLong => "sent an over-long reply line",
            Self::ReplyTooLong => "sent an over-long reply",
        })
    }
}

impl core::error::Error for ReplyError {}

/// Where in the opening a reply came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The banner after connecting.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// AUTH and its continuation lines.
    Auth,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "the connection",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
        })
    }
}

/// Why no mail can be sent over this connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpeningError {
    /// The next hop refused, for now or for good.
    Refused {
        /// What it refused.
        phase: Phase,
        /// In which words.
        reply: Reply,
    },
    /// A reply that makes no sense at this place.
    Unexpected {
        /// To what it came.
        phase: Phase,
        /// What came.
        reply: Reply,
    },
    /// TLS is required and STARTTLS was not announced.
    TlsNotOffered,
    /// Octets came in clear behind the reply to STARTTLS: somebody on the way tries to have
    /// them taken for replies under TLS (RFC 3207 section 4.2).
    InjectedBeforeTls,
    /// There are credentials to use, and neither PLAIN nor LOGIN was announced.
    AuthNotOffered,
    /// There are credentials to use, and no TLS to protect them.
    AuthNeedsTls,
}

impl fmt::Display for OpeningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { phase, reply } => write!(f, "refused {phase}: {reply}"),
            Self::Unexpected { phase, reply } => {
                write!(f, "answered {phase} out of order: {reply}")
            }
            Self::TlsNotOffered => f.write_str("does not offer STARTTLS, and TLS is required"),
            Self::InjectedBeforeTls => f.write_str("sent text in clear behind its STARTTLS reply"),
            Self::AuthNotOffered => f.write_str("offers neither AUTH PLAIN nor AUTH LOGIN"),
            Self::AuthNeedsTls => f.write_str("offers no TLS to protect the password"),
        }
    }
}

impl core::error::Error for OpeningError {}

/// Why a channel came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelError {
    /// 421: the next hop closes the connection (RFC 5321 section 3.8).
    Closing(Reply),
    /// A reply that belongs to no command, or whose code makes no sense for it.
    OutOfStep(Reply),
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closing(reply) => write!(f, "closes the connection: {reply}"),
            Self::OutOfStep(reply) => write!(f, "answered out of step: {reply}"),
        }
    }
}

impl core::error::Error for ChannelError {}

/// Why a message cannot be handed to this next hop at all; the connection remains good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsendable {
    /// It is larger than the limit that the next hop announced (RFC 1870): 5.3.4.
    TooLarge {
        /// The limit in octets.
        limit: u64,
    },
    /// It holds octets above 127 and 8BITMIME was not announced (RFC 6152): 5.6.3.
    EightBit,
    /// It holds any octets, and CHUNKING with BINARYMIME was not announced (RFC 3030): 5.6.3.
    Binary,
    /// It needs SMTPUTF8, which was not announced (RFC 6531): 5.6.7.
    Utf8,
    /// It needs REQUIRETLS, which was not announced (RFC 8689): 5.7.30.
    RequireTls,
    /// The time in which it was to be delivered is over, or shorter than the next hop needs (RFC
    /// 2852): 5.4.7.
    Late,
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => write!(f, "takes messages of at most {limit} octets"),
            Self::EightBit => f.write_str("does not take 8-bit text (8BITMIME)"),
            Self::Binary => f.write_str("does not take binary text (CHUNKING, BINARYMIME)"),
            Self::Utf8 => f.write_str("does not take UTF-8 addresses or headers (SMTPUTF8)"),
            Self::RequireTls => f.write_str("does not keep mail under TLS (REQUIRETLS)"),
            Self::Late => f.write_str("cannot deliver in the time that is left (DELIVERBY)"),
        }
    }
}

impl core::error::Error for Unsendable {}
