//! The relay against scripted next hops, real Maildirs and a real spool.

#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

mod drain;
mod faults;
mod kit;
mod local;
mod remote;
mod reports;
mod restart;
mod retries;
mod throughput;
mod tls;
