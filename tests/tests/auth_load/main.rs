//! What guessing costs customers, and what it tells guessers: the daemons in a process of their
//! own, asked from outside. Heavy, and meant for an optimised build and an idle machine:
//!
//! ```sh
//! cargo test --release -p lastpost-tests --test auth_load -- \
//!     --ignored --nocapture --test-threads 1
//! ```

#![allow(clippy::unwrap_used, reason = "a test")]

mod attack;
mod customer;
mod flood;
mod repeated;
mod shop;
mod timing;
mod wire;
