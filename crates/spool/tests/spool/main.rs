//! The spool as its users see it: intake, delivery, restart, administration, crowds, crashes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod admin;
mod clocks;
mod crowd;
mod delivery;
mod drafts;
mod intake;
mod kill;
mod kit;
mod restart;
mod two;
mod waiting;
