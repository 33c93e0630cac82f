//! Paths, domains and account keys: the only normaliser of names.
//!
//! Whatever names a person or a place on the wire, in a file or on the command line goes
//! through this crate once and is a type afterwards. Two spellings of one name compare equal
//! here or nowhere.

#![no_std]

extern crate alloc;

mod account_key;
mod domain;
mod error;
mod mailbox;
mod path;

pub use account_key::AccountKey;
pub use domain::{Domain, Host};
pub use error::AddressError;
pub use mailbox::Mailbox;
pub use path::{ForwardPath, ReversePath};
