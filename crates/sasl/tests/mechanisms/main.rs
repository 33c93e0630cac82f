//! The mechanisms from outside: the examples of the RFCs, good clients, and bad ones.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

mod kit;
mod others;
mod passwords;
mod properties;
mod scram;
mod tokens;
