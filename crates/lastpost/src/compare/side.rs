//! Which of the two servers, and what went wrong with it.

use std::fmt;

use serde::Serialize;

/// One of the two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    /// The one that customers use today.
    Old,
    /// The one that they are to use.
    New,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Old => "old server",
            Self::New => "new server",
        })
    }
}

/// Why a server could not be asked on.
#[derive(Debug, thiserror::Error)]
#[error("{side}: {what}")]
pub(super) struct Failure {
    side: Side,
    what: String,
}

impl Failure {
    pub(super) fn new(side: Side, what: impl Into<String>) -> Self {
        Self { side, what: what.into() }
    }
}

/// What a server said, for a message to people: cut, and without control characters.
pub(super) fn shown(text: &[u8]) -> String {
    let cut = text.get(..200).unwrap_or(text);
    String::from_utf8_lossy(cut).escape_debug().to_string()
}
