//! Which accounts are being upgraded, and which records have been: one record once.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use address::AccountKey;

use crate::StoredHash;

/// Records remembered as done with. They matter until their source shows the new ones.
const SETTLED_MAX: usize = 16_384;

#[derive(Default)]
pub(super) struct Seen {
    accounts: HashMap<AccountKey, State>,
    /// Settled accounts in the order in which they were; some may be under way again.
    settled: VecDeque<AccountKey>,
    hasher: RandomState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Underway,
    /// This record needs no more looks.
    Settled(u64),
}

impl Seen {
    /// Notes that the account is being upgraded. None: it is already, or this record was.
    pub(super) fn begin(&mut self, key: &AccountKey, old: &StoredHash) -> Option<u64> {
        let record = self.hasher.hash_one(old.text());
        match self.accounts.get(key) {
            Some(State::Underway) => return None,
            Some(State::Settled(known)) if *known == record => return None,
            _ => {}
        }
        self.accounts.insert(key.clone(), State::Underway);
        Some(record)
    }

    /// The record is upgraded, or is no longer there to be.
    pub(super) fn settle(&mut self, key: &AccountKey, record: u64) {
        self.accounts.insert(key.clone(), State::Settled(record));
        self.settled.push_back(key.clone());
        if self.settled.len() > SETTLED_MAX
            && let Some(oldest) = self.settled.pop_front()
            && !self.settled.contains(&oldest)
        {
            self.forget_settled(&oldest);
        }
    }

    pub(super) fn forget(&mut self, key: &AccountKey) {
        self.accounts.remove(key);
    }

    pub(super) fn forget_unless_settled(&mut self, key: &AccountKey) {
        if self.accounts.get(key) == Some(&State::Underway) {
            self.accounts.remove(key);
        }
    }

    fn forget_settled(&mut self, key: &AccountKey) {
        if matches!(self.accounts.get(key), Some(State::Settled(_))) {
            self.accounts.remove(key);
        }
    }
}
