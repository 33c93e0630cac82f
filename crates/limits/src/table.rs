//! A bounded table in shards, each under a lock of its own that is held for one decision.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many that a snapshot holds each for well below a millisecond.
const SHARDS: usize = 256;

/// What a table needs to know of its values.
pub(crate) trait Tally: Default {
    /// The minute in which it was last used.
    fn seen(&self) -> u32;

    /// Whether nothing in it matters any more at `now`, in seconds.
    fn is_idle(&mut self, now: u64) -> bool;
}

/// The table. When a shard is full, the sixteenth of it that was idle for longest is forgotten.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    shards: Vec<Mutex<HashMap<K, V>>>,
    hasher: RandomState,
    most: usize,
}

impl<K: Hash + Eq + Clone, V: Tally> Table<K, V> {
    /// A table of about `most` entries; a shard's share may be used up a little earlier.
    pub(crate) fn new(most: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        // Keys spread unevenly: a little more for each shard, so that `most` fit.
        let share = most.div_ceil(SHARDS);
        Self { shards, hasher: RandomState::new(), most: (share + share / 8).max(4) }
    }

    /// Works on the entry of `key`, which is made if there is none. `work` must not touch this
    /// table.
    pub(crate) fn with<R>(&self, key: &K, work: impl FnOnce(&mut V) -> R) -> R {
        let mut shard = self.shard(key);
        if let Some(value) = shard.get_mut(key) {
            return work(value);
        }
        if shard.len() >= self.most {
            forget_idle(&mut shard);
        }
        work(shard.entry(key.clone()).or_default())
    }

    /// Works on the entry of `key` if there is one.
    pub(crate) fn with_known<R>(&self, key: &K, work: impl FnOnce(&mut V) -> R) -> Option<R> {
        self.shard(key).get_mut(key).map(work)
    }

    pub(crate) fn remove(&self, key: &K) -> Option<V> {
        self.shard(key).remove(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Removes what does not matter any more.
    pub(crate) fn sweep(&self, now: u64) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.retain(|_, value| !value.is_idle(now));
            if shard.capacity() > 4 * shard.len() + 64 {
                shard.shrink_to_fit();
            }
        }
    }

    /// Shows each entry, shard by shard; `between` is called after each, without a lock.
    pub(crate) fn visit<E>(
        &self,
        mut show: impl FnMut(&K, &mut V),
        mut between: impl FnMut() -> Result<(), E>,
    ) -> Result<(), E> {
        for _ in self.shards.iter().map(|shard| {
            for (key, value) in lock(shard).iter_mut() {
                show(key, value);
            }
        }) {
            between()?;
        }
        Ok(())
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, V>> {
        let index = (self.hasher.hash_one(key) >> 32) as usize % SHARDS;
        lock(&self.shards[index])
    }
}

fn lock<K, V>(shard: &Mutex<HashMap<K, V>>) -> MutexGuard<'_, HashMap<K, V>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn forget_idle<K: Hash + Eq, V: Tally>(shard: &mut HashMap<K, V>) {
    let mut ages: Vec<u32> = shard.values().map(Tally::seen).collect();
    let mut left = (ages.len() / 16).max(1);
    let (_, cut, _) = ages.select_nth_unstable(left - 1);
    let cut = *cut;
    shard.retain(|_, value| {
        let goes = left > 0 && value.seen() <= cut;
        left -= usize::from(goes);
        !goes
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Minute(u32);

    impl Tally for Minute {
        fn seen(&self) -> u32 {
            self.0
        }

        fn is_idle(&mut self, now: u64) -> bool {
            u64::from(self.0) * 60 < now
        }
    }

    #[test]
    fn all_fit_that_may_be_there() {
        let table = Table::new(100_000);
        for key in 0..100_000_u32 {
            table.with(&key, |value: &mut Minute| value.0 = key);
        }
        let kept = table.len();
        assert!(kept > 99_000, "{kept}");
    }

    #[test]
    fn a_flood_pushes_out_what_was_idle_for_longest() {
        let table = Table::new(10_000);
        for key in 0..1_000_000_u32 {
            table.with(&key, |value: &mut Minute| value.0 = key / 100);
        }
        assert!(table.len() <= 12_000, "{}", table.len());
        assert!((999_000..1_000_000).all(|key| table.with_known(&key, |_| ()).is_some()));
        assert!(table.with_known(&0, |_| ()).is_none());
        table.sweep(9_999 * 60);
        assert_eq!(table.len(), 100);
        assert!(table.remove(&999_999).is_some());
    }
}
