//! Notices to customers and to the admin: what happened, since when, what to do.

mod letter;
#[cfg(test)]
mod tests;
mod words;

use address::{AccountKey, Mailbox};
use jiff::Timestamp;

use crate::config::Language;
use crate::kind::{Limit, Scope};

/// What happened to the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Messages are refused for the time being.
    Deferred,
    /// Messages are held for review.
    Held,
    /// The account is suspended.
    Suspended,
}

/// A limit was reached for the first time on its day. Becomes a message to the customer, and one
/// to the admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The account.
    pub account: AccountKey,
    /// What happened.
    pub happening: Happening,
    /// For whom the limit counts.
    pub scope: Scope,
    /// Which limit.
    pub limit: Limit,
    /// Its figure, in the counter's unit (octets in KiB).
    pub most: u64,
    /// When.
    pub at: Timestamp,
    /// The language of the customer's notice.
    pub language: Language,
    /// Who of the provider is told.
    pub admin: Option<Mailbox>,
}

impl Notice {
    /// The message to the customer at `to`, header included, seven-bit with CRLF. `host` is
    /// ours; `salt` makes its Message-ID unlike any other.
    #[must_use]
    pub fn to_customer(&self, host: &str, to: &Mailbox, salt: u64) -> Vec<u8> {
        letter::write(host, to, &words::customer(self), self.at, salt)
    }

    /// The message to the admin, as [`Notice::to_customer`]; `None` if there is nobody to tell.
    #[must_use]
    pub fn to_admin(&self, host: &str, salt: u64) -> Option<(Mailbox, Vec<u8>)> {
        let admin = self.admin.as_ref()?;
        let letter = letter::write(host, admin, &words::admin(self), self.at, salt);
        Some((admin.clone(), letter))
    }
}
