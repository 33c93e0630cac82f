//! What filters changed.

use bytes::Bytes;

/// What filters changed of a message. Nothing, by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The whole header section, if any of it was changed.
    pub header: Option<Vec<u8>>,
    /// The whole body, if it was replaced: lines with CRLF as the filter gave them, not checked.
    pub body: Option<Vec<Bytes>>,
    /// The new reverse path without brackets; empty for the null path.
    pub sender: Option<String>,
    /// Recipients that were added, without brackets; not checked.
    pub added: Vec<String>,
    /// Recipients that were removed, without brackets.
    pub removed: Vec<String>,
}

impl Changes {
    /// Whether there are none.
    #[must_use]
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}
