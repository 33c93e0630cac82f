//! What the session needs to know of the messages in a maildrop, and its marks upon them.

use alloc::vec::Vec;

/// A locked maildrop as the session sees it: fixed from the login to the end.
///
/// The session asks with indexes from 0 to `count() - 1` only, and keeps no copy of the
/// answers.
pub trait Messages {
    /// How many messages there are.
    fn count(&self) -> usize;

    /// Octets of a message in CRLF form, stuffed dots not counted (RFC 1939 section 11).
    fn octets(&self, index: usize) -> u64;

    /// The unique-id of a message: 1 to 70 characters from 0x21 to 0x7E (RFC 1939 section 7).
    fn uidl(&self, index: usize) -> &str;

    /// Whether the message was sent in full in an earlier session that ended with `QUIT`: what
    /// `LAST` starts from (RFC 1460 section 5).
    fn retrieved_before(&self, index: usize) -> bool;
}

/// A set of message indexes. Takes no memory until something is marked.
#[derive(Debug, Default)]
pub(crate) struct Marks(Vec<u64>);

const BITS: usize = u64::BITS as usize;

impl Marks {
    pub(crate) fn contains(&self, index: usize) -> bool {
        self.0.get(index / BITS).is_some_and(|word| word >> (index % BITS) & 1 == 1)
    }

    pub(crate) fn insert(&mut self, index: usize) {
        let word = index / BITS;
        if self.0.len() <= word {
            self.0.resize(word.saturating_add(1), 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (index % BITS);
        }
    }

    /// The marked indexes, ascending.
    pub(crate) fn to_indexes(&self) -> Vec<usize> {
        let mut indexes = Vec::new();
        for (at, &word) in self.0.iter().enumerate() {
            let mut rest = word;
            while rest != 0 {
                indexes.push(at * BITS + rest.trailing_zeros() as usize);
                rest &= rest - 1;
            }
        }
        indexes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_a_set() {
        let mut marks = Marks::default();
        assert!(!marks.contains(0) && !marks.contains(100_000));
        for index in [64, 0, 63, 64, 1000] {
            marks.insert(index);
        }
        assert_eq!(marks.to_indexes(), [0, 63, 64, 1000]);
        assert!(marks.contains(63) && !marks.contains(62) && !marks.contains(5000));
    }
}
