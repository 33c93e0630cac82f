//! The limits from outside: attacks, neighbours, crashes, clocks and crowds.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod attacks;
mod crowd;
mod disk;
mod kit;
mod neighbours;
mod notices;
mod settlement;
mod time;
