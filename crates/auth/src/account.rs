//! An account: who it is, what it may send as, where its mail lies.

use std::path::{Path, PathBuf};

use address::{AccountKey, Mailbox};

use crate::StoredHash;

/// One customer, as an account source gave him. Immutable; a reload makes new ones.
#[derive(Debug)]
pub struct Account {
    key: AccountKey,
    addresses: Box<[Mailbox]>,
    hash: StoredHash,
    maildir: Box<Path>,
    disabled: bool,
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
        Self { key, addresses, hash, maildir, disabled }
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

    /// Whether it may not log in at all.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.disabled
    }
}
