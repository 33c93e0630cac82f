//! A destination: its queue in memory, its health, and the connections that serve it.

mod bucket;
mod connect;
mod dial;
mod failure;
mod health;
mod line;
mod link;
mod offer;
mod queue;
mod session;
mod state;
mod tls;
mod window;
mod worker;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mx::Resolver;
use spool::{QueueId, Spool};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};

use crate::conclude::Registrar;
use crate::config::{ConfigError, HopSettings, Rate, Settings};
use crate::route::Target;
use crate::stats::HopCounters;
use crate::task::Task;
use crate::verdict::Verdict;
use crate::way;
use connect::Connector;
pub(crate) use failure::HopFailure;
pub(crate) use line::Line;
pub(crate) use offer::Refusal;
use state::State;

/// A destination.
pub(crate) struct Hop {
    name: Arc<str>,
    connector: Connector,
    registrar: Arc<Registrar>,
    spool: Spool,
    /// Places among the messages in flight, of all destinations.
    in_flight: Arc<Semaphore>,
    limits: Limits,
    counters: Arc<HopCounters>,
    state: Mutex<State>,
    /// Wakes a connection that waits for a message.
    arrived: Notify,
    /// Wakes whoever waits for workers to go.
    left: Notify,
}

/// What all destinations have in common.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) registrar: Arc<Registrar>,
    pub(crate) spool: Spool,
    pub(crate) in_flight: Arc<Semaphore>,
}

/// How a destination may be used.
#[derive(Clone, Copy, Debug)]
struct Limits {
    connections: usize,
    messages_per_connection: u32,
    idle: Duration,
    rate: Option<Rate>,
    /// Messages that may wait in memory while it is not known to take any.
    doubtful: usize,
    /// The longest time for which it is left alone.
    wait_max: Duration,
}

/// Messages that may wait in memory for one that is not named in the configuration and not known
/// to take any.
const DOUBTFUL_MIN: usize = 16;
/// The same for all that are named together: others have the rest of those in flight.
const DOUBTFUL_NAMED: usize = 1000;
/// The longest time for which a hop of the configuration is left alone, and another.
const WAIT_MAX: [Duration; 2] = [Duration::from_secs(15 * 60), Duration::from_secs(60 * 60)];

impl Hop {
    /// One that has a name in the configuration. Blocking: may read certificates.
    pub(crate) fn named(
        hop: &HopSettings,
        settings: &Settings,
        resolver: Option<&Resolver>,
        common: &Common,
    ) -> Result<Self, ConfigError> {
        let connector = Connector::new(&hop.target, settings, resolver);
        let connector = connector.map_err(|error| error.under(&hop.key))?;
        let limits = Limits {
            connections: hop.connections_max,
            rate: hop.rate,
            doubtful: (DOUBTFUL_NAMED / settings.hops.len().max(1)).max(DOUBTFUL_MIN),
            wait_max: WAIT_MAX[0],
            ..Limits::of(settings)
        };
        Ok(Self::new(Arc::clone(&hop.name), connector, limits, common))
    }

    /// The mail exchangers of a domain, or another that only mail names.
    pub(crate) fn of_target(
        target: &Target,
        settings: &Settings,
        resolver: Option<&Resolver>,
        common: &Common,
    ) -> Result<Self, ConfigError> {
        let connector = Connector::new(target, settings, resolver)?;
        Ok(Self::new(target.to_string().into(), connector, Limits::of(settings), common))
    }

    fn new(name: Arc<str>, connector: Connector, limits: Limits, common: &Common) -> Self {
        let Common { registrar, spool, in_flight } = common.clone();
        Self {
            name,
            connector,
            registrar,
            spool,
            in_flight,
            state: Mutex::new(State::new(&limits)),
            limits,
            counters: Arc::default(),
            arrived: Notify::new(),
            left: Notify::new(),
        }
    }

    /// Whether the configuration names it.
    pub(crate) fn is_named(&self) -> bool {
        self.limits.wait_max == WAIT_MAX[0]
    }

    /// By what name log and commands call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Lets messages that have begun end, puts the others back into the spool's queue, and
    /// says QUIT to the other side. Those that wait in line are due again.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        let (waiting, line) = (state.queue.empty(), state.line.empty());
        drop(state);
        drop(waiting);
        self.spool.bring_forward(&line);
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

    /// Whether its last connection is closed.
    pub(crate) fn has_ended(&self) -> bool {
        self.lock().workers == 0
    }

    /// Wakes or starts as many workers as the queue asks for. While the health is in doubt,
    /// one connection tries it.
    fn staff(self: &Arc<Self>, state: &mut State) {
        let limit = if state.health.is_sound() { state.window.size() } else { 1 };
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

    /// The next message, if there is one and its time has come.
    fn try_take(&self) -> Option<Task> {
        self.take_now().ok()
    }

    /// As [`Self::try_take`]; otherwise, how long to wait where the rate forbids one.
    fn take_now(&self) -> Result<Task, Option<Duration>> {
        let now = self.registrar.clock().now().mono;
        let mut state = self.lock();
        if state.stopping || state.queue.is_empty() {
            return Err(None);
        }
        if let Some(bucket) = &mut state.bucket {
            bucket.take(now).map_err(Some)?;
        }
        let task = state.queue.pop();
        let called = self.call(&mut state, now);
        drop(state);
        self.spool_call(&called);
        task.ok_or(None)
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
        let now = self.registrar.clock().now().mono;
        let mut state = self.lock();
        state.success_at = Some(now);
        let grew = state.window.succeed(now);
        let healed = state.health.succeed();
        if healed {
            tracing::info!(
                target: "lastpost::relay", hop = &*self.name, relay = self.connector.name(),
                waiting = state.line.len(), "next hop is back"
            );
        }
        if healed || grew {
            self.staff(&mut state);
        }
        let called = self.call(&mut state, now);
        drop(state);
        self.spool_call(&called);
    }

    /// A connection did not come about. Where others are at work, or about to be, it was one too
    /// many, and the message goes over those; otherwise everything that waits here goes another
    /// way.
    fn note_failure(self: &Arc<Self>, mut task: Task, failure: &HopFailure) {
        let now = self.registrar.clock().now();
        let mut state = self.lock();
        let open = state.open + state.opening;
        if open > 0 {
            state.window.shrink(open, now.mono);
            tracing::debug!(
                target: "lastpost::relay", hop = &*self.name, open, reason = ?failure.text,
                "no further connection"
            );
            drop(state);
            return self.put_back(task);
        }
        if failure.is_final() {
            // The destination is as it is meant to be: there is nothing to wait for.
            let waiting = state.queue.empty();
            drop(state);
            let verdict = Verdict::failed(failure.status, Arc::clone(&failure.text));
            let verdict = verdict.about(self.connector.name_shared());
            for task in waiting.into_iter().chain([task]) {
                self.registrar.conclude_all_soon(task, &verdict);
            }
            return self.nudge();
        }
        let news = state.health.closed(now.mono).is_none();
        let wait = state.health.fail(now.mono, failure.clone());
        let waiting = self.close(state, failure, wait, news);
        let verdict = self.verdict(failure);
        way::note_failure(&mut task, self, verdict);
        way::place(task);
        for task in waiting {
            way::place(task);
        }
    }

    /// A connection was lost before it had carried a message.
    fn note_broken(&self, failure: &HopFailure) {
        let now = self.registrar.clock().now();
        let mut state = self.lock();
        if let Some(wait) = state.health.note_broken(now.mono, failure) {
            for task in self.close(state, failure, wait, true) {
                way::place(task);
            }
        }
    }

    /// Gives away what waits here.
    fn close(
        &self,
        mut state: MutexGuard<'_, State>,
        failure: &HopFailure,
        wait: Duration,
        news: bool,
    ) -> Vec<Task> {
        let waiting = state.queue.empty();
        let in_line = state.line.len();
        state.close();
        drop(state);
        self.left.notify_waiters();
        if news {
            tracing::warn!(
                target: "lastpost::relay", hop = &*self.name, relay = self.connector.name(),
                reason = ?failure.text, waiting = waiting.len() + in_line,
                retry_in = wait.as_secs(), "next hop is down"
            );
        }
        waiting
    }

    fn verdict(&self, failure: &HopFailure) -> Verdict {
        Verdict::deferred(failure.status, failure.text.clone()).about(self.connector.name_shared())
    }

    /// Who is called from the line, if there is room in the queue.
    fn call(&self, state: &mut State, now: Duration) -> Vec<QueueId> {
        if state.line.len() == 0 || state.health.closed(now).is_some() {
            return Vec::new();
        }
        let (queued, limit) = (state.queue.len(), self.queue_limit(state, now));
        state.line.call(queued, limit)
    }

    fn spool_call(&self, called: &[QueueId]) {
        if !called.is_empty() {
            self.spool.bring_forward(called);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limits {
    /// Those of a destination without a name.
    fn of(settings: &Settings) -> Self {
        Self {
            connections: settings.connections_max,
            messages_per_connection: settings.messages_per_connection,
            idle: settings.connection_idle,
            rate: None,
            doubtful: DOUBTFUL_MIN,
            wait_max: WAIT_MAX[1],
        }
    }
}
