//! The POP3 daemon: answers the session's questions with accounts, maildrops and sockets.
//!
//! [`Pop3d`] owns nothing of the protocol (that is `pop3-proto`), of passwords (`auth`), of
//! Maildirs (`maildrop`) or of sockets (`netio`); it is where they meet, in an order that
//! matters:
//!
//! ```text
//! login   verify ─► seat ─► delay ─► lock and list the maildrop ─► tell the observers ─► +OK
//! RETR    open and read the first block ─► +OK ─► block by block ─► dot
//! QUIT    remove, on disk ─► release the lock ─► +OK
//! ```
//!
//! A step that fails ends the chain there: a maildrop that is in use or cannot be read is
//! neither shown as empty nor reported to any observer, and a message that breaks off gets no
//! final dot. File work runs on a bounded pool; a session that waits for its client holds no
//! buffer.

mod apop;
mod blocking;
mod config;
mod counters;
mod delay;
mod facts;
mod held;
mod observers;
mod occupancy;
mod retention;
mod serve;
mod session;

pub use config::{ConfigError, MaildropConfig, Pop3Config, ProtocolConfig};
pub use counters::Pop3Statistics;
pub use retention::{RetentionConfig, promise, promise_to_all};
pub use serve::Pop3d;
