//! What a client may ask about the delivery of a message, beside from whom and to whom.
//!
//! The wishes come with `MAIL` and `RCPT`, are stored with the message, decide what the next hop
//! is told and what is reported to the sender: one set of types for all of these rooms.
//!
//! | wish | where | standard |
//! |---|---|---|
//! | [`Ret`], [`EnvelopeId`] | `MAIL` | RFC 3461 section 4.3, 4.4 |
//! | [`Notify`], [`OriginalRecipient`] | `RCPT` | RFC 3461 section 4.1, 4.2 |
//! | [`ByMode`] | `MAIL … BY=` | RFC 2852 |
//! | [`Coding`] | `MAIL … BODY=` | RFC 6152, RFC 3030 |

#![no_std]

extern crate alloc;

mod coding;
mod deliver_by;
mod notify;
mod original;
mod report;
pub mod xtext;

pub use coding::Coding;
pub use deliver_by::ByMode;
pub use notify::Notify;
pub use original::OriginalRecipient;
pub use report::{EnvelopeId, Ret};
