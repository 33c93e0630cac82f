//! Clients that are too many, too slow or half gone, against a daemon in a process of its own.
//!
//! The heavy ones are ignored unless asked for, and want an optimised build:
//!
//! ```sh
//! cargo test --release -p lastpost-tests --test pop3_load -- --ignored --nocapture --test-threads 1
//! ```

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../pop3_faults/kit.rs"]
#[allow(dead_code, reason = "only a part of it is needed here")]
mod kit;

mod crowd;
mod deaf;
mod handshake;
mod idle;
mod measure;
mod slow;
mod storm;
mod trickle;
mod visitor;
