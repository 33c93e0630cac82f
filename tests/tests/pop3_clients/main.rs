//! The clients that customers have: what they rely on, what breaks them, and the programs
//! themselves, each run as a customer would run it.
//!
//! A program that is not installed is passed over; with `LASTPOST_REQUIRE_CLIENTS` set, its
//! absence fails the test.

#![allow(clippy::unwrap_used, reason = "a test")]

mod apop;
mod curl;
mod fetchmail;
mod getmail;
mod kit;
mod mpop;
mod neomutt;
mod outlook;
mod perl;
mod pipelines;
mod polling;
mod printers;
mod python;
mod thunderbird;
