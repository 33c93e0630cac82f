//! A submission session (RFC 6409) and the client for the next hop, as bytes in, actions and
//! replies out.

#![no_std]

extern crate alloc;

pub mod client;
pub mod server;
