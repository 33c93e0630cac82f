//! retire: whole file
//! The flip: a cohort's date passes, or an admin changes it, while both daemons run.

#![allow(clippy::unwrap_used, reason = "a test")]

mod command;
mod dates;
mod kit;
mod ledger;
mod process;
mod reload;
