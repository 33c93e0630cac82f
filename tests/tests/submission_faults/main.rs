//! Disks that fail under the submission daemon: at each step of a message into the queue the
//! client is told to come back, the session lives on, and what was acknowledged is there.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../pop3_faults/fault.rs"]
#[allow(dead_code)]
mod fault;

mod disk;
mod kit;
