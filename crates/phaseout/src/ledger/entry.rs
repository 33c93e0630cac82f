//! One use of an access, as the ledger remembers it.

use std::net::IpAddr;
use std::sync::Arc;

use address::AccountKey;
use jiff::Timestamp;
use serde::Serialize;

use crate::phase::Phase;

/// Whether an access is the one that is being retired or the one that replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Being retired.
    Legacy,
    /// What customers are to use instead.
    Modern,
}

/// What came of a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was honoured and came to its end.
    Allowed,
    /// It was refused, for the reason of that stable word; never empty.
    Refused(&'static str),
}

/// One use of an access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// From where.
    pub client: IpAddr,
    /// By whom.
    pub account: AccountKey,
    /// Old or new.
    pub access: Access,
    /// Name of the access, such as `smtp-auth`.
    pub method: &'static str,
    /// What the client called itself. Only the first [`Entry::HELO_MAX`] octets are kept.
    pub helo: Box<str>,
    /// Whether the client speaks the extended protocol, without which it can't authenticate.
    pub extended: bool,
    /// The account's cohort at that time.
    pub cohort: Arc<str>,
    /// The account's phase at that time.
    pub phase: Phase,
    /// What came of it.
    pub outcome: Outcome,
    /// The address it was used for, if it is about one.
    pub sender: Option<Box<str>>,
}

impl Entry {
    /// Octets of a HELO name that are kept: the client chooses it, and each is a row.
    pub const HELO_MAX: usize = 128;

    pub(crate) fn helo_kept(&self) -> &str {
        let mut end = self.helo.len().min(Self::HELO_MAX);
        while !self.helo.is_char_boundary(end) {
            end -= 1;
        }
        &self.helo[..end]
    }
}
