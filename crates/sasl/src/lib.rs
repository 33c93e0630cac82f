//! Server side of SASL mechanisms, step by step.
//!
//! PLAIN (RFC 4616) and LOGIN, as POP3 (RFC 5034) and SMTP (RFC 4954) carry them: lines of
//! base64 go in, challenges or [`Credentials`] come out. Nothing here looks anything up; the
//! caller verifies the credentials and tells the client.

#![no_std]

extern crate alloc;

mod error;
mod exchange;
mod mechanism;
mod offer;
mod secret;
mod wire;

pub use error::SaslError;
pub use exchange::{Credentials, Exchange, RESPONSE_MAX, Step};
pub use mechanism::Mechanism;
pub use offer::Offer;
pub use secret::Secret;
pub use wire::{decode_initial, decode_response, encode};
