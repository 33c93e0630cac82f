//! The phases through which a cohort goes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A phase of a retirement. They come in this order and none comes back.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Honoured and counted.
    #[default]
    Open,
    /// Honoured; the customer is written to.
    Notice,
    /// Refused in stated windows or for a stated share of hours, honoured otherwise.
    Brownout,
    /// Refused.
    Closed,
}

impl Phase {
    /// All phases in order.
    pub const ALL: [Self; 4] = [Self::Open, Self::Notice, Self::Brownout, Self::Closed];

    /// The word used in configuration, log and ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Notice => "notice",
            Self::Brownout => "brownout",
            Self::Closed => "closed",
        }
    }

    /// The phase of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
