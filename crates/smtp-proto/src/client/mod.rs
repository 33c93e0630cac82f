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
//! the envelope of the next message goes out together with the end of the body before it, so
//! that a message costs one round trip. The body itself always waits for its 354.

mod auth;
mod channel;
mod error;
mod extensions;
mod opening;
mod outcome;
mod reply;
mod transaction;

pub use auth::Credentials;
pub use channel::{Body, Channel, Event, Wait};
pub use error::{ChannelError, OpeningError, Phase, ReplyError, Unsendable};
pub use extensions::{Extensions, SizeLimit};
pub use opening::{Opening, Plan, Securing, Step, TlsUse};
pub use outcome::{Command, End, Outcome, Unfinished};
pub use reply::{EnhancedCode, Received, Reply, ReplyReader, Severity};
pub use transaction::Message;
