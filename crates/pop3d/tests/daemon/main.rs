//! The daemon over real sockets, with real Maildirs.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is the point")]

mod apop;
mod autologout;
mod blocks;
mod bound;
mod counting;
mod delay;
mod dialogues;
mod exchange;
mod hostile;
#[allow(dead_code, reason = "other tests share it")]
mod kit;
mod lang_utf8;
mod limits;
mod login;
mod mechanisms;
mod quit;
mod refusals;
mod retention;
mod stopping;
mod takeover;
mod tls;
#[allow(dead_code, reason = "the pure session shows more than the network does")]
#[path = "../../../pop3-proto/tests/protocol/transcript.rs"]
mod transcript;
mod transfer;
mod xclient;
