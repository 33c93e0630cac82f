//! A concurrent table of bounded size that forgets what was touched longest ago.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many parts have a lock of their own.
const SHARDS: usize = 16;

/// Each part is two maps. What is touched is in the young one; when that is full it becomes
/// the old one, and what the old one still held, untouched since, is gone. So an insertion
/// never searches for a victim, no sweeper is needed, and between half of the bound and the
/// whole of it is kept. A flood of new keys pushes out keys that stay silent; it cannot make
/// the table grow.
pub(crate) struct BoundedTable<K, V> {
    shards: Box<[Mutex<Generations<K, V>>]>,
    hasher: RandomState,
    half: usize,
}

struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Hash + Eq + Copy, V: Copy + Default> BoundedTable<K, V> {
    /// For at most `entries` keys (rounded up to a multiple of 32).
    pub(crate) fn new(entries: usize) -> Self {
        let empty = || Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() });
        Self {
            shards: (0..SHARDS).map(|_| empty()).collect(),
            hasher: RandomState::new(),
            half: entries.div_ceil(2 * SHARDS).max(1),
        }
    }

    /// The value of `key`, if it is remembered.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let shard = self.shard(key);
        shard.young.get(key).or_else(|| shard.old.get(key)).copied()
    }

    /// Changes the value of `key`, which begins at the default.
    pub(crate) fn update<R>(&self, key: K, change: impl FnOnce(&mut V) -> R) -> R {
        let mut shard = self.shard(&key);
        let shard = &mut *shard;
        if !shard.young.contains_key(&key) {
            let known = shard.old.remove(&key).unwrap_or_default();
            if shard.young.len() >= self.half {
                shard.old = std::mem::take(&mut shard.young);
            }
            shard.young.insert(key, known);
        }
        change(shard.young.entry(key).or_default())
    }

    /// Changes the value of `key` if it is remembered.
    pub(crate) fn update_known<R>(&self, key: K, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        let mut shard = self.shard(&key);
        let shard = &mut *shard;
        let value = match shard.young.get_mut(&key) {
            Some(value) => value,
            None => shard.old.get_mut(&key)?,
        };
        Some(change(value))
    }

    /// Forgets `key`; what was remembered of it.
    pub(crate) fn remove(&self, key: &K) -> Option<V> {
        let mut shard = self.shard(key);
        let young = shard.young.remove(key);
        let old = shard.old.remove(key);
        young.or(old)
    }

    /// Looks at all of it, one part after the other: for an admin's questions, never for a
    /// login.
    pub(crate) fn visit(&self, mut see: impl FnMut(&K, &V)) {
        for shard in &self.shards {
            let shard = lock(shard);
            shard.young.iter().chain(&shard.old).for_each(|(key, value)| see(key, value));
        }
    }

    /// Keeps what `keep` says, as slowly as [`Self::visit`]; how many were forgotten.
    pub(crate) fn retain(&self, mut keep: impl FnMut(&K, &mut V) -> bool) -> usize {
        let mut forgotten = 0;
        for shard in &self.shards {
            let mut shard = lock(shard);
            let Generations { young, old } = &mut *shard;
            for map in [young, old] {
                let before = map.len();
                map.retain(&mut keep);
                forgotten += before - map.len();
            }
        }
        forgotten
    }

    /// How many keys are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let count = |shard: &Mutex<Generations<K, V>>| {
            let shard = lock(shard);
            shard.young.len() + shard.old.len()
        };
        self.shards.iter().map(count).sum()
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Generations<K, V>> {
        // The low bits choose the shard; the maps hash with keys of their own.
        lock(&self.shards[self.hasher.hash_one(key) as usize % SHARDS])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_neither_grows_it_nor_drops_what_is_touched() {
        let table: BoundedTable<u64, u32> = BoundedTable::new(1024);
        table.update(u64::MAX, |v| *v = 7);
        for key in 0..1_000_000 {
            table.update(key, |v| *v += 1);
            if key % 8 == 0 {
                table.update(u64::MAX, |v| *v += 1);
            }
        }
        assert!(table.len() <= 1024, "{}", table.len());
        assert!(table.len() >= 512, "{}", table.len());
        assert_eq!(table.get(&u64::MAX), Some(7 + 125_000));
        assert_eq!(table.get(&0), None, "touched once and long ago");
    }

    #[test]
    fn the_old_generation_is_still_known() {
        let table: BoundedTable<u8, u32> = BoundedTable::new(1);
        table.update(1, |v| *v = 1);
        let same_shard = (2..=255)
            .find(|k| table.hasher.hash_one(k) % 16 == table.hasher.hash_one(1_u8) % 16)
            .unwrap();
        table.update(same_shard, |v| *v = 2);
        assert_eq!((table.get(&1), table.get(&same_shard)), (Some(1), Some(2)));
        assert_eq!(table.update_known(1, |v| *v), Some(1));
        assert_eq!(table.update(1, |v| *v), 1, "brought back into the young generation");
    }

    #[test]
    fn what_is_seen_removed_and_kept_is_of_both_generations() {
        let table: BoundedTable<u32, u32> = BoundedTable::new(1024);
        for key in 0..700 {
            table.update(key, |v| *v = key);
        }
        let mut seen = Vec::new();
        table.visit(|key, value| seen.push((*key, *value)));
        assert_eq!(seen.len(), table.len());
        assert!(seen.iter().all(|(key, value)| key == value));
        let known = seen[0].0;
        assert_eq!((table.remove(&known), table.remove(&known)), (Some(known), None));
        let before = table.len();
        let forgotten = table.retain(|key, _| key % 2 == 0);
        assert_eq!(table.len() + forgotten, before);
        table.visit(|key, _| assert_eq!(key % 2, 0));
    }

    #[test]
    fn concurrent_changes_are_all_counted() {
        let table: BoundedTable<u32, u32> = BoundedTable::new(4096);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..4000).for_each(|i| table.update(i % 10, |v| *v += 1)));
            }
        });
        assert_eq!((0..10).filter_map(|k| table.get(&k)).collect::<Vec<_>>(), [3200; 10]);
    }
}
