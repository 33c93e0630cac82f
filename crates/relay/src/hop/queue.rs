//! Messages that wait in memory for a destination: each account in its turn.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use address::AccountKey;

use crate::task::Task;

/// Empty lanes that are kept for the next account: no allocation per message.
const SPARE_MAX: usize = 8;

/// Whose messages wait in a lane; none: those that no account submitted.
type Lane = Option<AccountKey>;

/// First in, first out for each account; the accounts take turns, so that one message of a
/// customer does not wait behind thousands of another.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lanes: HashMap<Lane, VecDeque<Task>>,
    turns: VecDeque<Lane>,
    spare: Vec<VecDeque<Task>>,
    len: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether an account may have another message here, of at most `limit` in all. It gets four
    /// times what it leaves free: for the first message of another there is always room.
    pub(super) fn has_room(&self, account: Option<&AccountKey>, limit: usize) -> bool {
        let Some(free) = limit.checked_sub(self.len).filter(|free| *free > 0) else {
            return false;
        };
        // As long as there is much room nobody needs counting.
        if free > limit / 2 {
            return true;
        }
        let lane = self.lanes.get(&account.cloned());
        lane.is_none_or(|lane| lane.len() < free.saturating_mul(4))
    }

    pub(super) fn push_back(&mut self, task: Task) {
        self.lane_of(&task).push_back(task);
        self.len += 1;
    }

    /// Puts back what was taken.
    pub(super) fn push_front(&mut self, task: Task) {
        self.lane_of(&task).push_front(task);
        self.len += 1;
    }

    fn lane_of(&mut self, task: &Task) -> &mut VecDeque<Task> {
        match self.lanes.entry(task.account().cloned()) {
            Entry::Occupied(lane) => lane.into_mut(),
            Entry::Vacant(place) => {
                self.turns.push_back(place.key().clone());
                place.insert(self.spare.pop().unwrap_or_default())
            }
        }
    }

    /// The next message of the account whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Task> {
        let turn = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&turn)?;
        let task = lane.pop_front();
        if lane.is_empty() {
            if let Some(lane) = self.lanes.remove(&turn)
                && self.spare.len() < SPARE_MAX
            {
                self.spare.push(lane);
            }
        } else {
            self.turns.push_back(turn);
        }
        self.len -= usize::from(task.is_some());
        task
    }

    /// All of them, in the order in which they would have been taken.
    pub(super) fn empty(&mut self) -> Vec<Task> {
        let mut tasks = Vec::with_capacity(self.len);
        while let Some(task) = self.pop() {
            tasks.push(task);
        }
        *self = Self::default();
        tasks
    }
}
