//! An account: who it is, what it may send as, where its mail lies.

use std::path::{Path, PathBuf};

use address::{AccountKey, AddressError, Domain, Mailbox};

use crate::likeness::{same_domain, same_mailbox};
use crate::{AccountPolicy, StoredHash};

/// What an account without a word of its own has: nearly all of them share it.
static NOTHING_SAID: AccountPolicy = AccountPolicy {
    login_delay: None,
    sessions_max: None,
    expire_after_retrieval: None,
    expire_after_arrival: None,
    quota: None,
    limits: None,
};

/// What somebody else let an account send as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delegation {
    /// This address.
    Address(Mailbox),
    /// Every address at this domain; not at those below it.
    Domain(Domain),
}

impl Delegation {
    /// Parses an address, or a domain behind an `@`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match text.strip_prefix('@') {
            Some(domain) => Domain::parse(domain).map(Self::Domain),
            None => Mailbox::parse(text).map(Self::Address),
        }
    }

    fn covers(&self, address: &Mailbox) -> bool {
        match self {
            Self::Address(delegated) => same_mailbox(delegated, address),
            Self::Domain(delegated) => {
                address.domain().is_some_and(|domain| same_domain(delegated, domain))
            }
        }
    }
}

impl std::fmt::Display for Delegation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Domain(domain) => write!(f, "@{domain}"),
        }
    }
}

/// One customer, as an account source gave him. Immutable; a reload makes new ones.
#[derive(Debug)]
pub struct Account {
    key: AccountKey,
    addresses: Box<[Mailbox]>,
    hash: StoredHash,
    maildir: Box<Path>,
    disabled: bool,
    policy: Option<Box<AccountPolicy>>,
    delegations: Box<[Delegation]>,
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
        let delegations = Box::default();
        Self { key, addresses, hash, maildir, disabled, policy: None, delegations }
    }

    /// The same account with leave to send as what others delegated to it.
    #[must_use]
    pub fn with_delegations(mut self, delegations: Vec<Delegation>) -> Self {
        self.delegations = delegations.into_boxed_slice();
        self
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

    /// Whether `address` is its own: mail to it comes here. Spellings of one address count as
    /// one: A-labels and U-labels, quoted and unquoted local parts, any case.
    #[must_use]
    pub fn owns(&self, address: &Mailbox) -> bool {
        self.addresses.iter().any(|own| same_mailbox(own, address))
    }

    /// Whether it may send as `address`: its own, or one that was delegated to it.
    #[must_use]
    pub fn may_send_as(&self, address: &Mailbox) -> bool {
        self.owns(address) || self.delegations.iter().any(|given| given.covers(address))
    }

    /// What others let it send as.
    #[must_use]
    pub fn delegations(&self) -> &[Delegation] {
        &self.delegations
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
