//! The daemon over real sockets, with real Maildirs.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is the point")]

mod dialogues;
mod hostile;
#[allow(dead_code, reason = "other tests share it")]
mod kit;
mod login;
mod quit;
mod stopping;
mod tls;
#[allow(dead_code, reason = "the pure session shows more than the network does")]
#[path = "../../../pop3-proto/tests/protocol/transcript.rs"]
mod transcript;
mod transfer;
