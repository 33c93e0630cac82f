//! To whom an account has written before.

/// Days after which what was not used falls into the generation before, and after as many
/// again is forgotten.
const GENERATION_DAYS: u32 = 90;

/// The recipients of one account as keyed 32-bit digests, in two generations. Who is written
/// to comes into the young one; when that is 90 days old, or holds half of what may be
/// remembered, the old one is forgotten and the young one is old. So a recipient is remembered for
/// 90 to 180 days, in four octets. A stranger is taken for a known one with probability
/// `n / 2^32`, which for 5000 remembered is about one in a million.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The day on which the young generation began.
    pub(crate) begun: u32,
    /// Sorted.
    pub(crate) young: Vec<u32>,
    /// Sorted.
    pub(crate) old: Vec<u32>,
}

impl Known {
    /// Whether it is remembered.
    pub(crate) fn contains(&self, digest: u32) -> bool {
        self.young.binary_search(&digest).is_ok() || self.old.binary_search(&digest).is_ok()
    }

    /// How many of `digests` are not remembered, each counted once.
    pub(crate) fn strangers(&self, digests: &[u32]) -> u32 {
        let new = |(at, digest): &(usize, &u32)| {
            !self.contains(**digest) && !digests[..*at].contains(*digest)
        };
        // Long lists are sorted first: no message makes this square.
        if digests.len() > 32 {
            let mut sorted = digests.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            sorted.retain(|digest| !self.contains(*digest));
            return u32::try_from(sorted.len()).unwrap_or(u32::MAX);
        }
        u32::try_from(digests.iter().enumerate().filter(new).count()).unwrap_or(u32::MAX)
    }

    /// Moves on to `day`.
    pub(crate) fn age(&mut self, day: u32) {
        let days = day.saturating_sub(self.begun);
        if self.young.is_empty() && self.old.is_empty() {
            self.begun = self.begun.max(day);
        } else if days >= 2 * GENERATION_DAYS {
            *self = Self { begun: day, ..Self::default() };
        } else if days >= GENERATION_DAYS {
            self.turn(day);
        }
    }

    /// Remembers `digests`, at most `most` in all.
    pub(crate) fn remember(&mut self, digests: &[u32], day: u32, most: usize) {
        self.age(day);
        for digest in digests {
            if let Err(place) = self.young.binary_search(digest) {
                self.young.insert(place, *digest);
            }
            if self.young.len() >= (most / 2).max(1) {
                self.turn(day);
            }
        }
    }

    fn turn(&mut self, day: u32) {
        self.old = std::mem::take(&mut self.young);
        self.old.shrink_to_fit();
        self.begun = self.begun.max(day);
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        let both = self.young.iter().filter(|digest| self.old.binary_search(digest).is_ok());
        self.young.len() + self.old.len() - both.count()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_counted_once() {
        let mut known = Known::default();
        assert_eq!(known.strangers(&[1, 2, 2, 3]), 3);
        known.remember(&[2], 10, 100);
        assert_eq!(known.strangers(&[1, 2, 2, 3]), 2);
        let many: Vec<u32> = (0..200).chain(0..200).collect();
        assert_eq!(known.strangers(&many), 199);
    }

    #[test]
    fn who_is_not_written_to_is_forgotten_after_two_generations() {
        let mut known = Known::default();
        known.remember(&[1, 2], 0, 100);
        known.remember(&[1], 95, 100);
        assert!(known.contains(1) && known.contains(2));
        known.age(95 + 90);
        assert!(known.contains(1), "it was used in the generation that is old now");
        assert!(!known.contains(2));
        known.age(95 + 270);
        assert!(known.is_empty());
    }

    #[test]
    fn no_more_is_remembered_than_may_be() {
        let mut known = Known::default();
        for digest in 0..10_000 {
            known.remember(&[digest], 1, 1000);
            assert!(known.young.len() + known.old.len() <= 1000);
        }
        assert!(known.contains(9_999) && known.contains(9_500) && !known.contains(1));
        assert!(known.len() >= 500);
        known.remember(&[7], 1, 0);
        assert!(known.contains(7), "a bound of nothing still bears one");
    }
}
