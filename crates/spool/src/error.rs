//! What can go wrong, by whom it is met: the start, the receiving side, the delivering side
//! and the administrator.

use std::io;
use std::path::{Path, PathBuf};

use crate::{ConfigError, QueueId};

/// Why a spool does not open.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// A value of `[spool]` is out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Another process has this spool open.
    #[error(
        "{} is in use by another process{} (lock file {}); stop that daemon first",
        directory.display(),
        holder.map(|id| format!(", {id}")).unwrap_or_default(),
        directory.join("lock").display()
    )]
    InUse {
        /// The spool.
        directory: PathBuf,
        /// The process's ID, if it has said it.
        holder: Option<u32>,
    },
    /// The file system said no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, such as `create`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
}

impl SpoolError {
    /// For `map_err`: `action` on `path` failed.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}

/// Why a message was not taken. Nothing of it will be delivered, except after a crash in the
/// moment of a [`IntakeError::Failed`], where a duplicate of what the client sends again is
/// possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// No room: the file system is below its floor of space or inodes, or the queue is at its
    /// bound. SMTP: `452 4.3.1`.
    #[error("the spool is full")]
    Full,
    /// Writing or flushing failed, or the spool is closing. SMTP: `451 4.3.0`.
    #[error("the spool could not store the message")]
    Failed,
    /// Larger than `spool.message_max`. SMTP: `552 5.3.4`.
    #[error("the message is larger than the spool takes")]
    TooLarge,
    /// No recipient. SMTP: `554 5.5.1`.
    #[error("the envelope has no recipient")]
    NoRecipients,
    /// More recipients than the permit or the spool allows. SMTP: `452 4.5.3`.
    #[error("the envelope has more recipients than allowed")]
    TooManyRecipients,
    /// The permit was given for another envelope sender. SMTP: `550 5.7.1`.
    #[error("the permit does not cover the envelope sender")]
    NotPermitted,
}

/// Why an outcome is not on disk.
///
/// It holds in memory all the same, and is written as soon as writing works again: until
/// then a crash would cause one more attempt at what was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettleError {
    /// Writing or flushing failed.
    #[error("the outcome of {0} is not on disk yet")]
    NotDurable(QueueId),
    /// The spool is closing; the message is tried again after the next start.
    #[error("the spool is closing; {0} will be tried again")]
    Closed(QueueId),
}

/// Why an administrator's wish was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// No such message (any more).
    #[error("there is no message {0} in the queue")]
    NotFound(QueueId),
    /// Writing or flushing failed; nothing changed, unless a crash in this moment makes the
    /// change all the same.
    #[error("the spool could not record the change to {0}")]
    Failed(QueueId),
}
