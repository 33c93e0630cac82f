//! What to do when a message is late.

/// What to do when a message could not be delivered by its time (RFC 2852 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByMode {
    /// Return it (`R`).
    Return,
    /// Tell the sender and go on trying (`N`).
    Notify,
}

impl ByMode {
    /// The letter in `BY=`.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Return => 'R',
            Self::Notify => 'N',
        }
    }
}
