//! What other POP3 servers got wrong, each as a test that bears the server's name: against the
//! daemon over TCP and under TLS.
//!
//! The same defects as dialogues, which are also played with the pure session and, where it is
//! installed and asked for, with Dovecot, are in `tests/transcripts/pop3`; `tests/transcripts`
//! plays them.

#![allow(clippy::unwrap_used, reason = "a test")]

mod autologout;
mod isolation;
mod kit;
mod limits;
mod logging;
mod login;
mod names;
mod numbering;
mod quit;
mod reading;
mod sasl;
mod sizes;
mod state_files;
mod stls;
mod throttle;
mod tls_alpn;
