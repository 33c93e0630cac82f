//! Retiring a legacy access by schedule: cohorts, phases, extensions and the usage ledger.
//!
//! The crate knows accounts by their keys and accesses by their names; it knows no protocol.
//! A [`Schedule`] says in which [`Phase`] an account is at an instant: a pure function of
//! the configuration file, equal on every host and after every restart. The [`Ledger`]
//! remembers who used what, so that the dates can follow the usage.

mod brownout;
mod check;
mod cohort;
mod config;
mod exception;
mod explain;
mod ledger;
mod list_file;
mod pattern;
mod phase;
mod resolve;
mod schedule;
mod share;
mod source;
mod suggest;
mod usage;
mod zone;

pub use brownout::{Brownout, Cause};
pub use check::{CheckReport, CohortCount, Finding, Severity};
pub use cohort::Cohort;
pub use config::{CohortConfig, EarlyClosingConfig, ExtensionConfig, ScheduleConfig, WindowConfig};
pub use exception::{EarlyClosing, Exception, Extension};
pub use explain::{CohortOverview, Explanation, PhaseStart, Step};
pub use ledger::{
    Access, Entry, Filter, Ledger, LedgerConfig, LedgerCounts, LedgerError, MovedAside, Outcome,
    Reliance, Tally, Usage, UsageReport, read_usage, usage_csv,
};
pub use phase::Phase;
pub use schedule::{Decision, Schedule};
pub use source::{Mistake, Mistakes, Place, Source};
pub use suggest::nearest;
pub use usage::{UsageRecorder, Use};
pub use zone::Zone;
