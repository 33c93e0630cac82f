//! Clients that mean no good, or cannot do better: each gets the right reply or a closed
//! connection, and nobody else notices.

#![allow(clippy::unwrap_used, reason = "a test")]

mod control;
mod crowd;
mod injection;
mod kit;
mod lines;
mod log;
mod memory;
mod names;
mod noise;
mod slow;
