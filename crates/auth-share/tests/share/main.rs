//! Daemons and hosts that tell each other of failed logins: through sockets, and through a real
//! server that comes, goes, hangs and talks nonsense.

#![allow(clippy::unwrap_used, reason = "a test")]

mod daemons;
mod hosts;
mod kit;
mod trouble;
