//! The durable queue: a group-committed segment log with recovery and a schedule of attempts.
//!
//! Mail comes in by three doors, each of which answers only after the flush that covers the
//! message: [`Spool::intake`] with a permit, [`Spool::inbound`] for proven local recipients,
//! [`Spool::notify`] for reports. It leaves through [`Spool::claim`] and [`Spool::settle`].
//!
//! ```text
//! Draft ── intake ──► committer thread: one write, one flush for all that wait ──► index
//! relay ◄─ claim ─── index (due times; envelopes stay on disk) ◄── recovery by scan
//! ```

mod admin;
mod apply;
mod batch;
mod caretaker;
mod claim;
mod codec;
mod committer;
mod config;
mod draft;
mod envelope;
mod error;
mod filter;
mod id;
mod intake;
mod job;
mod layer;
mod maker;
mod message;
mod names;
mod note;
mod numbers;
mod progress;
mod queue;
pub mod read;
mod record;
mod recovery;
mod request;
mod salvage;
mod scan;
mod segment;
mod segments;
mod shape;
mod shared;
mod spool;
mod steps;
#[cfg(test)]
mod tests;
mod text;
mod view;
mod wishes;

pub use admin::{QueueEntry, QueueRecipient, RecipientState};
pub use config::{ConfigError, Size, SpoolConfig};
pub use draft::{Draft, DraftReader};
pub use envelope::{
    DeliverBy, Envelope, InboundEnvelope, LocalRecipients, NotLocal, Origin, RECIPIENTS_MAX,
    Recipient, Report, Wishes,
};
pub use error::{AdminError, IntakeError, SettleError, SpoolError};
pub use filter::Filter;
pub use id::{BadQueueId, QueueId};
pub use job::{Job, Outcome, Remaining};
pub use shape::{AGES_MINUTES, Shape, ShapeBy, ShapeQuery, ShapeRow, States};
pub use spool::{Damage, RecoveryReport, Spool, Stats};
pub use text::BodyReader;
