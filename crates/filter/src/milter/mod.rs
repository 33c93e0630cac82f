//! The milter protocol, from the mail server's side, version 2 to 6.
//!
//! A packet is a length, a letter and data. Each command has its answer, unless the milter said
//! at the start that it wants no such command, or gives no answer to it.

mod link;
mod options;
mod reply;
mod session;
mod talk;

pub(crate) use session::Decision;
pub(crate) use talk::{Changed, Milter, MilterTalk, Revised};
