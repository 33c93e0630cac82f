//! The protocol without a socket: transcripts and properties of the pure session.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is the point")]

mod attacks;
mod defects;
mod dialogues;
mod economy;
mod exchanges;
mod optional;
mod properties;
mod talk;
mod transcript;
mod world;
