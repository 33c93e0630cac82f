//! Who is served next, and who gives way when the queue is full.

mod lane;
#[cfg(test)]
mod tests;

use std::hash::Hash;

use lane::Lane;

/// What speaks for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has logged in with this account from there lately.
    Known,
    /// It has not, and nothing speaks against it.
    Unknown,
    /// Its network fails again and again, or its account is attacked from many networks.
    Suspect,
}

/// Known clients are served before a stranger, but every fifth turn is a stranger's; and among
/// strangers every fifth is a suspect's.
const STREAK_MAX: u32 = 4;

/// A bounded queue that is fair between sources: each source in turn, oldest first within it.
/// One network with a thousand attempts waits for itself and not for others. Every step takes
/// time that grows with the logarithm of the number that wait.
pub(crate) struct FairQueue<S, T> {
    known: Lane<S, T>,
    unknown: Lane<S, T>,
    suspect: Lane<S, T>,
    capacity: usize,
    /// Known clients served in a row.
    known_streak: u32,
    /// Strangers served since a suspect was.
    unknown_streak: u32,
    next: u64,
}

/// What became of a newcomer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Push<S, T> {
    /// It waits.
    Waits(Ticket<S>),
    /// It waits, and this one, of the source that had the most, does no longer.
    Displaced(Ticket<S>, T),
    /// There is no room, and nobody has to give way to it.
    Refused(T),
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket<S> {
    source: S,
    number: u64,
}

impl<S: Hash + Ord + Copy, T> FairQueue<S, T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let (known, unknown, suspect) = (Lane::new(), Lane::new(), Lane::new());
        Self { known, unknown, suspect, capacity, known_streak: 0, unknown_streak: 0, next: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len() + self.unknown.len() + self.suspect.len()
    }

    /// Takes `item` in. When the queue is full, somebody gives way to it:
    /// - to a known client a suspect, else a stranger, else another known client whose source
    ///   has at least two more than his;
    /// - to a stranger a suspect, else another stranger;
    /// - to a suspect another suspect.
    ///
    /// Of strangers and of suspects it is the one that has waited longest at the source with the
    /// most of them; who has one waiting already displaces nobody that has only one more.
    ///
    /// What waits of a source that has become suspect is suspect from now on.
    pub(crate) fn push(&mut self, source: S, standing: Standing, item: T) -> Push<S, T> {
        if standing == Standing::Suspect {
            self.unknown.hand_over(&source, &mut self.suspect);
        }
        let displaced = if self.len() >= self.capacity {
            match self.make_way(&source, standing) {
                Some(victim) => Some(victim),
                None => return Push::Refused(item),
            }
        } else {
            None
        };
        let number = self.next;
        self.next += 1;
        let lane = match standing {
            Standing::Known => &mut self.known,
            Standing::Unknown => &mut self.unknown,
            Standing::Suspect => &mut self.suspect,
        };
        lane.push(source, number, item);
        let ticket = Ticket { source, number };
        displaced.map_or(Push::Waits(ticket), |item| Push::Displaced(ticket, item))
    }

    fn make_way(&mut self, source: &S, standing: Standing) -> Option<T> {
        let among = |lane: &mut Lane<S, T>| {
            let own = lane.of(source);
            lane.displace(if own == 0 { 1 } else { own + 2 })
        };
        match standing {
            Standing::Known => self
                .suspect
                .displace(1)
                .or_else(|| self.unknown.displace(1))
                .or_else(|| self.known.displace(self.known.of(source) + 2)),
            Standing::Unknown => self.suspect.displace(1).or_else(|| among(&mut self.unknown)),
            Standing::Suspect => among(&mut self.suspect),
        }
    }

    /// The next one to serve; no suspect unless `suspects` says so.
    pub(crate) fn pop(&mut self, suspects: bool) -> Option<(Standing, T)> {
        let suspects = suspects && self.suspect.len() > 0;
        let strangers = self.unknown.len() > 0 || suspects;
        if (self.known_streak < STREAK_MAX || !strangers)
            && let Some(item) = self.known.pop()
        {
            self.known_streak += 1;
            return Some((Standing::Known, item));
        }
        self.known_streak = 0;
        if (self.unknown_streak < STREAK_MAX || !suspects)
            && let Some(item) = self.unknown.pop()
        {
            self.unknown_streak += 1;
            return Some((Standing::Unknown, item));
        }
        if !suspects {
            return None;
        }
        self.unknown_streak = 0;
        self.suspect.pop().map(|item| (Standing::Suspect, item))
    }

    /// Gives a place up; nothing if it was served or displaced.
    pub(crate) fn leave(&mut self, ticket: &Ticket<S>) -> Option<T> {
        let Ticket { source, number } = ticket;
        let lanes = [&mut self.known, &mut self.unknown, &mut self.suspect];
        lanes.into_iter().find_map(|lane| lane.take(source, *number))
    }

    /// Drops all that wait.
    pub(crate) fn clear(&mut self) {
        for lane in [&mut self.known, &mut self.unknown, &mut self.suspect] {
            *lane = Lane::new();
        }
    }
}
