//! Asks milters and policy services about a message.
//!
//! A milter (rspamd, ClamAV's, OpenDKIM's) sees the whole transaction and may refuse the message,
//! hold it for review, or change its header, its body and its recipients. A policy service speaks
//! Postfix' policy delegation: it sees the envelope and answers with an action. Both are asked
//! while the client waits, so that a refusal is the client's to tell, never a bounce.
//!
//! ```text
//! Filters ── for_listener ──► Selection ── begin ──► Conversation
//!                                          mail · recipient · message
//! ```
//!
//! A filter that is away, too slow or talks nonsense never decides by that: its `on_failure`
//! says whether the message waits (451 4.7.1, the default) or goes on without it.

mod changes;
mod config;
mod conversation;
mod endpoint;
mod error;
mod facts;
mod filters;
mod milter;
mod policy;
mod refusal;
mod section;

pub use changes::Changes;
pub use config::{ConfigError, FilterConfig, MilterConfig, OnFailure, PolicyConfig, PolicyStage};
pub use conversation::Conversation;
pub use facts::{Client, Message, NextBlock, Recipient, Sender, Text, TextReader};
pub use filters::{Filters, Selection, Statistics, UnknownFilter};
pub use refusal::{Answer, Outcome, Refusal};
