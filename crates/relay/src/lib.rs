//! From the spool to the next hop or the local maildrop: retries, reports, connections.
//!
//! [`Relay::run`] claims what is due, and finds the way for each recipient by the table of
//! [`route::Routes`]. A local one gets the message into his Maildir ([`LocalDelivery`]); for the
//! others it goes to a destination, over connections that are kept and shared, each of which
//! carries one message behind the other. A message for several destinations goes to all of them
//! at the same time, and what waits for one never stands in the way of what is for another: a
//! destination that is down or has no room leaves its mail in the spool, and calls it.
//! What became of each recipient is recorded in the spool; whoever is refused for good or waits
//! for too long is reported to the sender (RFC 3464) before that is recorded.
//!
//! Where a next hop has not announced 8BITMIME or BINARYMIME, the text is converted for it; one
//! with UTF-8 in its header or envelope goes back to its sender (5.6.7) where it has not announced
//! SMTPUTF8.
//!
//! ```text
//! spool ── claim ──► Dispatcher ──┬── Here: Maildirs (blocking pool) ──┐
//!   ▲ ▲               (Routes)    ├── Hop: Queue ► Session × n ────────┤ Verdict per
//!   │ └─ postpone, bring_forward ─┤    ⋮                               │ recipient
//!   │            (Line)           └── Hop: Queue ► Session × n ────────┤
//!   └──── settle, record, notify ◄────── Registrar ◄───────────────────┘
//! ```

mod clock;
mod conclude;
pub mod config;
mod convert;
mod dispatch;
mod fleet;
mod here;
mod hop;
mod local;
mod observer;
mod parcel;
mod relay;
mod report;
pub mod route;
mod schedule;
mod stats;
mod task;
mod verdict;
mod way;

pub use config::{ConfigError, NextHopConfig, RelayConfig, Settings};
pub use local::{Destination, LocalAccounts, LocalDelivery, Place};
pub use observer::FailureObserver;
pub use relay::{Relay, Router};
pub use report::{Reports, ReportsConfig};
pub use stats::{Counter, HopState, HopStatus, RelayStats};
