//! The accounts in force: an immutable table that is replaced whole.

mod stamp;
mod table;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::BufReader;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use address::{AccountKey, AddressError, Domain, Mailbox};
use arc_swap::ArcSwap;

use crate::likeness::same_mailbox;
use crate::passwd_file::{self, Listing, Rules};
use crate::{Account, AccountsConfig, AccountsError, MaildirTemplate, PolicySpread, StoredHash};

pub(crate) use stamp::Stamp;
use table::Table;

/// All accounts. A handle: clones share one table, and see it change at the same moment.
///
/// Reading never waits for a reload. A file that cannot be taken leaves the table as it is.
#[derive(Clone)]
pub struct Directory {
    shared: Arc<Shared>,
}

struct Shared {
    table: ArcSwap<Table>,
    default_domain: Option<Domain>,
    source: Option<Source>,
}

/// Where the table comes from.
struct Source {
    config: AccountsConfig,
    maildir: MaildirTemplate,
    /// What the file was like when it was last read, for better or worse; also keeps two
    /// reloads from overtaking each other.
    last: Mutex<Stamp>,
}

/// What a reload did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// The file is the one that was read last.
    Unchanged,
    /// A new table is in force.
    Loaded {
        /// How many accounts it has.
        accounts: usize,
    },
}

impl Directory {
    /// Reads the table of accounts. Blocks: some 100,000 accounts a second.
    ///
    /// # Errors
    /// The first thing that is wrong with the configuration or the file.
    pub fn load(config: &AccountsConfig) -> Result<Self, AccountsError> {
        config.check()?;
        let source = Source {
            config: config.clone(),
            maildir: MaildirTemplate::parse(&config.maildir)?,
            last: Mutex::new(Stamp::Missing),
        };
        let default_domain = config.domain()?;
        let (table, stamp) = source.read(default_domain.as_ref())?;
        *lock(&source.last) = stamp;
        let table = ArcSwap::from_pointee(table);
        Ok(Self { shared: Arc::new(Shared { table, default_domain, source: Some(source) }) })
    }

    /// A table without a file, which never changes.
    ///
    /// # Errors
    /// If two accounts have one key, or no random bytes can be had.
    pub fn from_accounts(
        accounts: Vec<Account>,
        default_domain: Option<Domain>,
    ) -> Result<Self, AccountsError> {
        let mut listing = Listing::default();
        for account in accounts {
            let position = u32::try_from(listing.accounts.len()).unwrap_or(u32::MAX);
            if listing.positions.insert(account.key().clone(), position).is_some() {
                return Err(AccountsError::Twice { key: account.key().clone() });
            }
            listing.accounts.push(account);
        }
        let table = ArcSwap::from_pointee(Table::new(listing)?);
        Ok(Self { shared: Arc::new(Shared { table, default_domain, source: None }) })
    }

    /// Reads the file again, whether it changed or not. Blocks.
    ///
    /// # Errors
    /// As [`Self::load`]; the table in force stays.
    pub fn reload(&self) -> Result<Reload, AccountsError> {
        match &self.shared.source {
            Some(source) => self.replace(source, true),
            None => Ok(Reload::Unchanged),
        }
    }

    /// Reads the file again if its inode, size or times differ from those of the last reading.
    /// A file that was refused is reported once, not each time. Blocks.
    ///
    /// # Errors
    /// As [`Self::load`]; the table in force stays.
    pub fn reload_if_changed(&self) -> Result<Reload, AccountsError> {
        match &self.shared.source {
            Some(source) => self.replace(source, false),
            None => Ok(Reload::Unchanged),
        }
    }

    fn replace(&self, source: &Source, always: bool) -> Result<Reload, AccountsError> {
        let mut last = lock(&source.last);
        let now = Stamp::of(&source.config.passwd_file);
        if !always && now == *last {
            return Ok(Reload::Unchanged);
        }
        match source.read(self.shared.default_domain.as_ref()) {
            Ok((table, stamp)) => {
                *last = stamp;
                let accounts = table.accounts().len();
                self.shared.table.store(Arc::new(table));
                Ok(Reload::Loaded { accounts })
            }
            // Caught in the middle of a change: the next look must read it again.
            Err(error @ AccountsError::Changing { .. }) => Err(error),
            Err(error) => {
                *last = now;
                Err(error)
            }
        }
    }

    /// Looks at the file every `accounts.check_every`, reloads it when it changed and logs
    /// what happened. Never ends, unless there is nothing to look at; the caller spawns it.
    pub async fn keep_fresh(self) {
        let every = self.shared.source.as_ref().map_or(Duration::ZERO, |s| s.config.check_every);
        if every.is_zero() {
            return;
        }
        loop {
            tokio::time::sleep(every).await;
            let directory = self.clone();
            match tokio::task::spawn_blocking(move || directory.reload_if_changed()).await {
                Ok(Ok(Reload::Unchanged)) => {}
                Ok(Ok(Reload::Loaded { accounts })) => {
                    tracing::info!(target: "lastpost::auth", accounts, "accounts reloaded");
                }
                Ok(Err(error)) => {
                    tracing::error!(target: "lastpost::auth", %error, "accounts not reloaded");
                }
                Err(error) => {
                    tracing::error!(target: "lastpost::auth", %error, "accounts not reloaded");
                }
            }
        }
    }

    /// The account of a normalised login; disabled ones too.
    #[must_use]
    pub fn get(&self, key: &AccountKey) -> Option<Arc<Account>> {
        self.shared.table.load().get(key).cloned()
    }

    /// The key that a typed login stands for.
    ///
    /// # Errors
    /// If the login is nobody's, see [`AccountKey::parse`].
    pub fn key(&self, login: &str) -> Result<AccountKey, AddressError> {
        AccountKey::parse(login, self.default_domain())
    }

    /// The accounts that may send as `address`, in the order of the file; disabled ones too.
    #[must_use]
    pub fn owners(&self, address: &Mailbox) -> Vec<Arc<Account>> {
        self.shared.table.load().owners(address).cloned().collect()
    }

    /// The account whose Maildir gets mail for `address`: the first whose primary address it
    /// is, else the first that owns it. Being disabled stops logins, not mail.
    #[must_use]
    pub fn local_mailbox(&self, address: &Mailbox) -> Option<Arc<Account>> {
        let table = self.shared.table.load();
        let is_primary = |a: &&Arc<Account>| {
            a.addresses().first().is_some_and(|first| same_mailbox(first, address))
        };
        let primary = table.owners(address).find(is_primary);
        primary.or_else(|| table.owners(address).next()).cloned()
    }

    /// Every account, in the order of the file.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Account>> {
        self.shared.table.load().accounts().to_vec()
    }

    /// The account at `position`, from 0, in the order of the file: for a walk through a table
    /// that may be replaced meanwhile.
    #[must_use]
    pub fn nth(&self, position: usize) -> Option<Arc<Account>> {
        self.shared.table.load().accounts().get(position).cloned()
    }

    /// Where the account of a normalised login stands, from 0.
    #[must_use]
    pub fn position(&self, key: &AccountKey) -> Option<usize> {
        self.shared.table.load().position(key)
    }

    /// How many accounts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.table.load().accounts().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What accounts say of their own about logins and retention, least and most. Costs no
    /// look at the accounts.
    #[must_use]
    pub fn policies(&self) -> PolicySpread {
        self.shared.table.load().policies()
    }

    /// The domain that completes a login without one.
    #[must_use]
    pub fn default_domain(&self) -> Option<&Domain> {
        self.shared.default_domain.as_ref()
    }

    /// What the operator should know of the table in force, each with file and line.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.shared.table.load().warnings().to_vec()
    }

    /// A hash of nobody's password that costs what that of an account does: which of the costs
    /// in use is chosen by `seed`, in the proportion in which accounts have them.
    pub(crate) fn decoy(&self, seed: u64) -> Arc<StoredHash> {
        self.shared.table.load().decoy(seed)
    }
}

impl Source {
    fn read(&self, default_domain: Option<&Domain>) -> Result<(Table, Stamp), AccountsError> {
        let path = &self.config.passwd_file;
        let failed = |source| AccountsError::Read { file: path.clone(), source };
        let file = File::open(path).map_err(failed)?;
        let before = Stamp::of_open(&file).map_err(failed)?;
        let rules = Rules { default_domain, maildir: &self.maildir };
        let mut listing = passwd_file::read(BufReader::new(&file), path, &rules)?;
        if !Stamp::of_open(&file).map_err(failed)?.has_content_of(&before) {
            return Err(AccountsError::Changing { file: path.clone() });
        }
        if before.is_world_readable() {
            listing.warnings.push(format!(
                "{}: every user of this machine can read the hashes; chmod o-r",
                path.display()
            ));
        }
        for warning in &listing.warnings {
            tracing::warn!(target: "lastpost::auth", %warning, "accounts loaded with a warning");
        }
        Ok((Table::new(listing)?, before))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("accounts", &self.len()).finish_non_exhaustive()
    }
}
