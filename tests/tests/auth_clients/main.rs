//! The mechanisms of other people's libraries against the daemons: each program logs in by each
//! mechanism that it has, and with a wrong password by none.
//!
//! A program that is not installed is passed over; with `LASTPOST_REQUIRE_CLIENTS` set, its
//! absence fails the test.

#![allow(clippy::unwrap_used, reason = "a test")]

mod certificates;
mod curl;
mod exchange;
mod gsasl;
mod kit;
mod libsasl;
mod python;
mod swaks;
mod tokens;
