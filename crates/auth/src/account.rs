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

/// How the password of an account can be verified.
#[derive(Clone, Debug)]
pub enum Credential {
    /// By a hash of it.
    Stored(StoredHash),
    /// By asking the source that the account came from.
    AtSource {
        /// What changes whenever the password does. None: the source does not say, and no
        /// verified password is remembered.
        version: Option<Box<str>>,
    },
}

impl From<StoredHash> for Credential {
    fn from(hash: StoredHash) -> Self {
        Self::Stored(hash)
    }
}

impl Credential {
    /// What identifies the record in keyed digests: it changes when the password does. None: a
    /// change cannot be seen.
    pub(crate) fn record(&self) -> Option<&str> {
        match self {
            Self::Stored(hash) => Some(hash.text()),
            Self::AtSource { version } => version.as_deref(),
        }
    }
}

/// One customer, as an account source gave him. Immutable; a reload makes new ones.
#[derive(Debug)]
pub struct Account {
    key: AccountKey,
    addresses: Box<[Mailbox]>,
    credential: Credential,
    maildir: Box<Path>,
    disabled: bool,
    must_change: bool,
    /// Nothing, for nearly all: a table of a hundred thousand accounts is held in memory.
    special: Option<Box<Special>>,
}

/// What few accounts have.
#[derive(Debug, Default)]
struct Special {
    cohort: Option<Box<str>>,
    policy: AccountPolicy,
    delegations: Box<[Delegation]>,
}

impl Account {
    /// An account. `addresses`: those it may send as, the first being where notices go.
    #[must_use]
    pub fn new(
        key: AccountKey,
        addresses: Vec<Mailbox>,
        credential: impl Into<Credential>,
        maildir: PathBuf,
        disabled: bool,
    ) -> Self {
        Self {
            key,
            addresses: addresses.into_boxed_slice(),
            credential: credential.into(),
            maildir: maildir.into_boxed_path(),
            disabled,
            must_change: false,
            special: None,
        }
    }

    fn special(&mut self) -> &mut Special {
        self.special.get_or_insert_default()
    }

    /// The same account with what a rollout schedule may select it by.
    #[must_use]
    pub fn with_cohort(mut self, cohort: Option<Box<str>>) -> Self {
        if cohort.is_some() || self.special.is_some() {
            self.special().cohort = cohort;
        }
        self
    }

    /// The same account, whose password has to be changed before it is good for anything.
    #[must_use]
    pub fn with_must_change(mut self, must_change: bool) -> Self {
        self.must_change = must_change;
        self
    }

    /// The same account with leave to send as what others delegated to it.
    #[must_use]
    pub fn with_delegations(mut self, delegations: Vec<Delegation>) -> Self {
        if !delegations.is_empty() || self.special.is_some() {
            self.special().delegations = delegations.into_boxed_slice();
        }
        self
    }

    /// The same account with a policy of its own.
    #[must_use]
    pub fn with_policy(mut self, policy: AccountPolicy) -> Self {
        if !policy.is_default() || self.special.is_some() {
            self.special().policy = policy;
        }
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
        self.owns(address) || self.delegations().iter().any(|given| given.covers(address))
    }

    /// What others let it send as.
    #[must_use]
    pub fn delegations(&self) -> &[Delegation] {
        self.special.as_deref().map_or(&[], |special| &special.delegations)
    }

    /// Whether `address` is its primary one.
    #[must_use]
    pub fn has_as_primary(&self, address: &Mailbox) -> bool {
        self.addresses.first().is_some_and(|first| same_mailbox(first, address))
    }

    /// How its password is verified.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The stored password hash, unless the source verifies the password itself.
    #[must_use]
    pub fn hash(&self) -> Option<&StoredHash> {
        match &self.credential {
            Credential::Stored(hash) => Some(hash),
            Credential::AtSource { .. } => None,
        }
    }

    /// The attribute by which a rollout schedule may select it.
    #[must_use]
    pub fn cohort(&self) -> Option<&str> {
        self.special.as_deref()?.cohort.as_deref()
    }

    /// Whether its password has to be changed before it is good for anything.
    #[must_use]
    pub fn must_change(&self) -> bool {
        self.must_change
    }

    /// Its Maildir.
    #[must_use]
    pub fn maildir(&self) -> &Path {
        &self.maildir
    }

    /// What is agreed with this customer beside what holds for all.
    #[must_use]
    pub fn policy(&self) -> &AccountPolicy {
        self.special.as_deref().map_or(&NOTHING_SAID, |special| &special.policy)
    }

    /// Whether it may not log in at all.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.disabled
    }
}
