//! One transcript, several drivers: the dialogues that the protocol crates play in memory, played
//! against the daemons over TCP and under TLS.
//!
//! The files stay where the protocols are, in `crates/pop3-proto/tests/transcripts` and
//! `crates/smtp-proto/tests/transcripts/server`. What only a daemon in memory can do (a disk that
//! fails at will, a password that is busy) is left out; each such transcript is named with its
//! reason, and the list may hold nothing else.

#![allow(clippy::unwrap_used, reason = "a test")]

mod client;
mod conversation;
mod pop3;
#[allow(dead_code, reason = "more can be given than a daemon over TCP can be made to do")]
#[path = "../../../crates/pop3-proto/tests/protocol/transcript.rs"]
mod pop3_transcript;
mod submission;
mod submission_house;
