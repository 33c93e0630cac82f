//! Whom a message may say it is from.

use address::Mailbox;
use auth::{Account, Permit};

/// The rights of the account in whose name a message is sent: the same table judges the
/// envelope's sender and the header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights<'a> {
    account: &'a Account,
}

impl<'a> Rights<'a> {
    pub(crate) fn of(permit: &'a Permit) -> Self {
        Self::of_account(permit.account())
    }

    pub(crate) const fn of_account(account: &'a Account) -> Self {
        Self { account }
    }

    /// Whether the message may name `address`: the account's own, or delegated to it.
    pub(crate) fn may_name(&self, address: &Mailbox) -> bool {
        self.account.may_send_as(address)
    }

    /// Whether `address` is the account's own.
    pub(crate) fn owns(&self, address: &Mailbox) -> bool {
        self.account.owns(address)
    }

    /// The address that stands for the account.
    pub(crate) fn primary(&self) -> Option<&'a Mailbox> {
        self.account.addresses().first()
    }

    /// The account's login.
    pub(crate) fn login(&self) -> &'a str {
        self.account.key().as_str()
    }
}
