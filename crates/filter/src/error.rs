//! Why a filter could not be asked.

use std::io;

/// Why a filter could not be asked. The message is none the worse for it; the filter's
/// `on_failure` decides.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    /// It cannot be reached, or the connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It took too long.
    #[error("no answer in time")]
    TimedOut,
    /// It closed the connection in the middle.
    #[error("the connection was closed")]
    Closed,
    /// It sent something that the protocol does not know there.
    #[error("{0}")]
    Nonsense(&'static str),
    /// All its connections are busy.
    #[error("all connections are busy")]
    Busy,
    /// The text of the message could not be read again.
    #[error("the message cannot be read: {0}")]
    Text(io::Error),
}
