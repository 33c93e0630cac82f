//! The way of a message: hops in order of preference, and what happens where none takes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use spool::QueueId;

use crate::conclude::Registrar;
use crate::hop::{Hop, Refusal};
use crate::schedule;
use crate::task::Task;
use crate::verdict::{Kind, Verdict};

/// Hops of a way that are considered.
const HOPS_MAX: usize = 32;

/// How long messages that wait for a hop without room stay in the spool if nobody calls them,
/// and those that wait for a hop that is down, behind its next trial. Up to twice as long, at
/// random.
const UNCALLED_FULL: Duration = Duration::from_secs(2 * 60);
const UNCALLED_DOWN: Duration = Duration::from_secs(30 * 60);

/// Hops in order of preference; those of one group share the load.
pub(crate) struct Way {
    groups: Vec<Vec<Arc<Hop>>>,
    registrar: Arc<Registrar>,
    /// Whose turn it is among hops of a group that are equally busy.
    turn: AtomicUsize,
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.hops().map(|hop| hop.name())).finish()
    }
}

/// Who refused a message, and why.
#[derive(Default)]
struct Refused {
    /// The first that has no room.
    full: Option<Arc<Hop>>,
    /// All that are down or being tried.
    down: Vec<Arc<Hop>>,
    /// When the first of them may be tried again.
    soonest: Option<Duration>,
    reason: Option<Verdict>,
}

impl Way {
    /// At most 32 hops.
    pub(crate) fn new(groups: Vec<Vec<Arc<Hop>>>, registrar: Arc<Registrar>) -> Self {
        Self { groups, registrar, turn: AtomicUsize::new(0) }
    }

    fn hops(&self) -> impl Iterator<Item = &Arc<Hop>> {
        self.groups.iter().flatten()
    }

    /// The bit of `hop` in [`crate::task::Journey::failed`].
    fn bit(&self, hop: &Arc<Hop>) -> u32 {
        let place = self.hops().take(HOPS_MAX).position(|other| Arc::ptr_eq(other, hop));
        place.map_or(0, |place| 1 << place)
    }

    /// The hops of a group, the least busy first.
    fn in_order<'a>(&self, group: &'a [Arc<Hop>]) -> impl Iterator<Item = &'a Arc<Hop>> {
        let count = group.len().min(HOPS_MAX);
        let mut order = [(0, 0); HOPS_MAX];
        if count > 1 {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            for (step, place) in order.iter_mut().take(count).enumerate() {
                let index = turn.wrapping_add(step) % count;
                *place = (group[index].load(), index);
            }
            order[..count].sort_by_key(|(load, _)| *load);
        }
        (0..count).filter_map(move |step| group.get(order[step].1))
    }
}

/// A connection to `hop` for this message failed: it is not tried again in this attempt.
pub(crate) fn note_failure(task: &mut Task, hop: &Arc<Hop>, verdict: Verdict) {
    let bit = task.journey.way.as_ref().map_or(0, |way| way.bit(hop));
    task.journey.failed |= bit;
    task.journey.failure = Some(Box::new(verdict));
}

/// Whether the message could be given to another hop than `hop` at once.
pub(crate) fn has_alternative(task: &Task, hop: &Arc<Hop>) -> bool {
    let Some(way) = &task.journey.way else { return false };
    way.hops().any(|other| {
        let is_fresh = !Arc::ptr_eq(other, hop) && task.journey.failed & way.bit(other) == 0;
        is_fresh && other.is_open()
    })
}

/// Gives a message to the best hop that takes it. Never waits: where none takes it, it goes back
/// to the spool, in line for those that it may go to. Says whether one took it.
pub(crate) fn place(mut task: Task) -> bool {
    let Some(way) = task.journey.way.clone() else { return false };
    let mut refused = Refused::default();
    for group in &way.groups {
        for hop in way.in_order(group) {
            if task.journey.failed & way.bit(hop) != 0 {
                refused.note_closed(hop, hop.closed_for());
                continue;
            }
            let Some((back, refusal)) = hop.offer(task) else { return true };
            task = back;
            refused.note(hop, refusal);
        }
        // One that works and is busy is waited for; the next in preference is for its failure.
        if refused.full.is_some() {
            break;
        }
    }
    way.wait(task, refused);
    false
}

impl Refused {
    fn note(&mut self, hop: &Arc<Hop>, refusal: Refusal) {
        self.reason.get_or_insert_with(|| hop.reason(&refusal));
        match refusal {
            Refusal::Closed(remaining, _) => self.note_closed(hop, Some(remaining)),
            Refusal::Doubtful => self.note_closed(hop, None),
            Refusal::Full => {
                self.full.get_or_insert_with(|| Arc::clone(hop));
            }
            Refusal::Gone => {}
        }
    }

    fn note_closed(&mut self, hop: &Arc<Hop>, remaining: Option<Duration>) {
        self.soonest = self.soonest.into_iter().chain(remaining).min();
        self.down.push(Arc::clone(hop));
    }
}

impl Way {
    fn wait(&self, mut task: Task, refused: Refused) {
        let Refused { full, down, soonest, reason } = refused;
        if full.is_none() && down.is_empty() {
            // Stopped, or the routes have changed: it is due at once, for whoever comes.
            return;
        }
        let now = self.registrar.clock().now().wall;
        let random = scattered(task.job.id());
        let after = |wait: Duration| {
            let wait = schedule::lengthened(wait.max(Duration::from_secs(1)), random);
            now.saturating_add(wait).unwrap_or(Timestamp::MAX)
        };
        let tried = task.journey.failure.take().filter(|_| full.is_none());
        let pressing = self.registrar.pressing_at(&task.job);
        if tried.is_some() || now >= pressing {
            let verdict = tried.map(|verdict| *verdict).or(reason);
            if let Some(verdict) = verdict {
                let not_before = self.is_named().then(|| soonest.map(after)).flatten();
                let verdict = Verdict { kind: Kind::Deferred { not_before }, ..verdict };
                self.registrar.conclude_all_soon(task, &verdict);
            }
            return;
        }
        let id = task.job.id();
        let until = match &full {
            Some(hop) => {
                hop.line_up(id);
                now.saturating_add(doubled(UNCALLED_FULL, random)).unwrap_or(Timestamp::MAX)
            }
            None => {
                let scouts = down.iter().filter(|hop| hop.line_up(id)).count();
                let trial = after(soonest.unwrap_or(Duration::ZERO));
                match scouts > 0 {
                    true => trial,
                    false => trial.saturating_add(doubled(UNCALLED_DOWN, random)).unwrap_or(trial),
                }
            }
        };
        task.job.postpone(until.min(pressing));
        // Whoever would have called may have done so before it was in line.
        full.iter().chain(&down).for_each(|hop| hop.nudge());
    }

    /// Whether the configuration names its hops: they are tried again by their own pauses.
    /// Others, who are strangers, have those of the plan of attempts.
    fn is_named(&self) -> bool {
        self.hops().all(|hop| hop.is_named())
    }
}

/// `wait`, and up to as much again.
fn doubled(wait: Duration, random: u32) -> Duration {
    let more = u64::from(random) * wait.as_secs() / u64::from(u32::MAX);
    wait.saturating_add(Duration::from_secs(more))
}

/// A number that is another one for each message, so that those that wait together do not come
/// together: nothing that needs to surprise anybody, and a hundred thousand of them are cheap.
fn scattered(id: QueueId) -> u32 {
    // The fractional part of the golden ratio; the upper half is the better mixed.
    (id.as_u64().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}
