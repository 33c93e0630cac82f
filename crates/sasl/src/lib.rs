//! Server side of SASL mechanisms, step by step.
//!
//! PLAIN (RFC 4616), LOGIN, SCRAM (RFC 5802, RFC 7677), OAUTHBEARER (RFC 7628), XOAUTH2,
//! EXTERNAL (RFC 4422 appendix A) and CRAM-MD5 (RFC 2195), as POP3 (RFC 5034) and SMTP (RFC
//! 4954) carry them. An [`Exchange`] takes the client's messages as octets and says what is to
//! be done: send a challenge, or answer a question about an account. Nothing here looks anything
//! up, knows the time or makes random octets; those are the caller's.

#![no_std]

extern crate alloc;

mod cram_md5;
mod error;
mod exchange;
mod external;
mod login;
mod mechanism;
mod name;
mod oauth;
mod offer;
mod plain;
mod scram;
mod secret;
mod wire;

pub use cram_md5::DigestCheck;
pub use error::{Failure, SaslError};
pub use exchange::{ChannelBinding, Credentials, Exchange, Step, Terms};
pub use mechanism::Mechanism;
pub use oauth::{TokenCheck, TokenHelp};
pub use offer::Offer;
pub use scram::{ProofCheck, SaltRequest};
pub use secret::Secret;
pub use wire::{RESPONSE_MAX, decode_initial, decode_response, encode};
