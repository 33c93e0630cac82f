//! Why a table of accounts was not changed.

use std::io;
use std::path::PathBuf;

use address::AccountKey;

use crate::{AccountsError, ConfigError};

/// Why the table was not changed. The file is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The table as it stands is wrong, or would be after the change.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    /// Another process changes the table.
    #[error("{}: another process has been changing the accounts for 5 seconds", lock.display())]
    InUse {
        /// The lock file.
        lock: PathBuf,
    },
    /// No such account.
    #[error("{}: there is no account {key}", file.display())]
    Unknown {
        /// The file.
        file: PathBuf,
        /// The login.
        key: AccountKey,
    },
    /// There is one already.
    #[error("{}:{line}: there is an account {key} already", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
        /// Its line, from 1.
        line: u32,
        /// The login.
        key: AccountKey,
    },
    /// Its hash is locked and there is none behind the lock.
    #[error("{key} has no password to be enabled with; set one first")]
    NoPassword {
        /// The login.
        key: AccountKey,
    },
    /// A value that the format cannot carry.
    #[error("{what} cannot hold {found}")]
    Inexpressible {
        /// Which value.
        what: &'static str,
        /// What it holds.
        found: &'static str,
    },
    /// Somebody changed the file without taking the lock.
    #[error("{}: somebody else changed it meanwhile; nothing was written", file.display())]
    Changed {
        /// The file.
        file: PathBuf,
    },
    /// The system refused.
    #[error("{}: cannot {action}: {source}", file.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<ConfigError> for EditError {
    fn from(error: ConfigError) -> Self {
        Self::Accounts(error.into())
    }
}
