//! The submission daemon: answers the session's actions with auth and spool.
//!
//! The protocol is `smtp_proto`'s, the right to send is `auth`'s, the disk is `spool`'s, the
//! network is `netio`'s. What is left here: which question goes to whom ([`Submissiond`]), what
//! a message's header must be and gets (RFC 6409 section 8), and the log.

mod answer;
mod config;
mod fixup;
mod header;
mod house;
mod input;
mod log;
mod message;
mod originator;
mod pace;
mod service;
mod session;
mod statistics;
mod trace;
mod transaction;

pub use config::{ConfigError, LoneLfRule, SubmissionConfig, SubmissionListen};
pub use service::{Means, Observer, StartError, Submissiond};
pub use statistics::Statistics;
