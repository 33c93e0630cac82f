//! The shape of the queue: how many recipients of which domain wait for how long, in the manner
//! of Postfix's qshape. Bounded in memory whatever the queue holds.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::queue::{Marks, View};
use crate::{QueueEntry, RecipientState, Spool};

/// Upper ends of the age columns in minutes; the last column is for what is older.
pub const AGES_MINUTES: [u64; 9] = [5, 10, 20, 40, 80, 160, 320, 640, 1280];

/// Age columns.
const AGES: usize = AGES_MINUTES.len() + 1;

/// Domains that are counted apart; what comes beyond them goes to the rest.
const DOMAINS_MAX: usize = 50_000;

/// Messages looked at before the queue is asked again.
const PAGE: usize = 256;

/// By which domain to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShapeBy {
    /// The domains of pending recipients; each recipient counts.
    #[default]
    Recipients,
    /// The domains of envelope senders; each message counts.
    Senders,
}

/// Which messages to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct States {
    /// Those that nobody has tried, and that wait for nothing.
    pub incoming: bool,
    /// Those being delivered.
    pub active: bool,
    /// Those that wait for another attempt.
    pub deferred: bool,
    /// Those that an administrator must release.
    pub held: bool,
    /// Those that their senders have delayed.
    pub scheduled: bool,
}

impl States {
    /// All of them.
    pub const ALL: Self =
        Self { incoming: true, active: true, deferred: true, held: true, scheduled: true };

    /// None of them.
    pub const NONE: Self =
        Self { incoming: false, active: false, deferred: false, held: false, scheduled: false };
}

/// What to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeQuery {
    /// By which domain.
    pub by: ShapeBy,
    /// Of which messages.
    pub states: States,
    /// Rows, those with the most first; the others are counted together.
    pub domains_max: usize,
}

impl Default for ShapeQuery {
    fn default() -> Self {
        Self { by: ShapeBy::Recipients, states: States::ALL, domains_max: 20 }
    }
}

/// One domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShapeRow {
    /// Its name in lower case; empty for the null sender.
    pub domain: String,
    /// All ages.
    pub total: u64,
    /// By age, as [`AGES_MINUTES`] says.
    pub by_age: [u64; AGES],
}

impl ShapeRow {
    fn add(&mut self, column: usize, count: u64) {
        self.total += count;
        if let Some(cell) = self.by_age.get_mut(column) {
            *cell += count;
        }
    }

    fn add_row(&mut self, row: &Self) {
        self.total += row.total;
        for (cell, more) in self.by_age.iter_mut().zip(row.by_age) {
            *cell += more;
        }
    }
}

/// The shape of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Domains with the most recipients (or messages), at most as many as asked for.
    pub rows: Vec<ShapeRow>,
    /// All others together.
    pub rest: ShapeRow,
    /// How many others there are, as far as they could be counted apart.
    pub rest_domains: usize,
    /// Everything.
    pub total: ShapeRow,
    /// Messages counted.
    pub messages: u64,
    /// Messages that do not read and are not counted.
    pub unreadable: u64,
}

/// Counts while the queue is read.
#[derive(Debug)]
pub(crate) struct Counting {
    query: ShapeQuery,
    now: Timestamp,
    domains: HashMap<String, ShapeRow>,
    shape: Shape,
}

impl Counting {
    pub(crate) fn new(query: ShapeQuery, now: Timestamp) -> Self {
        Self { query, now, domains: HashMap::new(), shape: Shape::default() }
    }

    /// Reads a page and counts it. Blocking.
    pub(crate) fn page(&mut self, page: Vec<View>) {
        for view in page {
            match view.read() {
                Ok(stored) => {
                    let future = view.entry.marks.has(Marks::FUTURE);
                    self.message(&view.show(stored), future);
                }
                Err(_) => self.shape.unreadable += 1,
            }
        }
    }

    fn message(&mut self, entry: &QueueEntry, future: bool) {
        let states = self.query.states;
        let counts = match (entry.held, entry.in_delivery, future, entry.attempts) {
            (true, ..) => states.held,
            (_, true, ..) => states.active,
            (_, _, true, _) => states.scheduled,
            (_, _, _, 0) => states.incoming,
            _ => states.deferred,
        };
        if !counts {
            return;
        }
        self.shape.messages += 1;
        let minutes = self.now.duration_since(entry.received_at).as_mins();
        let minutes = u64::try_from(minutes).unwrap_or(0);
        let column = AGES_MINUTES.partition_point(|end| *end <= minutes);
        match self.query.by {
            ShapeBy::Senders => {
                let domain = entry.sender.mailbox().and_then(|mailbox| mailbox.domain());
                self.count(domain.map_or("", |domain| domain.as_str()), column);
            }
            ShapeBy::Recipients => {
                let pending = |r: &&crate::QueueRecipient| r.state == RecipientState::Pending;
                for recipient in entry.recipients.iter().filter(pending) {
                    match recipient.mailbox.domain() {
                        Some(domain) => self.count(domain.as_str(), column),
                        None => self.count(&recipient.mailbox.to_string(), column),
                    }
                }
            }
        }
    }

    fn count(&mut self, domain: &str, column: usize) {
        self.shape.total.add(column, 1);
        if let Some(row) = self.domains.get_mut(domain) {
            row.add(column, 1);
        } else if self.domains.len() < DOMAINS_MAX {
            let mut row = ShapeRow { domain: domain.to_owned(), ..ShapeRow::default() };
            row.add(column, 1);
            self.domains.insert(domain.to_owned(), row);
        } else {
            self.shape.rest.add(column, 1);
        }
    }

    pub(crate) fn finish(mut self) -> Shape {
        let mut rows: Vec<_> = self.domains.into_values().collect();
        rows.sort_unstable_by(|a, b| b.total.cmp(&a.total).then_with(|| a.domain.cmp(&b.domain)));
        let others = rows.split_off(rows.len().min(self.query.domains_max));
        self.shape.rest_domains = others.len();
        others.iter().for_each(|row| self.shape.rest.add_row(row));
        self.shape.rows = rows;
        self.shape
    }
}

impl Spool {
    /// Counts the queue by domain and age. Reads every envelope: some microseconds a message.
    pub async fn shape(&self, query: ShapeQuery) -> Shape {
        let mut counting = Counting::new(query, self.shared.clock.now().wall);
        let mut after = None;
        loop {
            let page = self.shared.queue().page(after, PAGE);
            let Some(last) = page.last() else {
                return counting.finish();
            };
            after = Some(last.id);
            let read = self.shared.blocking(move || {
                counting.page(page);
                Ok(counting)
            });
            match read.await {
                Ok(counted) => counting = counted,
                Err(_) => return Shape::default(),
            }
        }
    }
}
