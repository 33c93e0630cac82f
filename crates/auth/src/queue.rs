//! Who is served next, and who gives way when the queue is full.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Whether a client has logged in lately from where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has, with this account.
    Known,
    /// It has not.
    Unknown,
}

/// Known clients are served before a stranger, but every fifth turn is a stranger's.
const STREAK_MAX: u32 = 4;

/// A bounded queue that is fair between sources: each source in turn, oldest first within it.
/// One address with a thousand attempts waits for itself and not for others.
pub(crate) struct FairQueue<S, T> {
    known: Lane<S, T>,
    unknown: Lane<S, T>,
    capacity: usize,
    streak: u32,
}

/// What became of a newcomer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Push<T> {
    /// It waits.
    Waits,
    /// It waits, and this one, of the source that had the most, does no longer.
    Displaced(T),
    /// There is no room, and nobody has to give way to it.
    Refused(T),
}

impl<S: Hash + Eq + Copy, T> FairQueue<S, T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { known: Lane::new(), unknown: Lane::new(), capacity, streak: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len + self.unknown.len
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    /// Takes `item` in. When the queue is full a known client displaces a stranger, and
    /// anybody displaces an item of a source that has at least two more than he has.
    pub(crate) fn push(&mut self, source: S, standing: Standing, item: T) -> Push<T> {
        let displaced = if self.is_full() {
            let victim = match standing {
                Standing::Known if self.unknown.len > 0 => self.unknown.displace(0),
                Standing::Known => self.known.displace(self.known.of(&source) + 2),
                Standing::Unknown => self.unknown.displace(self.unknown.of(&source) + 2),
            };
            match victim {
                Some(victim) => Some(victim),
                None => return Push::Refused(item),
            }
        } else {
            None
        };
        match standing {
            Standing::Known => self.known.push(source, item),
            Standing::Unknown => self.unknown.push(source, item),
        }
        displaced.map_or(Push::Waits, Push::Displaced)
    }

    /// The next one to serve.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let strangers_turn = self.streak >= STREAK_MAX && self.unknown.len > 0;
        if !strangers_turn && let Some(item) = self.known.pop() {
            self.streak += 1;
            return Some(item);
        }
        self.streak = 0;
        self.unknown.pop()
    }

    /// Keeps only what `keep` says: for clients that have gone away.
    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.known.retain(&keep);
        self.unknown.retain(&keep);
    }
}

struct Lane<S, T> {
    /// Each source that has somebody waiting, once, in the order of its turn.
    turns: VecDeque<S>,
    waiting: HashMap<S, VecDeque<T>>,
    len: usize,
}

impl<S: Hash + Eq + Copy, T> Lane<S, T> {
    fn new() -> Self {
        Self { turns: VecDeque::new(), waiting: HashMap::new(), len: 0 }
    }

    fn of(&self, source: &S) -> usize {
        self.waiting.get(source).map_or(0, VecDeque::len)
    }

    fn push(&mut self, source: S, item: T) {
        let line = self.waiting.entry(source).or_default();
        if line.is_empty() {
            self.turns.push_back(source);
        }
        line.push_back(item);
        self.len += 1;
    }

    fn pop(&mut self) -> Option<T> {
        let source = self.turns.pop_front()?;
        let line = self.waiting.get_mut(&source)?;
        let item = line.pop_front()?;
        if line.is_empty() {
            self.waiting.remove(&source);
        } else {
            self.turns.push_back(source);
        }
        self.len -= 1;
        Some(item)
    }

    /// Takes out the item that has waited longest at the source with the most of them, if
    /// that one has at least `least`.
    fn displace(&mut self, least: usize) -> Option<T> {
        let (source, count) =
            self.turns.iter().map(|s| (*s, self.of(s))).max_by_key(|(_, count)| *count)?;
        if count < least {
            return None;
        }
        let line = self.waiting.get_mut(&source)?;
        let item = line.pop_front()?;
        if line.is_empty() {
            self.waiting.remove(&source);
            self.turns.retain(|other| *other != source);
        }
        self.len -= 1;
        Some(item)
    }

    fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        for line in self.waiting.values_mut() {
            line.retain(&keep);
        }
        self.waiting.retain(|_, line| !line.is_empty());
        self.turns.retain(|source| self.waiting.contains_key(source));
        self.len = self.waiting.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Known, Unknown};

    fn drain(queue: &mut FairQueue<u8, u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn sources_take_turns() {
        let mut queue = FairQueue::new(100);
        for item in 0..4 {
            queue.push(1, Unknown, item);
        }
        queue.push(2, Unknown, 10);
        queue.push(3, Unknown, 20);
        queue.push(3, Unknown, 21);
        assert_eq!(drain(&mut queue), [0, 10, 20, 1, 21, 2, 3]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn known_clients_go_first_but_strangers_do_not_starve() {
        let mut queue = FairQueue::new(100);
        queue.push(9, Unknown, 100);
        queue.push(9, Unknown, 101);
        for item in 0..6 {
            queue.push(1, Known, item);
        }
        assert_eq!(drain(&mut queue), [0, 1, 2, 3, 100, 4, 5, 101]);
    }

    #[test]
    fn a_full_queue_takes_from_who_has_most() {
        let mut queue = FairQueue::new(3);
        for item in 0..3 {
            assert_eq!(queue.push(1, Unknown, item), Push::Waits);
        }
        assert_eq!(queue.push(1, Unknown, 3), Push::Refused(3), "the flooder waits for himself");
        assert_eq!(queue.push(2, Unknown, 10), Push::Displaced(0));
        assert_eq!(queue.push(2, Unknown, 11), Push::Refused(11), "now they are nearly even");
        assert_eq!(queue.len(), 3);
        assert_eq!(queue.push(3, Known, 20), Push::Displaced(1));
        assert_eq!(drain(&mut queue), [20, 2, 10]);
    }

    #[test]
    fn a_stranger_never_displaces_a_known_client() {
        let mut queue = FairQueue::new(2);
        queue.push(1, Known, 0);
        queue.push(1, Known, 1);
        assert_eq!(queue.push(2, Unknown, 10), Push::Refused(10));
        assert_eq!(queue.push(3, Known, 20), Push::Displaced(0));
        assert_eq!(drain(&mut queue), [1, 20]);
    }

    #[test]
    fn those_who_left_make_room() {
        let mut queue = FairQueue::new(4);
        for item in 0..4 {
            queue.push(u8::from(item % 2 == 0), Unknown, item);
        }
        queue.retain(|item| *item > 2);
        assert_eq!(queue.len(), 1);
        assert_eq!(queue.push(7, Unknown, 9), Push::Waits);
        assert_eq!(drain(&mut queue), [3, 9]);
    }

    #[test]
    fn any_order_of_pushes_and_pops_keeps_the_count() {
        let mut queue = FairQueue::new(50);
        let mut state = 1_u64;
        for step in 0..20_000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let source = (state >> 33) as u8 % 13;
            let standing = if state >> 63 == 0 { Known } else { Unknown };
            if state.is_multiple_of(3) {
                queue.pop();
            } else {
                queue.push(source, standing, step);
            }
            assert!(queue.len() <= 50);
            assert_eq!(
                queue.len() == 0,
                queue.known.turns.is_empty() && queue.unknown.turns.is_empty()
            );
        }
        let left = queue.len();
        assert_eq!(drain(&mut queue).len(), left);
    }
}
