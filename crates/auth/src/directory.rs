//! All accounts of the house: a chain of sources, asked in the order of the configuration.

mod blocking;
mod stamp;
mod table;
#[cfg(test)]
mod tests;
mod walk;

use std::sync::Arc;

use address::{AccountKey, AddressError, Domain, Mailbox};

use crate::{
    Account, AccountSource, AccountsConfig, AccountsError, Argon2Params, PasswdSource,
    PolicySpread, StoredHash, Unavailable,
};

pub use blocking::Blocking;
pub(crate) use stamp::Stamp;
pub(crate) use table::Table;
pub use walk::Walk;

/// All accounts. A handle: clones share the sources, and see them change at the same moment.
///
/// The first source that knows a login decides. A source that cannot say ends the question: an
/// account must not become another one because a database is down.
#[derive(Clone)]
pub struct Directory {
    shared: Arc<Shared>,
}

struct Shared {
    sources: Box<[Arc<dyn AccountSource>]>,
    default_domain: Option<Domain>,
    /// For logins that nobody has, where no source has hashes to imitate.
    nobody: Arc<StoredHash>,
}

/// What a reload did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// What was read last holds.
    Unchanged,
    /// A new table is in force.
    Loaded {
        /// How many accounts it has.
        accounts: usize,
    },
}

/// An account, and where it lies.
pub(crate) struct Located {
    pub(crate) account: Arc<Account>,
    pub(crate) source: Arc<dyn AccountSource>,
}

impl Directory {
    /// The accounts of these sources, asked in this order. `default_domain` completes a login
    /// without a domain.
    ///
    /// # Errors
    /// If no random bytes can be had.
    pub fn chain(
        sources: Vec<Arc<dyn AccountSource>>,
        default_domain: Option<Domain>,
    ) -> Result<Self, AccountsError> {
        let nobody = Arc::new(StoredHash::nobody(&Argon2Params::default())?);
        let sources = sources.into_boxed_slice();
        Ok(Self { shared: Arc::new(Shared { sources, default_domain, nobody }) })
    }

    /// The accounts of one passwd-file. Blocks: some 100,000 accounts a second.
    ///
    /// # Errors
    /// The first thing that is wrong with the configuration or the file.
    pub fn load(config: &AccountsConfig) -> Result<Self, AccountsError> {
        let source = PasswdSource::load("passwd-file", config)?;
        Self::chain(vec![Arc::new(source)], config.domain()?)
    }

    /// A table without a file, which never changes.
    ///
    /// # Errors
    /// If two accounts have one key, or no random bytes can be had.
    pub fn from_accounts(
        accounts: Vec<Account>,
        default_domain: Option<Domain>,
    ) -> Result<Self, AccountsError> {
        Self::chain(vec![Arc::new(PasswdSource::of(accounts)?)], default_domain)
    }

    /// The account of a normalised login; disabled ones too.
    ///
    /// # Errors
    /// If a source that might know it cannot say.
    pub async fn find(&self, key: &AccountKey) -> Result<Option<Arc<Account>>, Unavailable> {
        Ok(self.locate(key).await?.map(|located| located.account))
    }

    pub(crate) async fn locate(&self, key: &AccountKey) -> Result<Option<Located>, Unavailable> {
        for source in &self.shared.sources {
            if let Some(account) = source.find(key).await? {
                return Ok(Some(Located { account, source: Arc::clone(source) }));
            }
        }
        Ok(None)
    }

    /// The accounts that own `address`, those that have it as their primary one first, of the
    /// first source that has any; disabled ones too.
    ///
    /// # Errors
    /// If a source that might have them cannot say.
    pub async fn owners(&self, address: &Mailbox) -> Result<Vec<Arc<Account>>, Unavailable> {
        for source in &self.shared.sources {
            let owners = source.owners(address).await?;
            if !owners.is_empty() {
                return Ok(owners);
            }
        }
        Ok(Vec::new())
    }

    /// The account whose Maildir gets mail for `address`: the first whose primary address it
    /// is, else the first that owns it. Being disabled stops logins, not mail.
    ///
    /// # Errors
    /// If a source that might have it cannot say.
    pub async fn local_mailbox(
        &self,
        address: &Mailbox,
    ) -> Result<Option<Arc<Account>>, Unavailable> {
        Ok(self.owners(address).await?.into_iter().next())
    }

    /// Every account, in the order of the sources; those of sources that cannot list theirs are
    /// missing.
    ///
    /// # Errors
    /// If a source cannot say.
    pub async fn all(&self) -> Result<Vec<Arc<Account>>, Unavailable> {
        let mut walk = self.walk();
        let mut all = Vec::new();
        loop {
            let page = walk.next_page().await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// A walk through all accounts, a page at a time; they may change meanwhile.
    #[must_use]
    pub fn walk(&self) -> Walk {
        Walk::new(Arc::clone(&self.shared))
    }

    /// The same questions for code that may block: commands, and the blocking pool.
    #[must_use]
    pub fn blocking(&self) -> Blocking<'_> {
        Blocking::new(self)
    }

    /// The key that a typed login stands for.
    ///
    /// # Errors
    /// If the login is nobody's, see [`AccountKey::parse`].
    pub fn key(&self, login: &str) -> Result<AccountKey, AddressError> {
        AccountKey::parse(login, self.default_domain())
    }

    /// How many accounts there are, if all sources know it without counting.
    #[must_use]
    pub fn count(&self) -> Option<usize> {
        self.shared.sources.iter().map(|source| source.count()).sum()
    }

    /// What accounts say of their own about logins and retention, least and most. Costs no
    /// look at the accounts.
    #[must_use]
    pub fn policies(&self) -> PolicySpread {
        let mut all = PolicySpread::default();
        for source in &self.shared.sources {
            all.include(&source.policies());
        }
        all
    }

    /// The domain that completes a login without one.
    #[must_use]
    pub fn default_domain(&self) -> Option<&Domain> {
        self.shared.default_domain.as_ref()
    }

    /// The sources in the order in which they are asked.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<dyn AccountSource>> {
        self.shared.sources.iter()
    }

    /// What the operator should know of the sources, each with its place.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.shared.sources.iter().flat_map(|source| source.warnings()).collect()
    }

    /// Has every source read again what it read once.
    ///
    /// # Errors
    /// What each of those that failed says; they go on with what they had.
    pub async fn reload(&self) -> Result<(), String> {
        let mut failures = Vec::new();
        for source in &self.shared.sources {
            if let Err(failure) = source.reload().await {
                failures.push(failure);
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
    }

    /// Lets every source look after itself, as long as the service lives; the caller spawns it.
    pub async fn keep_fresh(self) {
        let mut tasks = tokio::task::JoinSet::new();
        for source in &self.shared.sources {
            tasks.spawn(Arc::clone(source).keep_fresh());
        }
        while tasks.join_next().await.is_some() {}
    }

    /// A hash of nobody's password that costs what that of an account does: which of the costs
    /// in use is chosen by `seed`, in the proportion in which accounts have them.
    pub(crate) fn decoy(&self, seed: u64) -> Arc<StoredHash> {
        let mut decoys = self.shared.sources.iter().filter_map(|source| source.decoy(seed));
        decoys.next().unwrap_or_else(|| Arc::clone(&self.shared.nobody))
    }
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.shared.sources.iter().map(|source| source.name());
        f.debug_list().entries(names).finish()
    }
}
