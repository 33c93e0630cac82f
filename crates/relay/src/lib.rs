//! From the spool to the next hop or the local maildrop: retries, reports, connections.
//!
//! [`Relay::run`] claims what is due, and finds the way for each recipient. A local one gets the
//! message into his Maildir ([`LocalDelivery`]); for the others it goes to the next hop, over
//! connections that are kept and shared, each of which carries one message behind the other.
//! What became of each recipient is recorded in the spool; whoever is refused for good or waits
//! for too long is reported to the sender (RFC 3464) before that is recorded.
//!
//! Nothing is converted on the way: a message with octets above 127, or with UTF-8 in its header
//! or envelope, goes back to its sender (5.6.3, 5.6.7) where the next hop has not announced
//! 8BITMIME or SMTPUTF8.
//!
//! ```text
//! spool ── claim ──► Relay ──┬── Maildir (blocking pool)  ──┐
//!   ▲                        └── Hop: queue ► Session × n ──┤ Verdict per recipient
//!   └──── settle, notify ◄──────── Registrar ◄──────────────┘
//! ```

mod conclude;
pub mod config;
mod hop;
mod local;
mod relay;
mod report;
mod schedule;
mod stats;
mod task;
mod verdict;

pub use config::{ConfigError, NextHopConfig, RelayConfig, Settings};
pub use local::{Destination, LocalAccounts, LocalDelivery, Place};
pub use relay::Relay;
pub use stats::{Counter, RelayStats};
