//! Grants from another process on the same host, over a Unix socket.
//!
//! The process that owns the window receives; the POP3 process publishes and waits, at most a
//! moment, until the grant is in the window, so that a client that sends right after `+OK` is
//! not refused. Whatever happens to the other side, a login is neither refused nor held up.

mod frame;
mod publisher;
mod receiver;

pub use publisher::{PublisherCounts, RemotePublisher};
pub use receiver::{GrantReceiver, ReceiverError};
