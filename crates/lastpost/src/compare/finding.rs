//! What a customer would notice, found in two listings.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use super::session::Listing;
use super::side::Side;

/// Something that differs. Messages are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "kebab-case")]
pub(crate) enum Finding {
    /// Ids that the old server does not have: clients take the messages for new.
    Again {
        /// How many.
        messages: usize,
        /// The first of them, on the new server.
        first: usize,
        /// Its id there.
        id: String,
    },
    /// Ids of the old server that are not on the new one.
    Gone {
        /// How many.
        messages: usize,
        /// The first of them, on the old server.
        first: usize,
        /// Its id there.
        id: String,
    },
    /// One server has no UIDL, so that messages are compared by their numbers.
    NoIds {
        /// Which.
        server: Side,
    },
    /// Another number of messages, on servers whose ids cannot be compared.
    Count {
        /// On the old server.
        old: usize,
        /// On the new one.
        new: usize,
    },
    /// Some messages share an id.
    Twins {
        /// Where.
        server: Side,
        /// How many have an id that an earlier one has.
        messages: usize,
        /// The first of them.
        first: usize,
    },
    /// The messages that both have come in another order.
    Order {
        /// The first message of the new server that is not where it was.
        from: usize,
    },
    /// LIST says something else.
    Sizes {
        /// How many messages.
        messages: usize,
        /// The first of them, on the new server.
        first: usize,
        /// Its size on the old server.
        old: u64,
        /// Its size on the new server.
        new: u64,
    },
    /// STAT does not fit the server's own LIST.
    Stat {
        /// Which.
        server: Side,
        /// Messages by STAT.
        messages: u64,
        /// Octets by STAT.
        octets: u64,
        /// Messages by LIST.
        listed_messages: usize,
        /// Octets by LIST.
        listed_octets: u64,
    },
    /// A message is not the same.
    Octets {
        /// Its number on the new server.
        message: usize,
        /// Octets that are the same before the first difference.
        octet: u64,
        /// Octets on the old server.
        old: u64,
        /// Octets on the new server.
        new: u64,
    },
    /// A message has not the size that LIST gives for it.
    Size {
        /// Where.
        server: Side,
        /// Its number there.
        message: usize,
        /// By LIST.
        listed: u64,
        /// As it came.
        octets: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Again { messages, first, id } => write!(
                f,
                "{messages} messages would be downloaded again (from message {first} on, id {id})"
            ),
            Self::Gone { messages, first, id } => write!(
                f,
                "{messages} messages are not on the new server under their ids (from message \
                 {first} of the old one on, id {id})"
            ),
            Self::NoIds { server } => write!(f, "{server}: no UIDL; compared by number"),
            Self::Count { old, new } => write!(f, "{old} messages before, {new} now"),
            Self::Twins { server, messages, first } => write!(
                f,
                "{server}: {messages} messages have the id of another (from message {first} on)"
            ),
            Self::Order { from } => write!(f, "order differs from message {from} on"),
            Self::Sizes { messages, first, old, new } => write!(
                f,
                "sizes differ for {messages} messages (from message {first} on: {old} before, \
                 {new} now)"
            ),
            Self::Stat { server, messages, octets, listed_messages, listed_octets } => write!(
                f,
                "{server}: STAT says {messages} messages and {octets} octets, LIST \
                 {listed_messages} and {listed_octets}"
            ),
            Self::Octets { message, octet, old, new } if old == new => {
                write!(f, "message {message} differs from octet {octet} on")
            }
            Self::Octets { message, octet, old, new } => write!(
                f,
                "message {message} differs from octet {octet} on ({old} octets before, {new} now)"
            ),
            Self::Size { server, message, listed, octets } => {
                write!(f, "{server}: message {message} has {octets} octets, and LIST says {listed}")
            }
        }
    }
}

impl Listing {
    /// Index by id; of messages with one id, the first.
    fn by_id(&self) -> HashMap<&[u8], usize> {
        let mut by_id = HashMap::with_capacity(self.messages.len());
        for (at, message) in self.messages.iter().enumerate() {
            if let Some(id) = &message.id {
                by_id.entry(&**id).or_insert(at);
            }
        }
        by_id
    }

    fn has_ids(&self) -> bool {
        self.messages.iter().all(|message| message.id.is_some())
    }

    fn is_comparable(&self, other: &Self) -> bool {
        self.has_ids() && other.has_ids()
    }

    /// Indices here and on `other` of the messages that both have, in the order of this one: by
    /// their ids, or by number where ids cannot be compared.
    pub(super) fn common(&self, other: &Self) -> Vec<(usize, usize)> {
        if !self.is_comparable(other) {
            let both = self.messages.len().min(other.messages.len());
            return (0..both).map(|at| (at, at)).collect();
        }
        let here = self.by_id();
        let there = other.by_id();
        let pair = |(at, message): (usize, &super::session::Message)| {
            let id = message.id.as_deref()?;
            // Only the first of twins, on both sides.
            (here.get(id) == Some(&at)).then(|| there.get(id).map(|&other| (at, other)))?
        };
        self.messages.iter().enumerate().filter_map(pair).collect()
    }

    /// Messages whose id `known` does not have: how many, the first and its id.
    fn strangers(&self, known: &HashMap<&[u8], usize>) -> Option<(usize, usize, String)> {
        let mut strangers = self.messages.iter().enumerate().filter_map(|(at, message)| {
            let id = message.id.as_deref()?;
            (!known.contains_key(id)).then_some((at, id))
        });
        let (first, id) = strangers.next()?;
        let id = String::from_utf8_lossy(id).escape_debug().to_string();
        Some((1 + strangers.count(), first + 1, id))
    }

    fn own_faults(&self, side: Side, findings: &mut Vec<Finding>) {
        let octets = self.messages.iter().fold(0_u64, |sum, m| sum.saturating_add(m.octets));
        if self.stat.messages != self.messages.len() as u64 || self.stat.octets != octets {
            findings.push(Finding::Stat {
                server: side,
                messages: self.stat.messages,
                octets: self.stat.octets,
                listed_messages: self.messages.len(),
                listed_octets: octets,
            });
        }
        let by_id = self.by_id();
        let twin = |at: usize| {
            let id = self.messages.get(at).and_then(|message| message.id.as_deref());
            id.is_some_and(|id| by_id.get(id) != Some(&at))
        };
        let mut twins = (0..self.messages.len()).filter(|&at| twin(at));
        if let Some(first) = twins.next() {
            let messages = 1 + twins.count();
            findings.push(Finding::Twins { server: side, messages, first: first + 1 });
        }
        if !self.has_ids() {
            findings.push(Finding::NoIds { server: side });
        }
    }
}

/// What differs between two listings.
pub(super) fn judge(old: &Listing, new: &Listing) -> Vec<Finding> {
    let mut findings = Vec::new();
    old.own_faults(Side::Old, &mut findings);
    new.own_faults(Side::New, &mut findings);
    if old.is_comparable(new) {
        if let Some((messages, first, id)) = new.strangers(&old.by_id()) {
            findings.push(Finding::Again { messages, first, id });
        }
        if let Some((messages, first, id)) = old.strangers(&new.by_id()) {
            findings.push(Finding::Gone { messages, first, id });
        }
    } else if old.messages.len() != new.messages.len() {
        let (old, new) = (old.messages.len(), new.messages.len());
        findings.push(Finding::Count { old, new });
    }
    let common = old.common(new);
    // The first place at which the new server has another message than the next of the old one.
    let mut in_new_order: Vec<usize> = common.iter().map(|&(_, new)| new).collect();
    in_new_order.sort_unstable();
    let misplaced = common.iter().zip(&in_new_order).find(|((_, new), sorted)| new != *sorted);
    if let Some((_, from)) = misplaced {
        findings.push(Finding::Order { from: from + 1 });
    }
    let sizes = common.iter().filter_map(|&(a, b)| {
        let (a, at, b) = (old.messages.get(a)?, b, new.messages.get(b)?);
        (a.octets != b.octets).then_some((at, a.octets, b.octets))
    });
    let (messages, first) = sizes.fold((0, None), |(count, first), next| {
        let first: Option<(usize, u64, u64)> = Some(first.unwrap_or(next));
        (count + 1, first)
    });
    if let Some((at, old, new)) = first {
        findings.push(Finding::Sizes { messages, first: at + 1, old, new });
    }
    findings
}
