//! Those of one standing: each source in turn, and the one with the most at hand.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::Hash;

pub(super) struct Lane<S, T> {
    /// Each source that has somebody waiting, once, in the order of its turn.
    turns: BTreeMap<u64, S>,
    lines: HashMap<S, Line<T>>,
    /// The same by how many wait, and of equals the one whose first has waited longest last.
    crowds: BTreeSet<(usize, Reverse<u64>, S)>,
    len: usize,
    next_turn: u64,
}

struct Line<T> {
    turn: u64,
    /// In the order in which they came, each with its number.
    items: VecDeque<(u64, T)>,
}

impl<T> Line<T> {
    fn first(&self) -> u64 {
        self.items.front().map_or(0, |(number, _)| *number)
    }
}

impl<S: Hash + Ord + Copy, T> Lane<S, T> {
    pub(super) fn new() -> Self {
        let (turns, lines, crowds) = (BTreeMap::new(), HashMap::new(), BTreeSet::new());
        Self { turns, lines, crowds, len: 0, next_turn: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many of `source` wait.
    pub(super) fn of(&self, source: &S) -> usize {
        self.lines.get(source).map_or(0, |line| line.items.len())
    }

    pub(super) fn push(&mut self, source: S, number: u64, item: T) {
        self.change(source, |items| {
            items.push_back((number, item));
        });
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let (_, source) = self.turns.pop_first()?;
        let item = self.change(source, VecDeque::pop_front)?;
        self.len -= 1;
        // Those behind it have their turn after all others.
        if let Some(line) = self.lines.get_mut(&source) {
            line.turn = self.next_turn;
            self.turns.insert(self.next_turn, source);
            self.next_turn += 1;
        }
        Some(item.1)
    }

    /// Takes out the item that has waited longest at the source with the most of them, if that
    /// one has at least `least`.
    pub(super) fn displace(&mut self, least: usize) -> Option<T> {
        let (count, _, source) = *self.crowds.last()?;
        if count < least {
            return None;
        }
        let item = self.change(source, VecDeque::pop_front)?;
        self.len -= 1;
        Some(item.1)
    }

    /// Takes out one item.
    pub(super) fn take(&mut self, source: &S, number: u64) -> Option<T> {
        let items = &self.lines.get(source)?.items;
        let place = items.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        let item = self.change(*source, |items| items.remove(place))?;
        self.len -= 1;
        Some(item.1)
    }

    /// Moves what waits of `source` to `other`.
    pub(super) fn hand_over(&mut self, source: &S, other: &mut Self) {
        if !self.lines.contains_key(source) {
            return;
        }
        let moved = self.change(*source, std::mem::take);
        self.len -= moved.len();
        other.len += moved.len();
        other.change(*source, |items| {
            items.extend(moved);
            // Whatever waits there already may have come before or after.
            items.make_contiguous().sort_unstable_by_key(|(number, _)| *number);
        });
    }

    /// Changes a line and keeps turns and crowds in step with it.
    fn change<R>(&mut self, source: S, change: impl FnOnce(&mut VecDeque<(u64, T)>) -> R) -> R {
        let line = self
            .lines
            .entry(source)
            .or_insert_with(|| Line { turn: self.next_turn, items: VecDeque::new() });
        let was_empty = line.items.is_empty();
        if !was_empty {
            self.crowds.remove(&(line.items.len(), Reverse(line.first()), source));
        }
        let result = change(&mut line.items);
        let turn = line.turn;
        if line.items.is_empty() {
            self.lines.remove(&source);
            self.turns.remove(&turn);
            return result;
        }
        self.crowds.insert((line.items.len(), Reverse(line.first()), source));
        if was_empty {
            self.turns.insert(turn, source);
            self.next_turn += 1;
        }
        result
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        let count: usize = self.lines.values().map(|line| line.items.len()).sum();
        assert_eq!(count, self.len);
        assert_eq!(self.turns.len(), self.lines.len());
        assert_eq!(self.crowds.len(), self.lines.len());
        for (source, line) in &self.lines {
            assert!(self.turns.get(&line.turn) == Some(source));
            assert!(self.crowds.contains(&(line.items.len(), Reverse(line.first()), *source)));
            assert!(line.items.iter().is_sorted_by_key(|(number, _)| number));
        }
    }
}
