//! Counters of what the bridge did, for metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::publish::{NotPublished, Published};
use crate::refused::Refused;

/// What the bridge did since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BridgeCounts {
    /// Grants in memory; expired ones are among them until they are swept.
    pub grants: u64,
    /// Logins that made a grant, renewed one, or did not, and why.
    pub logins: BTreeMap<&'static str, u64>,
    /// Attempts that were allowed.
    pub allowed: u64,
    /// Messages accepted by a grant.
    pub accepted: u64,
    /// Attempts that were refused, by reason.
    pub refused: BTreeMap<&'static str, u64>,
}

const LOGINS: [&str; 8] = [
    "new",
    "refreshed",
    "disabled",
    "other-service",
    "address-unknown",
    "excluded-network",
    "closed",
    "full",
];

#[derive(Debug, Default)]
pub(crate) struct Counters {
    logins: [AtomicU64; LOGINS.len()],
    allowed: AtomicU64,
    accepted: AtomicU64,
    refused: [AtomicU64; Refused::REASONS.len()],
}

impl Counters {
    pub(crate) fn login(&self, published: Published) {
        count(&self.logins, &LOGINS, word_of(published));
    }

    pub(crate) fn allowed(&self) {
        self.allowed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, refused: &Refused) {
        count(&self.refused, &Refused::REASONS, refused.reason());
    }

    pub(crate) fn read(&self, grants: usize) -> BridgeCounts {
        let table = |words: &[&'static str], numbers: &[AtomicU64]| {
            let numbers = numbers.iter().map(|number| number.load(Ordering::Relaxed));
            words.iter().copied().zip(numbers).collect()
        };
        BridgeCounts {
            grants: grants as u64,
            logins: table(&LOGINS, &self.logins),
            allowed: self.allowed.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            refused: table(&Refused::REASONS, &self.refused),
        }
    }
}

/// The word for log and metrics.
pub(crate) fn word_of(published: Published) -> &'static str {
    match published {
        Published::New => "new",
        Published::Refreshed => "refreshed",
        Published::Not(NotPublished::Disabled) => "disabled",
        Published::Not(NotPublished::OtherService) => "other-service",
        Published::Not(NotPublished::AddressUnknown) => "address-unknown",
        Published::Not(NotPublished::ExcludedNetwork) => "excluded-network",
        Published::Not(NotPublished::Closed) => "closed",
        Published::Not(NotPublished::Full) => "full",
    }
}

fn count(numbers: &[AtomicU64], words: &[&str], word: &str) {
    let place = words.iter().position(|known| *known == word);
    if let Some(number) = place.and_then(|place| numbers.get(place)) {
        number.fetch_add(1, Ordering::Relaxed);
    }
}
