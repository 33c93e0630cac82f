//! What other POP3 servers got wrong, each as a test that bears the server's name: against the
//! daemon over TCP and under TLS.
//!
//! The same defects as dialogues, which are also played with the pure session and, where it is
//! installed and asked for, with Dovecot, are in `tests/transcripts/pop3`.

#![allow(clippy::unwrap_used, reason = "a test")]

mod apop;
mod autologout;
#[allow(dead_code, reason = "another test needs more of it")]
#[path = "../transcripts/client.rs"]
mod client;
mod delay;
mod dialogues;
mod isolation;
mod kit;
mod language;
mod limits;
mod logging;
mod login;
mod names;
mod numbering;
mod proxies;
mod quit;
mod reading;
mod sasl;
mod sizes;
mod state_files;
mod stls;
mod stopped_clock;
mod takeover;
#[path = "../../../crates/pop3-proto/tests/protocol/talk.rs"]
mod talk;
mod throttle;
mod tls_alpn;
#[allow(dead_code, reason = "more can be given than a daemon over TCP can be made to do")]
#[path = "../../../crates/pop3-proto/tests/protocol/transcript.rs"]
mod transcript;
#[allow(dead_code, reason = "more is asked of it where it is at home")]
#[path = "../../../crates/pop3-proto/tests/protocol/world.rs"]
mod world;
