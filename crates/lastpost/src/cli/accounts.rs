//! The accounts, for commands: the sources of the configuration, and the runtime that those
//! which must be waited for need.

use std::sync::Arc;

use address::AccountKey;
use auth::{Account, Blocking, Directory, SystemClock, Unavailable};
use tokio::runtime::Runtime;

use super::CliError;
use crate::config::Config;

/// The accounts as a command sees them. Blocks.
pub(crate) struct Accounts {
    directory: Directory,
    runtime: Runtime,
}

impl Accounts {
    /// Opens the sources.
    ///
    /// # Errors
    /// What is wrong with the configuration or with a file that it names.
    pub(crate) fn open(config: &Config) -> Result<Self, CliError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(CliError::failed)?;
        let directory = {
            let _entered = runtime.enter();
            config.directory(Arc::new(SystemClock::new()))?
        };
        Ok(Self { directory, runtime })
    }

    /// The directory itself, for what needs no waiting.
    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The account with this login.
    ///
    /// # Errors
    /// If there is none, or its source cannot say.
    pub(crate) fn account(&self, login: &str) -> Result<Arc<Account>, CliError> {
        let key = self.key(login)?;
        self.find(&key)?.ok_or_else(|| CliError::Failed(format!("there is no account {login}")))
    }

    /// The key that a login stands for.
    ///
    /// # Errors
    /// If it is nobody's.
    pub(crate) fn key(&self, login: &str) -> Result<AccountKey, CliError> {
        self.directory
            .key(login)
            .map_err(|error| CliError::Usage(format!("{login:?} is no login: {error}")))
    }

    /// The account of a normalised login.
    ///
    /// # Errors
    /// If its source cannot say.
    pub(crate) fn find(&self, key: &AccountKey) -> Result<Option<Arc<Account>>, CliError> {
        self.ask(|directory| directory.find(key))
    }

    /// Every account of the sources that can list theirs.
    ///
    /// # Errors
    /// If a source cannot say.
    pub(crate) fn all(&self) -> Result<Vec<Arc<Account>>, CliError> {
        self.ask(|directory| directory.all())
    }

    /// The same, and the names of the sources that cannot list theirs.
    ///
    /// # Errors
    /// If a source cannot say.
    pub(crate) fn listed(&self) -> Result<(Vec<Arc<Account>>, Vec<String>), CliError> {
        let mut walk = self.directory.walk();
        let mut found = Vec::new();
        loop {
            let page = self.wait(walk.next_page()).map_err(CliError::failed)?;
            if page.is_empty() {
                return Ok((found, walk.unlisted().to_vec()));
            }
            found.extend(page);
        }
    }

    /// Runs what must be waited for.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    fn ask<T>(
        &self,
        question: impl FnOnce(Blocking<'_>) -> Result<T, Unavailable>,
    ) -> Result<T, CliError> {
        let _entered = self.runtime.enter();
        question(self.directory.blocking()).map_err(CliError::failed)
    }
}
