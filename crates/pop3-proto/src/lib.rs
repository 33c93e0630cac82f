//! A POP3 session as bytes in, questions and replies out (RFC 1939, 2449, 2595, 3206, 5034,
//! 6856).
//!
//! The crate knows no socket, file, clock or account. A driver feeds it what the client sent
//! and gets back a [`Step`]; the replies are appended to the driver's own output buffer:
//!
//! ```text
//!          input bytes                    Step::Continue(Session)     read more
//!  client ────────────► Session::advance  Step::Flush(Session)        write, call again
//!         ◄──────────── (consumes self)   Step::Verify(.., Pending)   ask, then answer
//!          reply bytes                    Step::Sasl(.., Pending)     the same, turn by turn
//!                                         Step::Close                 write, hang up
//! ```
//!
//! A question hands the session over inside its `Pending` token. The token is the only thing
//! that can write the reply and the only way back to a session, so a reply before the driver
//! has decided, two replies, or the next command in between have no spelling.

#![no_std]

extern crate alloc;

mod body;
mod capability;
mod claim;
pub mod client;
mod command;
mod language;
mod messages;
mod pending;
mod quirk;
mod reply;
mod sasl_message;
mod session;
mod state;
mod terms;
mod text;
mod xclient;

pub use body::{Body, Part, Progress};
pub use claim::Claim;
pub use messages::Messages;
pub use pending::{
    Handshake, LoginFacts, LoginRefusal, MessageRefusal, PendingLogin, PendingMessage, PendingSasl,
    PendingTls, PendingUpdate, PendingXclient,
};
pub use quirk::Quirk;
pub use sasl_message::SaslMessage;
pub use session::{REPLY_BLOCK, Session, Step};
pub use terms::{Expire, Internationalised, PerUser, Terms, TlsState};
pub use xclient::XclientFacts;
