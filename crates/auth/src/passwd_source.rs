//! A passwd-file as a source of accounts: one table in memory, replaced whole when the file
//! changes.

mod batch;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::BufReader;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use address::{AccountKey, Domain, Mailbox};
use arc_swap::ArcSwap;

use crate::directory::{Stamp, Table};
use crate::passwd_editor::HashChange;
use crate::passwd_file::{self, Listing, Rules};
use crate::{
    Account, AccountSource, AccountsConfig, AccountsError, Answer, MaildirTemplate, PolicySpread,
    Reload, StoredHash, Unavailable,
};
use batch::Batch;

/// A passwd-file. Answers without waiting; a file that cannot be taken leaves the table as it
/// is.
pub struct PasswdSource {
    name: String,
    shared: Arc<Shared>,
    batch: Arc<Batch>,
}

struct Shared {
    table: ArcSwap<Table>,
    file: Option<Watched>,
}

/// Where the table comes from.
struct Watched {
    config: AccountsConfig,
    maildir: MaildirTemplate,
    default_domain: Option<Domain>,
    /// What the file was like when it was last read, for better or worse; also keeps two
    /// reloads from overtaking each other.
    last: Mutex<Stamp>,
}

impl PasswdSource {
    /// Reads the table. Blocks: some 100,000 accounts a second.
    ///
    /// # Errors
    /// The first thing that is wrong with the configuration or the file.
    pub fn load(name: &str, config: &AccountsConfig) -> Result<Self, AccountsError> {
        config.check()?;
        let file = Watched {
            config: config.clone(),
            maildir: MaildirTemplate::parse(&config.maildir)?,
            default_domain: config.domain()?,
            last: Mutex::new(Stamp::Missing),
        };
        let (table, stamp) = file.read()?;
        *lock(&file.last) = stamp;
        let shared = Shared { table: ArcSwap::from_pointee(table), file: Some(file) };
        Ok(Self { name: name.to_owned(), shared: Arc::new(shared), batch: Arc::default() })
    }

    #[cfg(test)]
    fn read_again(&self, always: bool) -> Result<Reload, AccountsError> {
        self.shared.read_again(always)
    }

    /// A table without a file, which never changes.
    ///
    /// # Errors
    /// If two accounts have one key, or no random bytes can be had.
    pub fn of(accounts: Vec<Account>) -> Result<Self, AccountsError> {
        let mut listing = Listing::default();
        for account in accounts {
            let position = u32::try_from(listing.accounts.len()).unwrap_or(u32::MAX);
            if listing.positions.insert(account.key().clone(), position).is_some() {
                return Err(AccountsError::Twice { key: account.key().clone() });
            }
            listing.accounts.push(account);
        }
        let table = ArcSwap::from_pointee(Table::new(listing)?);
        let shared = Arc::new(Shared { table, file: None });
        Ok(Self { name: "accounts".to_owned(), shared, batch: Arc::default() })
    }
}

impl Shared {
    /// Reads the file again: always, or if its inode, size or times differ from those of the
    /// last reading. A file that was refused is then reported once, not each time. Blocks.
    fn read_again(&self, always: bool) -> Result<Reload, AccountsError> {
        let Some(file) = &self.file else { return Ok(Reload::Unchanged) };
        let mut last = lock(&file.last);
        let now = Stamp::of(&file.config.passwd_file);
        if !always && now == *last {
            return Ok(Reload::Unchanged);
        }
        match file.read() {
            Ok((table, stamp)) => {
                *last = stamp;
                let accounts = table.accounts().len();
                for warning in table.warnings() {
                    tracing::warn!(target: "lastpost::auth", %warning, "accounts loaded with a warning");
                }
                retire(self.table.swap(Arc::new(table)));
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
}

impl AccountSource for PasswdSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn find<'a>(
        &'a self,
        key: &'a AccountKey,
    ) -> Answer<'a, Result<Option<Arc<Account>>, Unavailable>> {
        let found = self.shared.table.load().get(key).cloned();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn owners<'a>(
        &'a self,
        address: &'a Mailbox,
    ) -> Answer<'a, Result<Vec<Arc<Account>>, Unavailable>> {
        let table = self.shared.table.load();
        let mut owners: Vec<_> = table.owners(address).cloned().collect();
        owners.sort_by_key(|account| !account.has_as_primary(address));
        Box::pin(std::future::ready(Ok(owners)))
    }

    fn page<'a>(
        &'a self,
        after: Option<&'a AccountKey>,
        limit: usize,
    ) -> Answer<'a, Result<Option<Vec<Arc<Account>>>, Unavailable>> {
        let table = self.shared.table.load();
        let from = after.map_or(0, |after| table.after(after));
        let page = table.accounts().iter().skip(from).take(limit).cloned().collect();
        Box::pin(std::future::ready(Ok(Some(page))))
    }

    fn replace_hash<'a>(
        &'a self,
        key: &'a AccountKey,
        old: &'a StoredHash,
        new: &'a StoredHash,
    ) -> Answer<'a, Result<bool, Unavailable>> {
        Box::pin(async move {
            let Some(file) = &self.shared.file else { return Ok(false) };
            let change = HashChange { key: key.clone(), old: old.clone(), new: new.clone() };
            self.batch.make(&file.config, change).await.map_err(|problem| Unavailable {
                source_name: self.name.clone(),
                problem: problem.to_string(),
            })
        })
    }

    fn can_replace_hash(&self) -> bool {
        self.shared.file.is_some()
    }

    fn count(&self) -> Option<usize> {
        Some(self.shared.table.load().accounts().len())
    }

    fn policies(&self) -> PolicySpread {
        self.shared.table.load().policies()
    }

    fn warnings(&self) -> Vec<String> {
        self.shared.table.load().warnings().to_vec()
    }

    fn reload(&self) -> Answer<'_, Result<Reload, String>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let reading = tokio::task::spawn_blocking(move || shared.read_again(true)).await;
            reading.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        })
    }

    fn decoy(&self, seed: u64) -> Option<Arc<StoredHash>> {
        Some(self.shared.table.load().decoy(seed))
    }

    fn keep_fresh(self: Arc<Self>) -> Answer<'static, ()> {
        Box::pin(watch(Arc::clone(&self.shared)))
    }
}

/// Looks at the file every `accounts.check_every`, reloads it when it changed and logs what
/// happened. Ends only if there is nothing to look at.
async fn watch(shared: Arc<Shared>) {
    let every = shared.file.as_ref().map_or(Duration::ZERO, |file| file.config.check_every);
    if every.is_zero() {
        return;
    }
    loop {
        tokio::time::sleep(every).await;
        let looking = Arc::clone(&shared);
        match tokio::task::spawn_blocking(move || looking.read_again(false)).await {
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

impl Watched {
    fn read(&self) -> Result<(Table, Stamp), AccountsError> {
        let path = &self.config.passwd_file;
        let failed = |source| AccountsError::Read { file: path.clone(), source };
        let file = File::open(path).map_err(failed)?;
        let before = Stamp::of_open(&file).map_err(failed)?;
        let rules = Rules {
            default_domain: self.default_domain.as_ref(),
            maildir: &self.maildir,
            weak_schemes: self.config.weak_schemes,
        };
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
        Ok((Table::new(listing)?, before))
    }
}

/// Frees a table that is no longer in force. Whoever lets go of it last has all the work, some
/// tens of milliseconds for a great table: that must be this thread and not a session that
/// was just looking something up. Blocks for as long as that look takes.
fn retire(table: Arc<Table>) {
    const PATIENCE: u32 = 1000;
    for _ in 0..PATIENCE {
        if Arc::strong_count(&table) == 1 {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
