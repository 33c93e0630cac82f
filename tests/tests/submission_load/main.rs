//! The submission daemon, in a process of its own, with very many sessions and a very long
//! queue. Heavy, and meant for an optimised build:
//!
//! ```sh
//! cargo test --release -p lastpost-tests --test submission_load -- \
//!     --ignored --nocapture --test-threads 1
//! ```

#![allow(clippy::unwrap_used, reason = "a test")]

mod deferred;
mod half_way;
mod idle;
mod sender;
mod shop;
