//! Whether a destination takes another message into its queue, and where those wait that it does
//! not take.

use std::sync::Arc;
use std::time::Duration;

use spool::QueueId;

use super::Hop;
use super::failure::HopFailure;
use super::state::State;
use crate::stats::{HopState, HopStatus};
use crate::task::Task;
use crate::verdict::Verdict;

/// Messages that may wait in memory for one destination.
const QUEUE_MAX: usize = 1000;
/// How long after a success a destination is believed to work.
const BELIEF: Duration = Duration::from_secs(60);
/// How long a destination that nobody has used is remembered, for the sake of its failures.
const MEMORY: Duration = Duration::from_secs(10 * 60);

/// Why a message was not taken.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is left alone for so long still.
    Closed(Duration, HopFailure),
    /// It may be tried again, and somebody does just now.
    Doubtful,
    /// There is no room.
    Full,
    /// It is no longer served.
    Gone,
}

impl Hop {
    /// Queues a message for delivery, or gives it back.
    pub(crate) fn offer(self: &Arc<Self>, mut task: Task) -> Option<(Task, Refusal)> {
        let now = self.registrar.clock().now().mono;
        let mut state = self.lock();
        if state.stopping {
            return Some((task, Refusal::Gone));
        }
        if let Some(closed) = state.health.closed(now) {
            return Some((task, Refusal::Closed(closed.remaining, closed.reason)));
        }
        if !state.health.is_sound() && state.load() > 0 {
            return Some((task, Refusal::Doubtful));
        }
        let limit = self.queue_limit(&state, now);
        if !state.queue.has_room(task.account(), limit) {
            return Some((task, Refusal::Full));
        }
        state.line.remove(task.job.id());
        task.journey.counters = Some(Arc::clone(&self.counters));
        state.queue.push_back(task);
        self.staff(&mut state);
        None
    }

    /// Messages that may wait in its queue. One that works may have half of what is free, so
    /// that there is always some for another; one that is not known to work gets a share that
    /// all of its kind can have at the same time.
    pub(super) fn queue_limit(&self, state: &State, now: Duration) -> usize {
        if !state.health.is_sound() {
            return 1;
        }
        let works = state.success_at.is_some_and(|at| now.saturating_sub(at) < BELIEF);
        let free = self.in_flight.available_permits();
        match works {
            true => free.clamp(1, QUEUE_MAX),
            // The first message of a destination never waits.
            false => self.limits.doubtful.min(free / 2).max(1),
        }
    }

    /// The message `id` waits in the spool until it is called. Says whether it had better be due
    /// when the hop may be tried again, to find out.
    pub(crate) fn line_up(&self, id: QueueId) -> bool {
        let mut state = self.lock();
        state.line.insert(id);
        state.take_scout()
    }

    /// Has it tried now, if it is left alone.
    pub(crate) fn reopen(&self) {
        self.lock().health.reopen();
        self.nudge();
    }

    /// Calls those in line, if there is room and nobody else will.
    pub(crate) fn nudge(&self) {
        let now = self.registrar.clock().now().mono;
        let mut state = self.lock();
        let is_tried = !state.health.is_sound() && state.load() > 0;
        if state.stopping || is_tried {
            return;
        }
        let called = self.call(&mut state, now);
        drop(state);
        self.spool_call(&called);
    }

    /// How busy it is, for a comparison with others: messages per connection, in sixty-fourths.
    pub(crate) fn load(&self) -> usize {
        let state = self.lock();
        state.load().saturating_mul(64) / state.window.size().max(1)
    }

    /// Whether a message for it would be tried at once.
    pub(crate) fn is_open(&self) -> bool {
        let now = self.registrar.clock().now().mono;
        let state = self.lock();
        !state.stopping && state.health.is_sound() && state.health.closed(now).is_none()
    }

    /// For how long it is left alone still, if it is.
    pub(crate) fn closed_for(&self) -> Option<Duration> {
        let now = self.registrar.clock().now().mono;
        self.lock().health.closed(now).map(|closed| closed.remaining)
    }

    /// Whether nothing is lost if it is forgotten.
    pub(crate) fn is_forgettable(&self) -> bool {
        let now = self.registrar.clock().now().mono;
        let state = self.lock();
        let is_idle = state.workers == 0 && state.queue.is_empty() && state.line.len() == 0;
        is_idle && state.health.is_forgettable(now, MEMORY)
    }

    /// Why messages wait for it.
    pub(crate) fn reason(&self, refusal: &Refusal) -> Verdict {
        let slow = |text: &str| {
            let status = crate::verdict::code(4, 4, 5);
            Verdict::deferred(status, text).about(self.connector.name_shared())
        };
        match refusal {
            Refusal::Closed(_, failure) => self.verdict(failure),
            Refusal::Doubtful => slow("the next hop was down and is being tried"),
            Refusal::Full | Refusal::Gone => slow("the next hop takes mail too slowly"),
        }
    }

    /// Its figures.
    pub(crate) fn status(&self) -> HopStatus {
        let now = self.registrar.clock().now().mono;
        let state = self.lock();
        let closed = state.health.closed(now);
        let health = match (&closed, state.health.is_sound()) {
            (Some(_), _) => HopState::Down,
            (None, false) => HopState::Doubtful,
            (None, true) => HopState::Up,
        };
        let count = |n: usize| n as u64;
        HopStatus {
            name: self.name.to_string(),
            address: self.connector.name().to_owned(),
            state: health,
            reason: state.health.reason().map(|reason| reason.text.to_string()),
            retry_in_s: closed.map(|closed| closed.remaining.as_secs()),
            queued: count(state.queue.len()),
            in_line: count(state.line.len()),
            connections_open: count(state.open),
            connections_allowed: count(state.window.size()),
            delivered: self.counters.delivered.get(),
            deferred: self.counters.deferred.get(),
            failed: self.counters.failed.get(),
            connections: self.counters.connections.get(),
            connections_failed: self.counters.connections_failed.get(),
        }
    }
}
