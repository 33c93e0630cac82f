//! Connections to the servers of a directory: a bounded number of them, kept for the next
//! request, with the servers tried in the order of the configuration.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth::Clock;
use netio::TlsClient;
use sasl::Secret;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::connection::{Connection, Found, Problem};
use super::message::{Outcome, Search};
use super::server::Server;
use crate::breaker::{Breaker, Change};

/// How long a server that failed comes last, and how long nothing is asked when all failed.
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_OF_ALL: Duration = Duration::from_secs(1);
/// How many requests may wait for a connection, for each connection that there may be.
const WAITING_PER_CONNECTION: usize = 16;

/// What the pools of one source share.
pub(super) struct Servers {
    pub(super) source: String,
    pub(super) list: Vec<Server>,
    /// Until when each comes last.
    resting: Mutex<Vec<Duration>>,
    pub(super) tls: TlsClient,
    pub(super) timeout: Duration,
    pub(super) clock: Arc<dyn Clock>,
    breaker: Breaker,
}

/// Whom connections are bound as before their first request.
pub(super) struct Service {
    pub(super) dn: String,
    pub(super) password: Secret,
}

/// What is asked of a server.
#[derive(Clone, Copy)]
pub(super) enum Request<'a> {
    Search(&'a Search<'a>, usize),
    Bind(&'a str, &'a Secret),
}

pub(super) enum Reply {
    Found(Found),
    Bound(Outcome),
}

/// A bounded number of connections.
pub(super) struct Pool {
    pub(super) servers: Arc<Servers>,
    service: Option<Arc<Service>>,
    idle: Mutex<Vec<Connection>>,
    turns: Semaphore,
    waiting: AtomicUsize,
    waiting_max: usize,
}

impl Servers {
    pub(super) fn new(
        source: &str,
        list: Vec<Server>,
        tls: TlsClient,
        timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let resting = Mutex::new(vec![Duration::ZERO; list.len()]);
        let breaker = Breaker::new(1, PAUSE_OF_ALL);
        Self { source: source.to_owned(), list, resting, tls, timeout, clock, breaker }
    }

    fn now(&self) -> Duration {
        self.clock.now().mono
    }

    /// The servers in the order in which they should be tried: those that failed lately come
    /// last. One that has rested goes before the others again, for this caller alone; if it
    /// still fails it rests again.
    fn order(&self) -> Vec<usize> {
        let (now, mut resting) = (self.now(), lock(&self.resting));
        let mut order: Vec<usize> = (0..resting.len()).collect();
        order.sort_by_key(|position| resting[*position] > now);
        if let Some(first) = order.first().and_then(|first| resting.get_mut(*first))
            && !first.is_zero()
        {
            *first = now.saturating_add(PAUSE);
        }
        order
    }

    /// Whether a server that stands before this one should be tried.
    fn have_better(&self, position: usize) -> bool {
        let now = self.now();
        lock(&self.resting).iter().take(position).any(|until| *until <= now)
    }

    fn name(&self, position: usize) -> &str {
        self.list.get(position).map_or("", |server| &server.name)
    }

    fn failed(&self, position: usize, problem: &Problem) {
        let now = self.now();
        if let Some(until) = lock(&self.resting).get_mut(position) {
            let news = *until <= now;
            *until = now.saturating_add(PAUSE);
            if news {
                tracing::warn!(
                    target: "lastpost::auth",
                    source = self.source,
                    server = self.name(position),
                    %problem,
                    "directory server failed"
                );
            }
        }
    }

    fn all_failed(&self, problem: &str) {
        if self.breaker.failed(self.now(), problem) == Change::Down {
            tracing::error!(
                target: "lastpost::auth", source = self.source, problem, "account source down"
            );
        }
    }

    fn answered(&self, position: usize) {
        if let Some(until) = lock(&self.resting).get_mut(position) {
            *until = Duration::ZERO;
        }
        if self.breaker.succeeded() == Change::Up {
            tracing::info!(
                target: "lastpost::auth", source = self.source, "account source answers again"
            );
        }
    }
}

impl Pool {
    /// At most `connections` at a time, bound as `service` if there is one.
    pub(super) fn new(
        servers: Arc<Servers>,
        service: Option<Arc<Service>>,
        connections: usize,
    ) -> Self {
        Self {
            servers,
            service,
            idle: Mutex::default(),
            turns: Semaphore::new(connections),
            waiting: AtomicUsize::new(0),
            waiting_max: connections.saturating_mul(WAITING_PER_CONNECTION),
        }
    }

    /// Searches; the answer may have at most `entries_max` entries.
    ///
    /// # Errors
    /// Why no server answered in time.
    pub(super) async fn search(
        &self,
        search: &Search<'_>,
        entries_max: usize,
    ) -> Result<Found, String> {
        match self.ask(Request::Search(search, entries_max)).await? {
            Reply::Found(found) => Ok(found),
            Reply::Bound(_) => Err("a bind instead of a search".to_owned()),
        }
    }

    /// Binds as a customer.
    ///
    /// # Errors
    /// Why no server answered in time.
    pub(super) async fn bind(&self, dn: &str, password: &Secret) -> Result<Outcome, String> {
        match self.ask(Request::Bind(dn, password)).await? {
            Reply::Bound(outcome) => Ok(outcome),
            Reply::Found(_) => Err("a search instead of a bind".to_owned()),
        }
    }

    async fn ask(&self, request: Request<'_>) -> Result<Reply, String> {
        let deadline = Instant::now() + self.servers.timeout;
        let _turn = self.turn(deadline).await?;
        self.servers.breaker.admit(self.servers.now())?;
        let mut problems = Vec::new();
        if let Some(mut connection) = self.kept() {
            let server = connection.server;
            let work = perform(&mut connection, request);
            match limited(deadline, self.share(deadline, 0), work).await {
                Ok(reply) => return Ok(self.keep(connection, reply)),
                Err(problem) if problem.is_of_request() => {
                    self.servers.answered(server);
                    return Err(problem.to_string());
                }
                Err(problem) => {
                    lock(&self.idle).retain(|other| other.server != server);
                    // It may have been closed while it lay here: then a new one will do.
                    if !matches!(problem, Problem::Closed | Problem::Io(_)) {
                        self.servers.failed(server, &problem);
                        problems.push(format!("{}: {problem}", self.servers.name(server)));
                    }
                }
            }
        }
        let (connection, reply) =
            self.first_that_answers(deadline, problems, Some(request)).await?;
        let reply = reply.ok_or("no answer to what was asked")?;
        Ok(self.keep(connection, reply))
    }

    /// A connection of its own, for a search in several pages.
    ///
    /// # Errors
    /// Why no server answered in time.
    pub(super) async fn connect(&self) -> Result<Connection, String> {
        let deadline = Instant::now() + self.servers.timeout;
        self.servers.breaker.admit(self.servers.now())?;
        let (connection, _) = self.first_that_answers(deadline, Vec::new(), None).await?;
        self.servers.answered(connection.server);
        Ok(connection)
    }

    /// Connects to one server after the other until one answers, and asks it, if there is a
    /// request. `problems`: what went wrong before.
    async fn first_that_answers(
        &self,
        deadline: Instant,
        mut problems: Vec<String>,
        request: Option<Request<'_>>,
    ) -> Result<(Connection, Option<Reply>), String> {
        for (tried, position) in self.servers.order().into_iter().enumerate() {
            let share = self.share(deadline, tried);
            if share.is_zero() {
                break;
            }
            match limited(deadline, share, self.attempt(position, request)).await {
                Ok(done) => return Ok(done),
                Err(problem) if problem.is_of_request() => {
                    self.servers.answered(position);
                    return Err(problem.to_string());
                }
                Err(problem) => {
                    self.servers.failed(position, &problem);
                    problems.push(format!("{}: {problem}", self.servers.name(position)));
                }
            }
        }
        let problem = problems.join("; ");
        self.servers.all_failed(&problem);
        Err(problem)
    }

    async fn attempt(
        &self,
        position: usize,
        request: Option<Request<'_>>,
    ) -> Result<(Connection, Option<Reply>), Problem> {
        let mut connection = self.open(position).await?;
        let reply = match request {
            Some(request) => Some(perform(&mut connection, request).await?),
            None => None,
        };
        Ok((connection, reply))
    }

    /// A connection that was kept, unless a better server should be tried.
    fn kept(&self) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        let connection = idle.pop()?;
        if !self.servers.have_better(connection.server) {
            return Some(connection);
        }
        idle.push(connection);
        None
    }

    /// How long the next server may take, if so many were tried before: what is left, shared
    /// with those that come after it.
    fn share(&self, deadline: Instant, tried: usize) -> Duration {
        let left = deadline.saturating_duration_since(Instant::now());
        let servers = self.servers.list.len().saturating_sub(tried).max(1);
        left / u32::try_from(servers).unwrap_or(u32::MAX)
    }

    async fn open(&self, position: usize) -> Result<Connection, Problem> {
        let server = self.servers.list.get(position).ok_or(Problem::Closed)?;
        let mut connection = Connection::open(server, position, &self.servers.tls).await?;
        if let Some(service) = &self.service {
            let outcome = connection.bind(&service.dn, service.password.expose()).await?;
            if outcome.code != Outcome::SUCCESS {
                return Err(Problem::NotBound { dn: service.dn.clone(), outcome });
            }
        }
        Ok(connection)
    }

    fn keep(&self, connection: Connection, reply: Reply) -> Reply {
        self.servers.answered(connection.server);
        // Those to a server that others stand before make way as soon as one of these answers.
        let mut idle = lock(&self.idle);
        idle.retain(|other| other.server <= connection.server);
        if connection.is_worn() || self.servers.have_better(connection.server) {
            connection.close();
        } else {
            idle.push(connection);
        }
        reply
    }

    /// A turn at the connections; few may wait for one, and none beyond the deadline.
    async fn turn(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, String> {
        if let Ok(turn) = self.turns.try_acquire() {
            return Ok(turn);
        }
        let _place = Place::take(&self.waiting, self.waiting_max)
            .ok_or_else(|| "too many questions wait for a connection".to_owned())?;
        match tokio::time::timeout_at(deadline, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err("no connection was free in time".to_owned()),
        }
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

async fn perform(connection: &mut Connection, request: Request<'_>) -> Result<Reply, Problem> {
    let reply = match request {
        Request::Search(search, entries_max) => {
            Reply::Found(connection.search(search, entries_max).await?)
        }
        Request::Bind(dn, password) => Reply::Bound(connection.bind(dn, password.expose()).await?),
    };
    let (Reply::Found(Found { outcome, .. }) | Reply::Bound(outcome)) = &reply;
    if outcome.is_of_server() { Err(Problem::Refused(outcome.clone())) } else { Ok(reply) }
}

async fn limited<T>(
    deadline: Instant,
    share: Duration,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let until = deadline.min(Instant::now() + share);
    match tokio::time::timeout_at(until, work).await {
        Ok(done) => done,
        Err(_) => Err(Problem::Slow(share)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
