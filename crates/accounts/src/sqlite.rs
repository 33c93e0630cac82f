//! Accounts in a database file of our own: for as many as no file of lines is good for, without
//! a server.
//!
//! Changes of other processes are seen by the next look-up. The file is asked on threads of its
//! own, never on those that serve sessions.

mod config;
mod editor;
mod schema;
mod statements;
#[cfg(test)]
mod tests;
mod threads;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use address::{AccountKey, Mailbox};
use auth::{
    Account, AccountSource, Answer, DecoySample, PolicySpread, Reload, StoredHash, Unavailable,
    address_key, parse_password_field,
};
use rusqlite::TransactionBehavior;

use crate::{AccountsSetupError, Common, Row, RowProblem};
use threads::Threads;

pub use config::SqliteConfig;
pub use editor::{Existing, Imported, SqliteEditError, SqliteEditor};
pub use schema::SqliteProblem;

/// Most accounts of a page.
const PAGE_MAX: usize = 1000;
/// How many accounts are looked at to learn what their hashes cost.
const SAMPLE: u32 = 1000;
/// How often it is looked at what is agreed with single accounts.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The accounts of one file.
pub struct SqliteAccounts {
    name: String,
    file: PathBuf,
    common: Common,
    readers: Threads,
    writer: Threads,
    decoys: DecoySample,
    policies: Mutex<PolicySpread>,
    warnings: Vec<String>,
}

impl SqliteAccounts {
    /// Opens the file and looks whether it can be used. Blocks.
    ///
    /// # Errors
    /// If a setting is wrong, or the file is missing, damaged, none of ours, or can be read by
    /// everybody.
    pub fn open(
        name: &str,
        config: &SqliteConfig,
        common: &Common,
    ) -> Result<Self, AccountsSetupError> {
        config.check()?;
        let file = config.file(common);
        let fail = |problem: SqliteProblem| {
            let expected = "a database of accounts that this user may read and write";
            AccountsSetupError::new("accounts.source.sqlite.path", problem.to_string(), expected)
        };
        let warnings = schema::check_mode(&file).map_err(fail)?.into_iter().collect();
        // Brings the tables up to date, once, before anybody reads them.
        drop(schema::open_writer(&file).map_err(fail)?);
        let threads = |name: &str, count, open| {
            Threads::new(name, &file, count, config.timeout, open).map_err(|error| {
                let expected = "a system with threads to spare";
                AccountsSetupError::new(
                    "accounts.source.sqlite.readers",
                    error.to_string(),
                    expected,
                )
            })
        };
        let source = Self {
            name: name.to_owned(),
            common: common.clone(),
            readers: threads("sqlite-reader", config.readers, schema::open_reader)?,
            writer: threads("sqlite-writer", 1, schema::open_writer)?,
            decoys: DecoySample::default(),
            policies: Mutex::default(),
            warnings,
            file,
        };
        let connection = schema::open_reader(&source.file).map_err(fail)?;
        let look = || -> rusqlite::Result<()> {
            source.learn(&statements::page(&connection, "", SAMPLE)?);
            source.agree(&statements::agreed(&connection)?);
            Ok(())
        };
        look().map_err(|error| fail(SqliteProblem::of(&source.file, &error)))?;
        Ok(source)
    }

    /// What changes the file, which is made if it is not there. Blocks.
    ///
    /// # Errors
    /// As [`SqliteEditor::create_or_open`].
    pub fn editor(config: &SqliteConfig, common: &Common) -> Result<SqliteEditor, SqliteEditError> {
        SqliteEditor::create_or_open(config, common)
    }

    /// Learns what hashes cost.
    fn learn(&self, rows: &[Row]) {
        rows.iter().filter_map(Row::open_hash).for_each(|hash| self.decoys.see(&hash));
    }

    /// Learns what is agreed with single accounts.
    fn agree(&self, rows: &[Row]) {
        let mut spread = PolicySpread::default();
        // What cannot be read is said when its account is looked up.
        rows.iter().filter_map(|row| row.policy().ok()).for_each(|policy| spread.add(&policy));
        *lock(&self.policies) = spread;
    }

    async fn look_again(&self) -> Result<(), String> {
        let rows = self.readers.ask(|connection| statements::agreed(connection)).await?;
        self.agree(&rows);
        Ok(())
    }

    fn unavailable(&self, problem: String) -> Unavailable {
        Unavailable { source_name: self.name.clone(), problem }
    }

    fn account(&self, row: Row) -> Result<Arc<Account>, Unavailable> {
        row.into_account(&self.common).map(Arc::new).map_err(|problem| self.wrong_record(&problem))
    }

    /// A record of which no account can be made.
    fn wrong_record(&self, problem: &RowProblem) -> Unavailable {
        tracing::error!(
            target: "lastpost::auth",
            source = self.name,
            login = ?problem.login,
            column = problem.column,
            problem = problem.problem,
            "account record is wrong"
        );
        self.unavailable(problem.to_string())
    }

    async fn find(&self, key: &AccountKey) -> Result<Option<Arc<Account>>, Unavailable> {
        let login = key.clone();
        let found =
            self.readers.ask(move |connection| statements::find(connection, login.as_str()));
        let found = found.await.map_err(|problem| self.unavailable(problem))?;
        found.map(|row| self.account(row)).transpose()
    }

    async fn owners(&self, address: &Mailbox) -> Result<Vec<Arc<Account>>, Unavailable> {
        let canonical = address_key(address);
        let found = self.readers.ask(move |connection| statements::owners(connection, &canonical));
        let mut owners = Vec::new();
        for row in found.await.map_err(|problem| self.unavailable(problem))? {
            let account = self.account(row)?;
            if account.owns(address) {
                owners.push(account);
            }
        }
        owners.sort_by_key(|account| !account.has_as_primary(address));
        Ok(owners)
    }

    async fn page(
        &self,
        after: Option<&AccountKey>,
        limit: usize,
    ) -> Result<Option<Vec<Arc<Account>>>, Unavailable> {
        let limit = u32::try_from(limit.clamp(1, PAGE_MAX)).unwrap_or(1);
        let mut after = after.map_or_else(String::new, |key| key.as_str().to_owned());
        loop {
            let from = std::mem::take(&mut after);
            let found = self.readers.ask(move |c| statements::page(c, &from, limit)).await;
            let rows = found.map_err(|problem| self.unavailable(problem))?;
            let Some(last) = rows.last() else { return Ok(Some(Vec::new())) };
            after.clone_from(&last.login);
            // One wrong record must not hide all others.
            let accounts: Vec<_> = rows.into_iter().filter_map(|r| self.account(r).ok()).collect();
            if !accounts.is_empty() {
                return Ok(Some(accounts));
            }
        }
    }

    async fn replace(
        &self,
        key: &AccountKey,
        old: &StoredHash,
        new: &StoredHash,
    ) -> Result<bool, Unavailable> {
        let (login, old, new) = (key.clone(), old.clone(), new.to_field());
        let replaced = self.writer.ask(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let row = statements::find(&transaction, login.as_str())?;
            let field = row.and_then(|row| row.password).filter(|field| {
                parse_password_field(field).is_ok_and(|(now, locked)| !locked && now.is_same(&old))
            });
            let Some(field) = field else { return Ok(false) };
            let replaced = statements::replace(&transaction, login.as_str(), &field, &new)?;
            transaction.commit()?;
            Ok(replaced)
        });
        replaced.await.map_err(|problem| self.unavailable(problem))
    }
}

impl AccountSource for SqliteAccounts {
    fn name(&self) -> &str {
        &self.name
    }

    fn find<'a>(
        &'a self,
        key: &'a AccountKey,
    ) -> Answer<'a, Result<Option<Arc<Account>>, Unavailable>> {
        Box::pin(self.find(key))
    }

    fn owners<'a>(
        &'a self,
        address: &'a Mailbox,
    ) -> Answer<'a, Result<Vec<Arc<Account>>, Unavailable>> {
        Box::pin(self.owners(address))
    }

    fn page<'a>(
        &'a self,
        after: Option<&'a AccountKey>,
        limit: usize,
    ) -> Answer<'a, Result<Option<Vec<Arc<Account>>>, Unavailable>> {
        Box::pin(self.page(after, limit))
    }

    fn replace_hash<'a>(
        &'a self,
        key: &'a AccountKey,
        old: &'a StoredHash,
        new: &'a StoredHash,
    ) -> Answer<'a, Result<bool, Unavailable>> {
        Box::pin(self.replace(key, old, new))
    }

    fn can_replace_hash(&self) -> bool {
        true
    }

    fn policies(&self) -> PolicySpread {
        *lock(&self.policies)
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    fn reload(&self) -> Answer<'_, Result<Reload, String>> {
        Box::pin(async move {
            let said = |problem| format!("account source {}: {problem}", self.name);
            let rows = self.readers.ask(|connection| statements::page(connection, "", SAMPLE));
            let rows = rows.await.map_err(said)?;
            self.decoys.forget();
            self.learn(&rows);
            self.look_again().await.map_err(said)?;
            Ok(Reload::Unchanged)
        })
    }

    fn decoy(&self, seed: u64) -> Option<Arc<StoredHash>> {
        self.decoys.pick(seed)
    }

    fn keep_fresh(self: Arc<Self>) -> Answer<'static, ()> {
        Box::pin(async move {
            let mut well = true;
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                match self.look_again().await {
                    Ok(()) => well = true,
                    Err(problem) if well => {
                        well = false;
                        tracing::error!(
                            target: "lastpost::auth",
                            source = self.name,
                            problem,
                            "account source down"
                        );
                    }
                    Err(_) => {}
                }
            }
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
