//! The pool against a server that does what each test needs.

use std::collections::HashSet;

use auth::ManualClock;
use jiff::Timestamp;

use super::super::dialect::Dialect;
use super::super::query::{Query, Use};
use super::*;

/// How the server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    /// Nobody listens.
    Down,
    /// It takes connections and never answers.
    Stopped,
    /// It does not know the table.
    Confused,
}

#[derive(Default)]
struct Counters {
    connects: usize,
    asked: usize,
    open: usize,
    most: usize,
    /// Sessions that the server has forgotten.
    dead: HashSet<usize>,
}

#[derive(Clone)]
struct Fake {
    mood: Arc<Mutex<Mood>>,
    counters: Arc<Mutex<Counters>>,
}

struct FakeSession {
    number: usize,
    fake: Fake,
}

impl Fake {
    fn new() -> Self {
        Self { mood: Arc::new(Mutex::new(Mood::Well)), counters: Arc::default() }
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }

    fn count<T>(&self, look: impl FnOnce(&mut Counters) -> T) -> T {
        look(&mut self.counters.lock().unwrap())
    }

    /// Forgets all sessions.
    fn restart(&self) {
        self.count(|counters| counters.dead.extend(0..=counters.connects));
    }
}

impl Driver for Fake {
    type Session = FakeSession;

    async fn connect(&self) -> Result<FakeSession, Problem> {
        let number = self.count(|counters| {
            counters.connects += 1;
            counters.connects
        });
        match self.mood() {
            Mood::Down => Err(std::io::Error::other("refused").into()),
            Mood::Stopped => std::future::pending().await,
            Mood::Well | Mood::Confused => {
                self.count(|counters| {
                    counters.open += 1;
                    counters.most = counters.most.max(counters.open);
                });
                Ok(FakeSession { number, fake: self.clone() })
            }
        }
    }
}

impl Drop for FakeSession {
    fn drop(&mut self) {
        self.fake.count(|counters| counters.open -= 1);
    }
}

impl Session for FakeSession {
    fn is_closed(&self) -> bool {
        false
    }

    async fn ask(&mut self, request: Request<'_>) -> Result<Reply, Problem> {
        let dead = self.fake.count(|counters| {
            counters.asked += 1;
            counters.dead.contains(&self.number)
        });
        if dead {
            return Err(Problem::Closed);
        }
        match (self.fake.mood(), request) {
            (Mood::Stopped, _) => std::future::pending().await,
            (Mood::Confused, Request::Check(query)) => Err(Problem::query(query, "no table")),
            _ => {
                tokio::time::sleep(Duration::from_millis(10)).await;
                Ok(Reply::Fine)
            }
        }
    }
}

struct Bench {
    fake: Fake,
    clock: Arc<ManualClock>,
    pool: Arc<Pool<Fake>>,
    query: Query,
}

fn bench(connections: usize) -> Bench {
    let fake = Fake::new();
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let limits = Limits {
        connections,
        connect_timeout: Duration::from_secs(2),
        query_timeout: Duration::from_secs(2),
    };
    let pool = Arc::new(Pool::new("test", fake.clone(), limits, clock.clone()));
    let dialect = Dialect::Postgresql;
    let query = Query::parse(&dialect.query(Use::Account), Use::Account, dialect).unwrap();
    Bench { fake, clock, pool, query }
}

impl Bench {
    async fn ask(&self) -> Result<(), String> {
        self.pool.ask(Request::Check(&self.query)).await.map(drop)
    }

    /// As many questions at once; how many were answered, and in what time.
    async fn storm(&self, questions: usize) -> (usize, Duration) {
        let begun = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..questions {
            let (pool, query) = (Arc::clone(&self.pool), self.query.clone());
            tasks.spawn(async move { pool.ask(Request::Check(&query)).await.is_ok() });
        }
        let answered = tasks.join_all().await.into_iter().filter(|answered| *answered).count();
        (answered, begun.elapsed())
    }
}

#[tokio::test(start_paused = true)]
async fn connections_are_bounded_and_used_again() {
    let bench = bench(4);
    assert_eq!(bench.storm(400).await.0, 400);
    let (connects, most) = bench.fake.count(|counters| (counters.connects, counters.most));
    assert_eq!((connects, most), (4, 4));
    bench.clock.advance(Duration::from_secs(61));
    bench.pool.tidy();
    assert_eq!(bench.fake.count(|counters| counters.open), 0, "unused ones are closed");
    bench.ask().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn more_than_can_be_served_is_refused_at_once() {
    let bench = bench(1);
    let (answered, took) = bench.storm(1000).await;
    assert!((100..=129).contains(&answered), "{answered}");
    assert!(took <= Duration::from_secs(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_restart_costs_nobody_an_answer() {
    let bench = bench(4);
    bench.storm(8).await;
    bench.fake.restart();
    assert_eq!(bench.storm(8).await.0, 8);
    assert_eq!(bench.fake.count(|counters| counters.open), 4);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_is_left_alone_and_found_again_within_a_second() {
    let bench = bench(4);
    bench.fake.set(Mood::Down);
    let mut problem = String::new();
    for _ in 0..100 {
        problem = bench.ask().await.unwrap_err();
    }
    assert!(problem.contains("refused"), "{problem}");
    assert_eq!(bench.fake.count(|counters| counters.connects), 3, "then nobody tries");
    bench.clock.advance(PAUSE);
    bench.ask().await.unwrap_err();
    bench.ask().await.unwrap_err();
    assert_eq!(bench.fake.count(|counters| counters.connects), 4, "one tries");
    bench.fake.set(Mood::Well);
    bench.clock.advance(Duration::from_secs(1));
    bench.ask().await.unwrap();
    assert_eq!(bench.storm(50).await.0, 50);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_holds_nobody_for_long() {
    let bench = bench(4);
    bench.storm(4).await;
    bench.fake.set(Mood::Stopped);
    let (answered, took) = bench.storm(500).await;
    assert_eq!(answered, 0);
    assert!(took <= Duration::from_millis(4_100), "{took:?}");
    let begun = Instant::now();
    bench.ask().await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(1), "known to be down");
    assert_eq!(bench.fake.count(|counters| counters.open), 0, "sessions that hang are closed");
}

#[tokio::test(start_paused = true)]
async fn a_query_that_is_wrong_is_no_outage() {
    let bench = bench(2);
    bench.fake.set(Mood::Confused);
    for _ in 0..20 {
        let problem = bench.ask().await.unwrap_err();
        assert_eq!(problem, "accounts.source.postgresql.queries.account: no table");
    }
    assert_eq!(bench.fake.count(|counters| counters.connects), 1, "the session goes on");
    bench.fake.set(Mood::Well);
    bench.ask().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_given_up_takes_its_session_with_it() {
    let bench = bench(1);
    let impatient = tokio::time::timeout(Duration::from_millis(5), bench.ask()).await;
    assert!(impatient.is_err());
    assert_eq!(bench.fake.count(|counters| counters.open), 0);
    bench.ask().await.unwrap();
}
