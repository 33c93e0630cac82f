//! Messages that wait in the spool for a destination that is down or has no room, by name.

use std::collections::BTreeSet;

use spool::QueueId;

/// Names called at a time.
const CALL_MAX: usize = 256;

/// Names in order of arrival (a queue ID is larger than those before it), about 12 octets each.
/// A name that is in several lines, or whose message has gone, does no harm.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: BTreeSet<QueueId>,
    /// So many were called and have not come yet.
    called: usize,
}

impl Line {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn insert(&mut self, id: QueueId) {
        self.waiting.insert(id);
    }

    /// The message has come, called or not.
    pub(crate) fn remove(&mut self, id: QueueId) {
        self.called = self.called.saturating_sub(1);
        if !self.waiting.is_empty() {
            self.waiting.remove(&id);
        }
    }

    /// The next to be called when `queued` of at most `limit` messages are in the queue. Nobody,
    /// while the queue is more than half full, or others who were called are still to come: they
    /// may not come at all, but then the queue runs empty.
    pub(crate) fn call(&mut self, queued: usize, limit: usize) -> Vec<QueueId> {
        let is_enough = queued > limit / 2 || (self.called > 0 && queued > 0);
        if self.waiting.is_empty() || is_enough {
            return Vec::new();
        }
        let room = limit.saturating_sub(queued).clamp(1, CALL_MAX);
        let mut called = Vec::with_capacity(room.min(self.waiting.len()));
        while called.len() < room
            && let Some(id) = self.waiting.pop_first()
        {
            called.push(id);
        }
        self.called = called.len();
        called
    }

    /// Everybody.
    pub(crate) fn empty(&mut self) -> Vec<QueueId> {
        self.called = 0;
        std::mem::take(&mut self.waiting).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> QueueId {
        // Queue IDs are written in 13 digits of base 32; small numbers in their last two.
        let digit = |n: u64| char::from(b"0123456789abcdefghjkmnpqrstvwxyz"[(n % 32) as usize]);
        let text = format!("{}{}{}", "0".repeat(11), digit(number / 32), digit(number));
        text.parse().unwrap()
    }

    #[test]
    fn the_oldest_come_first_and_once() {
        let mut line = Line::default();
        for number in [7, 3, 5, 3, 9] {
            line.insert(id(number));
        }
        assert_eq!(line.len(), 4);
        assert_eq!(line.call(0, 2), [id(3), id(5)]);
        assert!(line.call(1, 2).is_empty(), "two are still to come");
        line.remove(id(3));
        line.remove(id(5));
        assert!(line.call(2, 2).is_empty(), "there is no room");
        assert_eq!(line.call(1, 2), [id(7)]);
        assert_eq!(line.call(0, 2), [id(9)], "whoever does not come stops nobody");
        assert!(line.call(0, 2).is_empty());
    }

    #[test]
    fn who_comes_uncalled_leaves_the_line() {
        let mut line = Line::default();
        line.insert(id(1));
        line.insert(id(2));
        line.remove(id(1));
        assert_eq!(line.empty(), [id(2)]);
        assert_eq!(line.len(), 0);
    }
}
