//! The relay against scripted next hops, real Maildirs and a real spool.

#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

mod crowd;
mod drain;
mod exchange;
mod failover;
mod faults;
mod forms;
mod kit;
mod local;
mod pace;
mod remote;
mod reports;
mod restart;
mod retries;
mod routes;
mod throughput;
mod tls;
mod wishes;
