//! What can go wrong with a maildrop, as values a daemon can turn into replies.

use std::io;
use std::path::PathBuf;

use crate::{Quota, Usage};

/// Why a maildrop could not be opened. None of these is ever answered with an empty maildrop.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another session holds the lock (RFC 2449 section 8.1.1: `[IN-USE]`).
    #[error("maildrop {} is in use by another session", path.display())]
    InUse {
        /// The Maildir.
        path: PathBuf,
    },
    /// A directory or file could not be read, made or locked (RFC 3206: `[SYS/TEMP]`).
    #[error("maildrop {}: {doing}: {source}", path.display())]
    Unavailable {
        /// The Maildir.
        path: PathBuf,
        /// What was being done, such as `reading cur`.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// More messages than [`crate::OpenOptions::messages_max`].
    #[error("maildrop {} holds more than {limit} messages", path.display())]
    TooMany {
        /// The Maildir.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
}

impl OpenError {
    /// Whether the Maildir is not there at all.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Unavailable { doing: crate::tree::OPENING, source, .. }
            if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Why a message could not be opened for reading.
#[derive(Debug, thiserror::Error)]
pub enum RetrieveError {
    /// There is no message with this index.
    #[error("there is no message with index {index}")]
    NoSuchMessage {
        /// The 0-based index asked for.
        index: usize,
    },
    /// The file was there at login and some other program has removed it since.
    #[error("message file was removed by another program")]
    Gone,
    /// The file could not be opened or read (RFC 3206: `[SYS/TEMP]`).
    #[error("message file cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Why a message could not be delivered. Nothing of it is left behind in any of these cases.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The Maildir is missing or cannot be made or opened: a temporary failure.
    #[error("maildrop {}: {doing}: {source}", path.display())]
    Unavailable {
        /// The Maildir.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Disk or quota is full (RFC 3463: `4.2.2`).
    #[error("maildrop {}: no space left: {source}", path.display())]
    Full {
        /// The Maildir.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The Maildir holds as much as it may, or the message is larger than all it may hold
    /// (RFC 3463: `x.2.2`).
    #[error("maildrop {}: over quota {quota}: {used}, and {octets} octets more", path.display())]
    OverQuota {
        /// The Maildir.
        path: PathBuf,
        /// The limits.
        quota: Quota,
        /// What is there.
        used: Usage,
        /// The message.
        octets: u64,
    },
    /// The message could not be read from where it was to come from.
    #[error("the message could not be read: {0}")]
    Source(io::Error),
}
