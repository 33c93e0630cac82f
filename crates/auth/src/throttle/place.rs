//! Places for strangers at an account that is attacked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Tag;

type Taken = Arc<Mutex<HashMap<Tag, u32>>>;

pub(super) struct Places {
    /// Accounts at which somebody waits; whoever waits sleeps, and sleepers are bounded.
    taken: Taken,
    most: u32,
}

/// A place, until it is dropped.
pub(crate) struct Place {
    taken: Taken,
    tag: Tag,
}

impl Places {
    pub(super) fn new(most: u32) -> Self {
        Self { taken: Taken::default(), most }
    }

    /// A place at `tag`; a suspect gets one of the first half alone.
    pub(super) fn take(&self, tag: Tag, suspect: bool) -> Option<Place> {
        let most = if suspect { self.most.div_ceil(2) } else { self.most };
        let mut taken = lock(&self.taken);
        let of = taken.entry(tag).or_default();
        if *of >= most {
            return None;
        }
        *of += 1;
        drop(taken);
        Some(Place { taken: Arc::clone(&self.taken), tag })
    }

    #[cfg(test)]
    pub(super) fn accounts(&self) -> usize {
        lock(&self.taken).len()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(of) = taken.get_mut(&self.tag) {
            *of = of.saturating_sub(1);
            if *of == 0 {
                taken.remove(&self.tag);
            }
        }
    }
}

fn lock(taken: &Taken) -> MutexGuard<'_, HashMap<Tag, u32>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspects_leave_half_of_the_room() {
        let places = Places::new(4);
        let suspects: Vec<_> = (0..5).filter_map(|_| places.take(Tag(1), true)).collect();
        assert_eq!(suspects.len(), 2);
        let others: Vec<_> = (0..5).filter_map(|_| places.take(Tag(1), false)).collect();
        assert_eq!(others.len(), 2);
        assert!(places.take(Tag(2), true).is_some(), "another account");
        drop((suspects, others));
        assert_eq!(places.accounts(), 0, "nothing is left behind");
    }
}
