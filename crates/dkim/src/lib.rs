//! Signs messages (DKIM, RFC 6376 and RFC 8463).
//!
//! [`Signer`] holds the keys. For each message it gives a [`Signing`] if it has a key for the
//! author's domain; that takes the body as it streams by, and in the end the header section, and
//! makes the `DKIM-Signature` fields. Nothing here waits for anything but the processor.
//!
//! Canonicalisation is relaxed for both header and body: between here and the verifier, hosts
//! may fold lines again and change blanks.

mod canonical;
mod config;
mod error;
mod generate;
mod key;
mod record;
mod signer;
mod signing;

pub use config::{DkimConfig, DkimKey};
pub use error::DkimError;
pub use generate::{KeyType, generate};
pub use record::Record;
pub use signer::Signer;
pub use signing::Signing;
