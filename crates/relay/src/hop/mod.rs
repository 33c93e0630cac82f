//! A next hop: its queue in memory, its health, and the connections that serve it.

mod connect;
mod failure;
mod health;
mod link;
mod session;
mod tls;
mod worker;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::conclude::Registrar;
use crate::config::{ConfigError, NextHop, Settings};
use crate::schedule;
use crate::task::Task;
use crate::verdict::{Kind, Verdict};
use connect::Connector;
use failure::HopFailure;
use health::Health;

/// Messages that may wait in memory for one next hop.
const QUEUE_MAX: usize = 1000;

/// A next hop.
pub(crate) struct Hop {
    connector: Connector,
    registrar: Arc<Registrar>,
    limits: Limits,
    state: Mutex<State>,
    /// Wakes a connection that waits for a message.
    arrived: Notify,
    /// Wakes whoever waits for room in the queue, or for workers to go.
    left: Notify,
}

/// How a next hop may be used.
#[derive(Clone, Copy, Debug)]
struct Limits {
    connections: usize,
    messages_per_connection: u32,
    idle: Duration,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Task>,
    /// The tasks that serve the queue, each with at most one connection.
    crew: JoinSet<()>,
    /// How many of them are there.
    workers: usize,
    /// Of these, those that have not asked for their first message yet.
    starting: usize,
    /// Of these, those with nothing to do.
    waiting: usize,
    health: Health,
    /// No new message is begun.
    stopping: bool,
}

impl Hop {
    pub(crate) fn new(
        next_hop: &NextHop,
        settings: &Settings,
        registrar: Arc<Registrar>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            connector: Connector::new(next_hop, settings)?,
            registrar,
            limits: Limits {
                connections: settings.connections_max,
                messages_per_connection: settings.messages_per_connection,
                idle: settings.connection_idle,
            },
            state: Mutex::default(),
            arrived: Notify::new(),
            left: Notify::new(),
        })
    }

    /// Queues a message for delivery; while the hop is down, defers it; after
    /// [`stop`](Self::stop), lets it go back to the spool. Gives it back if
    /// there is no room.
    pub(crate) fn offer(self: &Arc<Self>, task: Task) -> Option<Task> {
        let now = self.registrar.clock().now();
        let mut state = self.lock();
        if let Some(closed) = state.health.closed(now.mono) {
            drop(state);
            self.defer(task, &closed.reason, closed.remaining);
            return None;
        }
        if state.stopping {
            return None;
        }
        if state.queue.len() >= QUEUE_MAX {
            return Some(task);
        }
        state.queue.push_back(task);
        self.staff(&mut state);
        None
    }

    /// Ends when there is room in the queue, or after `patience`; says whether there is.
    pub(crate) async fn room(&self, patience: Duration) -> bool {
        let has_room = || self.lock().queue.len() < QUEUE_MAX;
        let wait = async {
            loop {
                let left = self.left.notified();
                if has_room() {
                    return;
                }
                left.await;
            }
        };
        tokio::time::timeout(patience, wait).await.is_ok()
    }

    /// Lets messages that have begun end, puts the others back into the spool's queue, and
    /// says QUIT to the next hop.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        state.queue.clear();
        drop(state);
        self.arrived.notify_waiters();
        self.left.notify_waiters();
    }

    /// Cuts all connections, in the middle of what they carry: what is not settled is tried
    /// again after the next start.
    pub(crate) fn cut(&self) {
        self.stop();
        let mut crew = std::mem::take(&mut self.lock().crew);
        crew.abort_all();
    }

    /// Ends when the last connection is closed, after [`stop`](Self::stop).
    pub(crate) async fn stopped(&self) {
        loop {
            let left = self.left.notified();
            if self.lock().workers == 0 {
                return;
            }
            left.await;
        }
    }

    /// Wakes or starts as many workers as the queue asks for. While the health is in doubt,
    /// one connection tries it.
    fn staff(self: &Arc<Self>, state: &mut State) {
        let limit = if state.health.is_sound() { self.limits.connections } else { 1 };
        for _ in 0..state.waiting.min(state.queue.len()) {
            self.arrived.notify_one();
        }
        while state.crew.try_join_next().is_some() {}
        // Without a runtime there is nothing left to serve: the process ends.
        let Ok(runtime) = Handle::try_current() else { return };
        while state.queue.len() > state.waiting + state.starting && state.workers < limit {
            state.workers += 1;
            state.starting += 1;
            state.crew.spawn_on(worker::work(Arc::clone(self)), &runtime);
        }
    }

    /// The next message, if there is one.
    fn try_take(&self) -> Option<Task> {
        let mut state = self.lock();
        if state.stopping {
            return None;
        }
        let task = state.queue.pop_front();
        if task.is_some() {
            self.left.notify_one();
        }
        task
    }

    /// Puts a message back that its connection did not get to.
    fn put_back(self: &Arc<Self>, task: Task) {
        let mut state = self.lock();
        if !state.stopping {
            state.queue.push_front(task);
            self.staff(&mut state);
        }
    }

    /// The hop took a message, or refused one in order.
    fn note_success(self: &Arc<Self>) {
        let mut state = self.lock();
        if state.health.succeed() {
            tracing::info!(
                target: "lastpost::relay", relay = self.connector.name(), "next hop is back"
            );
            self.staff(&mut state);
        }
    }

    /// A connection did not come about: everything that waits for the hop is deferred.
    fn note_failure(self: &Arc<Self>, task: Task, failure: &HopFailure) {
        let now = self.registrar.clock().now();
        let mut state = self.lock();
        let news = state.health.closed(now.mono).is_none();
        let wait = state.health.fail(now.mono, failure.clone());
        self.close(state, failure, wait, news);
        self.defer(task, failure, wait);
    }

    /// A connection was lost before it had carried a message.
    fn note_broken(&self, failure: &HopFailure) {
        let now = self.registrar.clock().now();
        let mut state = self.lock();
        if let Some(wait) = state.health.note_broken(now.mono, failure) {
            self.close(state, failure, wait, true);
        }
    }

    fn close(
        &self,
        mut state: MutexGuard<'_, State>,
        failure: &HopFailure,
        wait: Duration,
        news: bool,
    ) {
        let waiting = std::mem::take(&mut state.queue);
        drop(state);
        self.left.notify_waiters();
        if news {
            tracing::warn!(
                target: "lastpost::relay", relay = self.connector.name(), reason = ?failure.text,
                waiting = waiting.len(), retry_in = wait.as_secs(), "next hop is down"
            );
        }
        for task in waiting {
            self.defer(task, failure, wait);
        }
    }

    /// Defers a message until the hop is tried again, and a little longer, so that the first
    /// of them finds out for the others.
    fn defer(&self, task: Task, reason: &HopFailure, remaining: Duration) {
        let wait = schedule::lengthened(remaining.max(Duration::from_secs(1)), schedule::random());
        let now = self.registrar.clock().now();
        let not_before = now.wall.saturating_add(wait).ok();
        let verdict = Verdict { kind: Kind::Deferred { not_before }, ..self.verdict(reason) };
        self.registrar.conclude_all_soon(task, &verdict);
    }

    fn verdict(&self, failure: &HopFailure) -> Verdict {
        Verdict::deferred(failure.status, failure.text.clone()).about(self.connector.name_shared())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
