//! What the admin is shown: the latest events, and the accounts that are attacked.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::Tag;
use crate::attack::{AttackEvent, AttackEventKind};

/// Events that are kept.
const EVENTS_MAX: usize = 500;
/// Attacked accounts whose names are kept.
const ATTACKED_MAX: usize = 1000;

/// An account that was found to be attacked.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) tag: Tag,
    pub(super) name: Option<Box<str>>,
    pub(super) since: Timestamp,
}

#[derive(Default)]
pub(super) struct Chronicle {
    events: Mutex<VecDeque<AttackEvent>>,
    attacked: Mutex<VecDeque<Found>>,
}

impl Chronicle {
    pub(super) fn note(&self, at: Timestamp, kind: AttackEventKind, learned: bool) {
        let mut events = lock(&self.events);
        if events.len() >= EVENTS_MAX {
            events.pop_back();
        }
        events.push_front(AttackEvent { at, kind, learned });
    }

    pub(super) fn note_attacked(&self, found: Found) {
        let mut attacked = lock(&self.attacked);
        // One line for each: a name replaces none.
        if let Some(place) = attacked.iter().position(|known| known.tag == found.tag) {
            attacked.remove(place);
        }
        if attacked.len() >= ATTACKED_MAX {
            attacked.pop_back();
        }
        attacked.push_front(found);
    }

    /// Newest first.
    pub(super) fn events(&self, most: usize) -> Vec<AttackEvent> {
        lock(&self.events).iter().take(most).cloned().collect()
    }

    /// Those found latest first.
    pub(super) fn attacked(&self) -> Vec<Found> {
        lock(&self.attacked).iter().cloned().collect()
    }

    pub(super) fn forget_attacked(&self, tag: Tag) {
        lock(&self.attacked).retain(|found| found.tag != tag);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_the_newest_come_first() {
        let chronicle = Chronicle::default();
        for n in 0..EVENTS_MAX + 10 {
            let at = Timestamp::from_second(i64::try_from(n).unwrap()).unwrap();
            chronicle.note(at, AttackEventKind::AccountForgiven, false);
        }
        let events = chronicle.events(usize::MAX);
        assert_eq!(events.len(), EVENTS_MAX);
        assert_eq!(events[0].at.as_second(), (EVENTS_MAX + 9) as i64);
        assert_eq!(events.last().unwrap().at.as_second(), 10);
        assert_eq!(chronicle.events(3).len(), 3);
    }

    #[test]
    fn an_account_is_listed_once() {
        let chronicle = Chronicle::default();
        let found = |tag, name: Option<&str>| Found {
            tag: Tag(tag),
            name: name.map(Into::into),
            since: Timestamp::UNIX_EPOCH,
        };
        chronicle.note_attacked(found(1, None));
        chronicle.note_attacked(found(2, Some("bert")));
        chronicle.note_attacked(found(1, Some("anna")));
        let names: Vec<_> = chronicle.attacked().into_iter().filter_map(|of| of.name).collect();
        assert_eq!(names, ["anna".into(), "bert".into()]);
        (0..5000).for_each(|tag| chronicle.note_attacked(found(tag, None)));
        assert_eq!(chronicle.attacked().len(), ATTACKED_MAX);
        chronicle.forget_attacked(Tag(4999));
        assert_eq!(chronicle.attacked().len(), ATTACKED_MAX - 1);
    }
}
