//! The client's side of POP3 (RFC 1939, 2449): commands out, replies in.
//!
//! It knows no socket. A driver cuts status lines out of its input with
//! [`textproto::LineReader`] (as long as the server had not begun a multi-line answer) and reads
//! them with [`Status::parse`]; the lines of LIST, UIDL and CAPA are read by [`Numbered`] and
//! [`Capabilities`], and what follows RETR and TOP by an [`Unstuffer`]. All of them take the
//! server for hostile: numbers are bounded, and nothing is kept that was not asked for.

mod body;
mod capabilities;
mod command;
mod rows;
mod status;

pub use body::{Unstuffed, Unstuffer};
pub use capabilities::Capabilities;
pub use command::{Unsendable, command};
pub use rows::{DropListing, Numbered, octets};
pub use status::{LINE_MAX, Status};
