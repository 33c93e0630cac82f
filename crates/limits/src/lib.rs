//! How much an account, or a client's address, may send, and what happens beyond it.
//!
//! [`Limits`] counts messages, recipients, people written to for the first time, recipients that
//! failed, octets and networks, in windows that slide; it judges by the `[limits]` section
//! ([`LimitsConfig`]). What it says is a [`Verdict`]; whom it tells, a [`Notice`].
//!
//! ```text
//! MAIL, RCPT ── peek ──┐
//! end of data ─ count ─┴─► table (sharded) ── judge ──► Verdict, Charge, Notice
//!                │            └─ snapshot file, each minute
//!                └─► Valkey or Redis, if several hosts share (50 ms, else the table alone)
//! ```

mod charge;
mod config;
mod judge;
mod keeper;
mod kind;
mod known;
mod limits;
mod networks;
mod notice;
mod open;
mod rules;
mod shared;
mod show;
mod snapshot;
mod statistics;
mod suspension;
mod table;
mod tally;
mod texts;
mod timeline;
mod verdict;
mod window;

pub use charge::Charge;
pub use config::{
    Action, AddressConfig, Ceiling, ConfigError, Language, LimitsConfig, OctetCeiling,
    ProfileConfig,
};
pub use kind::{Limit, Scope};
pub use limits::{Limits, Who};
pub use notice::{Happening, Notice};
pub use open::LimitsError;
pub use show::{Figure, Figures, SuspendedAccount};
pub use statistics::Statistics;
pub use suspension::Suspension;
pub use verdict::{Ruling, Verdict};
