//! The closed loop: so many workers, each with one session at a time, for so long.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::{BenchError, process};

/// Most latencies that one worker keeps.
const SAMPLES_MAX: usize = 4_000_000;
/// Most kinds of errors that are told apart.
const KINDS_MAX: usize = 20;
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(20);

/// How much load.
#[derive(Clone, Debug, Args)]
pub(super) struct LoadArgs {
    /// Sessions at a time.
    #[arg(short, long, default_value_t = 16)]
    pub(super) connections: u64,
    /// Seconds until no new session begins.
    #[arg(long, default_value_t = 10)]
    pub(super) duration: u64,
    /// Begin so many sessions in all, however long it takes.
    #[arg(long)]
    pub(super) sessions: Option<u64>,
    /// A server's process, whose CPU time is measured together with its descendants'; may be
    /// given more than once.
    #[arg(long)]
    pub(super) pid: Vec<u32>,
    /// Seconds that one session may take.
    #[arg(long, default_value_t = 60)]
    pub(super) session_timeout: u64,
}

/// What a session did.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Operations done: sessions, or messages, as the measurement has it.
    pub(super) operations: u64,
    /// Octets of mail.
    pub(super) octets: u64,
    errors: BTreeMap<String, u64>,
    micros: Vec<u32>,
}

impl Tally {
    /// One operation that began at `since` is done.
    pub(super) fn done(&mut self, since: Instant, octets: u64) {
        self.operations += 1;
        self.octets += octets;
        if self.micros.len() < SAMPLES_MAX {
            self.micros.push(u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
    }

    fn failed(&mut self, error: &BenchError) {
        let text = error.to_string();
        if self.errors.len() < KINDS_MAX || self.errors.contains_key(&text) {
            *self.errors.entry(text).or_default() += 1;
        } else {
            *self.errors.entry("others".into()).or_default() += 1;
        }
    }

    fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.octets += other.octets;
        self.micros.extend(other.micros);
        for (text, count) in other.errors {
            *self.errors.entry(text).or_default() += count;
        }
    }
}

/// A session in the making.
pub(super) type Session<'a> = Pin<Box<dyn Future<Output = Result<(), BenchError>> + Send + 'a>>;

/// Which session it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// Among all sessions.
    pub(super) number: u64,
    /// Number of its worker, and how many there are.
    pub(super) worker: u64,
    pub(super) workers: u64,
    /// Among the worker's own sessions.
    pub(super) round: u64,
}

impl Turn {
    /// The first session of a single worker.
    pub(super) fn first() -> Self {
        Self { number: 0, worker: 0, workers: 1, round: 0 }
    }
}

/// One kind of session.
pub(super) trait Job: Send + Sync + 'static {
    /// Does one session.
    fn session<'a>(&'a self, turn: Turn, tally: &'a mut Tally) -> Session<'a>;
}

/// What a measurement gave.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// What was measured.
    pub(super) what: String,
    pub(super) connections: u64,
    pub(super) seconds: f64,
    pub(super) operations: u64,
    pub(super) per_second: f64,
    /// Of what was accepted, from the first session to the last arrival at the next hop; only
    /// where the next hop is ours to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delivered_per_second: Option<f64>,
    pub(super) megabytes_per_second: f64,
    /// Milliseconds of one operation.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    pub(super) errors: u64,
    pub(super) error_kinds: BTreeMap<String, u64>,
    /// CPU seconds; 0 without `--pid`.
    pub(super) server_cpu_seconds: f64,
    pub(super) server_cpu_ms_per_operation: f64,
    pub(super) client_cpu_seconds: f64,
}

impl Report {
    /// All that was accepted has arrived at the next hop, so long after the beginning.
    pub(super) fn delivered_in(&mut self, time: Duration) {
        let seconds = time.as_secs_f64().max(f64::EPSILON);
        self.delivered_per_second = Some(self.operations as f64 / seconds);
    }

    /// The server has used so many CPU seconds, for all operations.
    pub(super) fn server_used(&mut self, cpu_seconds: f64) {
        self.server_cpu_seconds = cpu_seconds;
        self.server_cpu_ms_per_operation = match self.operations {
            0 => 0.0,
            operations => cpu_seconds * 1000.0 / operations as f64,
        };
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {:.0}/s ({} in {:.1} s, {} at a time), {:.1} MB/s, p50 {:.2} ms, p99 {:.2} ms",
            self.what,
            self.per_second,
            self.operations,
            self.seconds,
            self.connections,
            self.megabytes_per_second,
            self.p50_ms,
            self.p99_ms
        )?;
        if let Some(delivered) = self.delivered_per_second {
            write!(f, ", delivered {delivered:.0}/s")?;
        }
        if self.server_cpu_seconds > 0.0 {
            write!(f, ", server {:.3} ms CPU each", self.server_cpu_ms_per_operation)?;
        }
        for (text, count) in &self.error_kinds {
            write!(f, "\n  error {count} times: {text}")?;
        }
        Ok(())
    }
}

/// Runs the load and waits for the sessions that have begun.
pub(super) async fn drive(what: &str, args: &LoadArgs, job: Arc<dyn Job>) -> Report {
    let me = [std::process::id()];
    let (server, client) = (process::cpu_seconds(&args.pid), process::cpu_seconds(&me));
    let started = Instant::now();
    let end = match args.sessions {
        Some(_) => None,
        None => Some(started + Duration::from_secs(args.duration)),
    };
    let turns = Arc::new(AtomicU64::new(0));
    let workers: Vec<_> = (0..args.connections)
        .map(|number| {
            let worker = Worker {
                number,
                workers: args.connections,
                job: Arc::clone(&job),
                turns: Arc::clone(&turns),
                sessions: args.sessions.unwrap_or(u64::MAX),
                end,
                patience: args.session_timeout,
            };
            tokio::spawn(worker.run())
        })
        .collect();
    let mut tally = Tally::default();
    for worker in workers {
        match worker.await {
            Ok(done) => tally.add(done),
            Err(error) => tally.failed(&BenchError::Wrong(format!("a worker failed: {error}"))),
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut report = report(what, args.connections, seconds, tally);
    report.server_used(process::cpu_seconds(&args.pid) - server);
    report.client_cpu_seconds = process::cpu_seconds(&me) - client;
    report
}

struct Worker {
    number: u64,
    workers: u64,
    job: Arc<dyn Job>,
    turns: Arc<AtomicU64>,
    sessions: u64,
    end: Option<Instant>,
    patience: u64,
}

impl Worker {
    async fn run(self) -> Tally {
        let mut tally = Tally::default();
        let mut round = 0;
        while self.end.is_none_or(|end| Instant::now() < end) {
            let number = self.turns.fetch_add(1, Ordering::Relaxed);
            if number >= self.sessions {
                break;
            }
            let turn = Turn { number, worker: self.number, workers: self.workers, round };
            round += 1;
            let patience = Duration::from_secs(self.patience);
            let session = self.job.session(turn, &mut tally);
            let outcome = match tokio::time::timeout(patience, session).await {
                Ok(outcome) => outcome,
                Err(_) => Err(BenchError::Slow(self.patience)),
            };
            if let Err(error) = outcome {
                tally.failed(&error);
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
        tally
    }
}

/// All but CPU times.
fn report(what: &str, connections: u64, seconds: f64, mut tally: Tally) -> Report {
    tally.micros.sort_unstable();
    Report {
        what: what.to_owned(),
        connections,
        seconds,
        operations: tally.operations,
        per_second: tally.operations as f64 / seconds.max(f64::EPSILON),
        delivered_per_second: None,
        megabytes_per_second: tally.octets as f64 / 1e6 / seconds.max(f64::EPSILON),
        p50_ms: quantile(&tally.micros, 0.5),
        p99_ms: quantile(&tally.micros, 0.99),
        max_ms: quantile(&tally.micros, 1.0),
        errors: tally.errors.values().sum(),
        server_cpu_seconds: 0.0,
        server_cpu_ms_per_operation: 0.0,
        client_cpu_seconds: 0.0,
        error_kinds: tally.errors,
    }
}

/// Milliseconds; `sorted` holds microseconds.
fn quantile(sorted: &[u32], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    let value = sorted.get(rank.saturating_sub(1)).or(sorted.last());
    value.map_or(0.0, |&micros| f64::from(micros) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let sorted: Vec<u32> = (1..=100).map(|n| n * 1000).collect();
        assert_eq!(quantile(&sorted, 0.5), 50.0);
        assert_eq!(quantile(&sorted, 0.99), 99.0);
        assert_eq!(quantile(&sorted, 1.0), 100.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
        assert_eq!(quantile(&[7000], 0.01), 7.0);
    }

    struct Every3rdFails;

    impl Job for Every3rdFails {
        fn session<'a>(&'a self, turn: Turn, tally: &'a mut Tally) -> Session<'a> {
            Box::pin(async move {
                if turn.number % 3 == 2 {
                    return Err(BenchError::Closed);
                }
                tally.done(Instant::now(), 1000);
                Ok(())
            })
        }
    }

    #[tokio::test]
    async fn sessions_and_errors_are_counted() {
        let args = LoadArgs {
            connections: 4,
            duration: 1,
            sessions: Some(30),
            pid: vec![std::process::id()],
            session_timeout: 5,
        };
        let report = drive("test", &args, Arc::new(Every3rdFails)).await;
        assert_eq!((report.operations, report.errors), (20, 10));
        assert_eq!(report.error_kinds.len(), 1);
        assert!(report.to_string().contains("error 10 times: the server closed"));
    }
}
