//! `[accounts.source.sqlite]`: where the file is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};

use crate::{AccountsSetupError, Common};

/// The name of the file in the state directory.
const FILE: &str = "accounts.db";

/// `[accounts.source.sqlite]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqliteConfig {
    /// The file, which `lastpost account add` makes. A relative path counts from the directory
    /// of the configuration file. Empty: `accounts.db` in the state directory.
    pub path: PathBuf,
    /// How many threads look accounts up, 1 to 16.
    pub readers: usize,
    /// The longest that a question may take, such as "2s".
    #[serde(with = "duration")]
    pub timeout: Duration,
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self { path: PathBuf::new(), readers: 2, timeout: Duration::from_secs(2) }
    }
}

impl SqliteConfig {
    /// The same with a relative path counted from `directory`.
    #[must_use]
    pub fn relative_to(mut self, directory: &Path) -> Self {
        if !self.path.as_os_str().is_empty() {
            self.path = directory.join(self.path);
        }
        self
    }

    /// The file.
    #[must_use]
    pub fn file(&self, common: &Common) -> PathBuf {
        if self.path.as_os_str().is_empty() {
            return common.state_directory.join(FILE);
        }
        self.path.clone()
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), AccountsSetupError> {
        if !(1..=16).contains(&self.readers) {
            let problem = format!("{} is out of range", self.readers);
            return Err(AccountsSetupError::new(
                "accounts.source.sqlite.readers",
                problem,
                "1 to 16",
            ));
        }
        let range = Duration::from_millis(50)..=Duration::from_secs(60);
        if !range.contains(&self.timeout) {
            return Err(AccountsSetupError::new(
                "accounts.source.sqlite.timeout",
                format!("{:?} is out of range", self.timeout),
                "\"50ms\" to \"60s\"",
            ));
        }
        Ok(())
    }
}
