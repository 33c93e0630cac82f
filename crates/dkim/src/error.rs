//! What can be wrong with keys and signatures.

use std::io;
use std::path::PathBuf;

/// Why nothing can be signed, or this message cannot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DkimError {
    /// A value of `[dkim]` cannot be obeyed.
    #[error("{key}: {problem}; expected {expected}")]
    Config {
        /// The key with its section.
        key: String,
        /// What is wrong with the value.
        problem: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// A key file cannot be read.
    #[error("{}: cannot {action}: {source}", file.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key file holds no key that could sign.
    #[error("{}: {problem}; expected {expected}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What should be in it.
        expected: &'static str,
    },
    /// The message has no `From`, without which nothing can be signed.
    #[error("the message has no From field to sign")]
    NoFrom,
    /// The cryptographic library failed.
    #[error("the key of {domain} with the selector {selector} could not sign")]
    Sign {
        /// The key's domain.
        domain: String,
        /// Its selector.
        selector: String,
    },
    /// No key could be made.
    #[error("no key could be made")]
    Generate,
}

impl DkimError {
    pub(crate) fn config(key: String, problem: impl Into<String>, expected: &'static str) -> Self {
        Self::Config { key, problem: problem.into(), expected }
    }

    /// The configuration key that is at fault, if one is.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Config { key, .. } => Some(key),
            _ => None,
        }
    }
}
