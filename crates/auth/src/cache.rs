//! Passwords that were found right a while ago, as keyed digests.

use std::time::Duration;

use quick_cache::sync::Cache;

use crate::Account;
use crate::seal::Seal;

/// Remembers successes alone, and no more of them than it was told to.
///
/// An entry is found only by a digest over the account, its stored hash and the password: a
/// changed record is another digest, so that nothing has to be thrown out. The account itself
/// is looked up before the cache is asked.
pub(crate) struct VerifiedCache {
    seal: Seal,
    entries: Cache<[u8; 32], Duration>,
    ttl: Duration,
}

/// The digest of one account with one password.
#[derive(Clone, Copy)]
pub(crate) struct CacheKey([u8; 32]);

impl VerifiedCache {
    /// For up to `entries` passwords, each for `ttl`; zero remembers nothing.
    pub(crate) fn new(seal: Seal, entries: usize, ttl: Duration) -> Self {
        Self { seal, entries: Cache::new(if ttl.is_zero() { 1 } else { entries }), ttl }
    }

    pub(crate) fn key(&self, account: &Account, password: &[u8]) -> Option<CacheKey> {
        if self.ttl.is_zero() {
            return None;
        }
        let account_key = account.key().as_str().as_bytes();
        let stored = account.credential().record()?.as_bytes();
        Some(CacheKey(self.seal.digest(&[b"verified", account_key, stored, password])))
    }

    /// Whether it was found right less than the time to live before `now`.
    pub(crate) fn contains(&self, key: &CacheKey, now: Duration) -> bool {
        match self.entries.get(&key.0) {
            Some(until) if now < until => true,
            Some(_) => {
                self.entries.remove(&key.0);
                false
            }
            None => false,
        }
    }

    pub(crate) fn insert(&self, key: &CacheKey, now: Duration) {
        self.entries.insert(key.0, now.saturating_add(self.ttl));
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
