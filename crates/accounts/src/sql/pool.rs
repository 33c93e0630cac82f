//! Connections to a database server: a bounded number, kept for the next question, and none
//! asked in vain while the server is down.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth::Clock;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::driver::{Driver, Problem, Reply, Request, Session};
use crate::breaker::{Breaker, Change};

/// Failures in a row after which nothing is asked for a while, and how long that is.
const FAILURES_MAX: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);
/// How many questions may wait for a connection, for each connection that there may be.
const WAITING_PER_CONNECTION: usize = 128;
/// How long a connection may lie unused: a firewall may have forgotten it after that.
const UNUSED_MAX: Duration = Duration::from_secs(60);

/// Limits of a pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connections: usize,
    pub(super) connect_timeout: Duration,
    pub(super) query_timeout: Duration,
}

/// A bounded number of connections.
pub(super) struct Pool<D: Driver> {
    source: String,
    driver: D,
    limits: Limits,
    clock: Arc<dyn Clock>,
    breaker: Breaker,
    /// Those that nobody uses, the one used last at the end, and since when.
    idle: Mutex<Vec<(D::Session, Duration)>>,
    turns: Semaphore,
    waiting: AtomicUsize,
}

impl<D: Driver> Pool<D> {
    pub(super) fn new(source: &str, driver: D, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self {
            source: source.to_owned(),
            driver,
            limits,
            clock,
            breaker: Breaker::new(FAILURES_MAX, PAUSE),
            idle: Mutex::default(),
            turns: Semaphore::new(limits.connections),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Asks the server. Takes no longer than waiting for a connection, connecting and asking may
    /// take, each by its own limit.
    ///
    /// # Errors
    /// Why there is no answer; at once, while the server is known to be down.
    pub(super) async fn ask(&self, request: Request<'_>) -> Result<Reply, String> {
        self.breaker.may_wait(self.now())?;
        let _turn = self.turn().await?;
        self.breaker.admit(self.now())?;
        if let Some(mut session) = self.kept() {
            match self.limited(self.limits.query_timeout, session.ask(request)).await {
                Ok(reply) => return Ok(self.keep(session, reply)),
                Err(problem) if problem.is_of_query() => return Err(self.wrong(session, &problem)),
                Err(problem @ Problem::Slow(_)) => return Err(self.failed(&problem)),
                // It was closed while it lay here, and so were the others: a restart.
                Err(_) => self.idle().clear(),
            }
        }
        let connect = self.driver.connect();
        let session = self.limited(self.limits.connect_timeout, connect).await;
        let mut session = session.map_err(|problem| self.failed(&problem))?;
        match self.limited(self.limits.query_timeout, session.ask(request)).await {
            Ok(reply) => Ok(self.keep(session, reply)),
            Err(problem) if problem.is_of_query() => Err(self.wrong(session, &problem)),
            Err(problem) => Err(self.failed(&problem)),
        }
    }

    /// Closes connections that were not used for a while.
    pub(super) fn tidy(&self) {
        let now = self.now();
        self.idle().retain(|(session, since)| {
            !session.is_closed() && now.saturating_sub(*since) <= UNUSED_MAX
        });
    }

    fn now(&self) -> Duration {
        self.clock.now().mono
    }

    /// A turn at the connections; few may wait for one, and none for long.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, String> {
        if let Ok(turn) = self.turns.try_acquire() {
            return Ok(turn);
        }
        let most = self.limits.connections.saturating_mul(WAITING_PER_CONNECTION);
        let _place = Place::take(&self.waiting, most)
            .ok_or_else(|| "too many questions wait for a connection".to_owned())?;
        match tokio::time::timeout(self.limits.query_timeout, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err("no connection was free in time".to_owned()),
        }
    }

    /// The connection that was used last.
    fn kept(&self) -> Option<D::Session> {
        let now = self.now();
        let mut idle = self.idle();
        while let Some((session, since)) = idle.pop() {
            if !session.is_closed() && now.saturating_sub(since) <= UNUSED_MAX {
                return Some(session);
            }
        }
        None
    }

    fn keep(&self, session: D::Session, reply: Reply) -> Reply {
        if self.breaker.succeeded() == Change::Up {
            tracing::info!(
                target: "lastpost::auth", source = self.source, "account source answers again"
            );
        }
        self.put_back(session);
        reply
    }

    /// The server is well and the query is not.
    fn wrong(&self, session: D::Session, problem: &Problem) -> String {
        self.breaker.succeeded();
        self.put_back(session);
        problem.to_string()
    }

    fn put_back(&self, session: D::Session) {
        let now = self.now();
        self.idle().push((session, now));
    }

    fn failed(&self, problem: &Problem) -> String {
        let problem = problem.to_string();
        if self.breaker.failed(self.now(), &problem) == Change::Down {
            tracing::error!(
                target: "lastpost::auth", source = self.source, problem, "account source down"
            );
        }
        problem
    }

    async fn limited<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let until = Instant::now() + limit;
        match tokio::time::timeout_at(until, work).await {
            Ok(done) => done,
            Err(_) => Err(Problem::Slow(limit)),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(D::Session, Duration)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue, given up when it is dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> Option<Self> {
        let place = Self(waiting);
        (waiting.fetch_add(1, Ordering::Relaxed) < most).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
