//! What can be wrong with a table of accounts.

use std::io;
use std::path::{Path, PathBuf};

use address::AccountKey;

use super::LineProblem;
use crate::{ConfigError, HashError};

/// Why a table of accounts was not taken. A table that is in use stays in use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountsError {
    /// The section `[accounts]` is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file cannot be read.
    #[error("{}: cannot read the accounts: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is wrong.
    #[error("{}:{line}:{column}: {problem}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u32,
        /// The character in the line, from 1.
        column: u32,
        /// What is wrong and what was expected; never a hash.
        problem: String,
    },
    /// Somebody wrote into the file while it was read.
    #[error("{}: it changed while it was read; replace it by renaming a new file over it", file.display())]
    Changing {
        /// The file.
        file: PathBuf,
    },
    /// Two accounts have one login.
    #[error("{key} stands there twice; expected each login once")]
    Twice {
        /// The login.
        key: AccountKey,
    },
    /// No decoys could be made for unknown logins.
    #[error("cannot prepare the verification of unknown logins: {0}")]
    Decoy(#[from] HashError),
}

impl AccountsError {
    pub(crate) fn line(file: &Path, line: u32, problem: LineProblem) -> Self {
        let LineProblem { column, problem } = problem;
        Self::Line { file: file.to_owned(), line, column, problem }
    }
}
