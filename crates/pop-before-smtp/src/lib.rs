//! The bridge: who fetched mail may send for a while, from the same address, as himself.
//!
//! A successful POP3 login publishes a grant for (account, client address); a submission
//! without authentication consults the grants of its address. Neither daemon knows this crate:
//! it stands behind the two seams of `auth`, and goes when the last cohort is closed.
//!
//! What a grant is not: a password. It counts for the account's own addresses only, within the
//! window, within the quota, while the schedule honours the account; everything else is
//! refused with a reply that says what to switch on. The hole that remains, a neighbour behind
//! the same address who forges the owner's sender, is why the practice ends.

mod bridge;
mod config;
mod consult;
mod counters;
mod network;
mod open;
mod publish;
mod refused;
pub mod remote;
mod report;
mod rule;
mod window;

pub use bridge::{Bridge, ReloadError};
pub use config::{BridgeConfig, BrownoutReply, Policy, Quota, SocketConfig};
pub use consult::{Candidate, Verdict, consult};
pub use counters::BridgeCounts;
pub use network::{AddressKey, Networks};
pub use publish::{NotPublished, Published};
pub use refused::{Refused, Wording};
pub use report::{GrantList, GrantReport, Revocation};
pub use window::{Grant, Limits, Publication, Unreserved, Window};

/// The name of this authority in configuration, log, envelope and ledger.
pub const NAME: &str = "pop-before-smtp";
