//! The client for the next hop (RFC 5321): replies in, commands out.
//!
//! It knows no socket. A driver connects, and hands what arrives to a [`ReplyReader`], which
//! cuts it into replies. The replies go first through an [`Opening`] (greeting, EHLO or HELO,
//! STARTTLS, AUTH), which ends in a [`Channel`]; the channel then carries any number of mail
//! transactions, one after the other:
//!
//! ```text
//! connect ─► Opening ──220, EHLO──► Securing ──TLS──► Opening ──AUTH──► Channel
//!                                                                     begin │ ▲ Finished
//!                                                       MAIL RCPT* DATA ▼ │ reply to "."
//!                                                         354 ─► Body ─► end_body
//! ```
//!
//! Where the next hop announces PIPELINING (RFC 2920), MAIL, RCPT and DATA go out together, and
//! the envelope of the next message goes out together with the end of the body before it. Sent
//! by DATA, the body itself always waits for its 354.
//!
//! Where it announces CHUNKING (RFC 3030) there is no 354: a small text goes out behind its
//! envelope, so that a message costs one round trip; a large one follows in chunks when the
//! envelope is known to be taken. LMTP (RFC 2033) is the same with LHLO and a reply for each
//! recipient at the end.

mod auth;
mod channel;
mod error;
mod extensions;
mod ledger;
mod opening;
mod outcome;
mod reply;
mod text;
mod transaction;

pub use auth::Credentials;
pub use channel::{Channel, Event, Wait};
pub use error::{ChannelError, OpeningError, Phase, ReplyError, Unsendable};
pub use extensions::{Extensions, Limits, SizeLimit};
pub use opening::{Opening, Plan, Protocol, Securing, Step, TlsUse};
pub use outcome::{Command, End, Outcome, Unfinished};
pub use reply::{EnhancedCode, Received, Reply, ReplyReader, Severity};
pub use text::Body;
pub use transaction::{By, Message, Recipient};
