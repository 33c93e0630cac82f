//! An account: who it is, what it may send as, where its mail lies.

use std::path::{Path, PathBuf};

use address::{AccountKey, Mailbox};

use crate::{AccountPolicy, StoredHash};

/// What an account without a word of its own has: nearly all of them share it.
static NOTHING_SAID: AccountPolicy = AccountPolicy {
    login_delay: None,
    sessions_max: None,
    expire_after_retrieval: None,
    expire_after_arrival: None,
    quota: None,
};

/// One customer, as an account source gave him. Immutable; a reload makes new ones.
#[derive(Debug)]
pub struct Account {
    key: AccountKey,
    addresses: Box<[Mailbox]>,
    hash: StoredHash,
    maildir: Box<Path>,
    disabled: bool,
    policy: Option<Box<AccountPolicy>>,
}

impl Account {
    /// An account. `addresses`: those it may send as, the first being where notices go.
    #[must_use]
    pub fn new(
        key: AccountKey,
        addresses: Vec<Mailbox>,
        hash: StoredHash,
        maildir: PathBuf,
        disabled: bool,
    ) -> Self {
        let (addresses, maildir) = (addresses.into_boxed_slice(), maildir.into_boxed_path());
        Self { key, addresses, hash, maildir, disabled, policy: None }
    }

    /// The same account with a policy of its own.
    #[must_use]
    pub fn with_policy(mut self, policy: AccountPolicy) -> Self {
        self.policy = (!policy.is_default()).then(|| Box::new(policy));
        self
    }

    /// The normalised login name.
    #[must_use]
    pub fn key(&self) -> &AccountKey {
        &self.key
    }

    /// The addresses it may send as; the first is the primary one.
    #[must_use]
    pub fn addresses(&self) -> &[Mailbox] {
        &self.addresses
    }

    /// Whether it may send as `address`.
    #[must_use]
    pub fn owns(&self, address: &Mailbox) -> bool {
        self.addresses.contains(address)
    }

    /// The stored password hash.
    #[must_use]
    pub fn hash(&self) -> &StoredHash {
        &self.hash
    }

    /// Its Maildir.
    #[must_use]
    pub fn maildir(&self) -> &Path {
        &self.maildir
    }

    /// What is agreed with this customer beside what holds for all.
    #[must_use]
    pub fn policy(&self) -> &AccountPolicy {
        self.policy.as_deref().unwrap_or(&NOTHING_SAID)
    }

    /// Whether it may not log in at all.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.disabled
    }
}
