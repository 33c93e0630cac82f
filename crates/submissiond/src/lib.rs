//! The submission daemon: answers the session's actions with auth and spool.
//!
//! The protocol is `smtp_proto`'s, the right to send is `auth`'s, the disk is `spool`'s, the
//! network is `netio`'s. What is left here: which question goes to whom ([`Submissiond`]), what
//! a message's header must be and gets (RFC 6409 section 8), and the log.

mod answer;
mod checks;
mod client_token;
mod config;
mod filters;
mod fixup;
mod guard;
mod header;
mod header_config;
mod header_options;
mod house;
mod input;
mod letter;
mod log;
mod message;
mod offer;
mod originator;
mod pace;
mod rights;
mod service;
mod session;
mod statistics;
mod trace;
mod transaction;
mod visitor;

pub use config::{ConfigError, LoneLfRule, ProtocolConfig, SubmissionConfig, SubmissionListen};
pub use header_config::{ClientShown, HeaderConfig, NameRule, SenderRule};
pub use header_options::{HeaderOptions, HeaderOptionsError};
pub use service::{Means, Observer, StartError, Submissiond};
pub use statistics::Statistics;
