//! What the POP3 daemon does when the disk, the file server or the machine fails it: nothing is
//! lost, nothing is shown that is not whole, and nobody else notices.

#![allow(clippy::unwrap_used, reason = "a test")]

mod disk;
mod entering;
mod fault;
mod killed;
mod kit;
mod leaving;
mod reading;
mod record;
mod remembering;
mod state;
