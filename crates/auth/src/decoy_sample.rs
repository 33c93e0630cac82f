//! What the hashes of a source cost that cannot be looked through: learnt from those that were
//! seen, so that a login that nobody has takes as long as one of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::StoredHash;
use crate::hash::CostClass;

/// How many hashes are counted; then the proportions stay, so that a login that nobody has
/// keeps the time it takes.
const SAMPLE_MAX: u64 = 1024;
/// How many costs are imitated.
const CLASSES_MAX: usize = 16;

/// A sample of the costs in use; holds no hash of anybody.
#[derive(Debug, Default)]
pub struct DecoySample(Mutex<Sample>);

#[derive(Debug, Default)]
struct Sample {
    seen: u64,
    classes: BTreeMap<CostClass, (u64, Arc<StoredHash>)>,
}

impl DecoySample {
    /// Counts the hash of an account that was looked up. Costs nothing once enough were seen.
    pub fn see(&self, hash: &StoredHash) {
        let mut sample = self.lock();
        if sample.seen >= SAMPLE_MAX {
            return;
        }
        let Ok(class) = hash.cost_class() else { return };
        if let Some((count, _)) = sample.classes.get_mut(&class) {
            *count += 1;
        } else if sample.classes.len() < CLASSES_MAX
            && let Ok(decoy) = hash.decoy()
        {
            sample.classes.insert(class, (1, Arc::new(decoy)));
        } else {
            return;
        }
        sample.seen += 1;
    }

    /// A hash of nobody's password; which of the costs it has is chosen by `seed`, in the
    /// proportion in which accounts have them. None before any was seen.
    #[must_use]
    pub fn pick(&self, seed: u64) -> Option<Arc<StoredHash>> {
        let sample = self.lock();
        let mut at = seed.checked_rem(sample.seen)?;
        for (count, decoy) in sample.classes.values() {
            match at.checked_sub(*count) {
                None => return Some(Arc::clone(decoy)),
                Some(rest) => at = rest,
            }
        }
        None
    }

    /// Begins a new sample: after a change of many hashes.
    pub fn forget(&self) {
        *self.lock() = Sample::default();
    }

    fn lock(&self) -> MutexGuard<'_, Sample> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scheme;
    use crate::testing::{cheap, plain};

    #[test]
    fn decoys_cost_what_was_seen_in_its_proportion() {
        let sample = DecoySample::default();
        assert!(sample.pick(7).is_none(), "nothing is known yet");
        sample.see(&plain("secret"));
        (0..3).for_each(|_| sample.see(&cheap("other")));
        let argon = (0..400)
            .filter(|seed| sample.pick(*seed).unwrap().scheme() == Scheme::Argon2id)
            .count();
        assert_eq!(argon, 300);
        assert!((0..4).all(|seed| !sample.pick(seed).unwrap().verify(b"secret")));
        for _ in 0..2 * SAMPLE_MAX {
            sample.see(&plain("secret"));
        }
        assert_eq!(sample.lock().seen, SAMPLE_MAX, "enough is enough");
        sample.forget();
        assert!(sample.pick(7).is_none());
    }
}
