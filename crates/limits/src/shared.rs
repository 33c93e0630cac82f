//! Counters that several hosts share through Valkey or Redis.
//!
//! One script counts and judges in one step, by the server's own clock, so that hosts need not
//! agree about the time. Each question has 50 ms; when it is not answered, the host goes on by
//! its own counters, which mirror what the server last said, and asks nothing for a second, so
//! that a server that hangs does not make each message wait. Needs one server (or a primary with
//! replicas), not a cluster: the script makes the names of some keys.

mod answer;
mod keeping;
mod script;
#[cfg(test)]
mod tests;
mod url;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use address::AccountKey;
use arc_swap::ArcSwapOption;
use auth::Moment;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{RedisError, RedisResult};
use tokio::sync::{Notify, OnceCell, mpsc};

use crate::config::ConfigError;
use crate::limits::digest;
use crate::rules::Bounds;
use crate::statistics::Counter;
use crate::tally::AddressKey;
use crate::window::Addition;

pub(crate) use answer::Answer;
pub(crate) use url::check_url;

/// How long a question may take.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_millis(50);
/// How long nothing is asked after a failure.
const REST: Duration = Duration::from_secs(1);
/// The log tells of failures once in this time.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// How long connecting, and the work in the background, may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Corrections that wait for the server.
const LATER_MAX: usize = 10_000;
/// What every key begins with.
const PREFIX: &str = "lastpost:limits:";

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// How things stand.
    Peek,
    /// Count if no limit is against it.
    Count,
}

/// A question.
pub(crate) struct Question<'a> {
    pub(crate) account: &'a AccountKey,
    pub(crate) address: Option<AddressKey>,
    pub(crate) mode: Mode,
    /// The client's network, to be noted.
    pub(crate) network: Option<u64>,
    pub(crate) addition: &'a Addition,
    /// Recipients in their one spelling, each once.
    pub(crate) recipients: &'a [String],
    pub(crate) account_bounds: Bounds,
    pub(crate) address_bounds: Bounds,
    pub(crate) known_max: usize,
}

/// What the server is told when there is time.
#[derive(Debug)]
pub(crate) enum Later {
    /// A message was not taken after all.
    TakeBack { account: AccountKey, address: Option<AddressKey>, addition: Addition },
    /// A recipient failed.
    Failed { account: AccountKey, address: Option<AddressKey> },
}

/// Why the server was of no use.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("no answer in time")]
    Late,
}

/// The shared counters.
pub(crate) struct Shared {
    client: redis::Client,
    /// How long a question may take.
    patience: Duration,
    link: OnceCell<ConnectionManager>,
    scripts: script::Scripts,
    /// Under which recipients are remembered by all hosts; known once the server has told.
    key: ArcSwapOption<[u8; 32]>,
    later: mpsc::Sender<Later>,
    waiting: tokio::sync::Mutex<mpsc::Receiver<Later>>,
    /// Ends of suspensions of which the server has not been told.
    resumed: std::sync::Mutex<std::collections::HashMap<AccountKey, i64>>,
    /// Held while the hosts agree, and while an admin resumes: what was read before the end of a
    /// suspension must not bring it back.
    pub(crate) agreeing: tokio::sync::Mutex<()>,
    woken: Notify,
    failures: Counter,
    /// Milliseconds of monotonic time until which nothing is asked.
    resting_until: AtomicU64,
    /// The same, until which the log is not told.
    silent_until: AtomicU64,
}

impl Shared {
    /// Makes no connection yet.
    pub(crate) fn new(
        url: &str,
        password: Option<&str>,
        patience: Duration,
    ) -> Result<Self, ConfigError> {
        let client = url::client(url, password)?;
        let (later, waiting) = mpsc::channel(LATER_MAX);
        Ok(Self {
            client,
            patience,
            link: OnceCell::new(),
            scripts: script::Scripts::new(),
            key: ArcSwapOption::empty(),
            later,
            waiting: tokio::sync::Mutex::new(waiting),
            resumed: std::sync::Mutex::default(),
            agreeing: tokio::sync::Mutex::new(()),
            woken: Notify::new(),
            failures: Counter::default(),
            resting_until: AtomicU64::new(0),
            silent_until: AtomicU64::new(0),
        })
    }

    /// Asks; `None` if there is no answer in time.
    pub(crate) async fn ask(&self, question: &Question<'_>, at: Moment) -> Option<Answer> {
        let now = milliseconds(at.mono);
        if now < self.resting_until.load(Ordering::Relaxed) {
            return None;
        }
        // Until the server has told the key, recipients could not be recognised.
        let key = self.key.load_full()?;
        let digests: Vec<i32> = question
            .recipients
            .iter()
            .map(|text| i32::from_le_bytes(digest(&key, text).to_le_bytes()))
            .collect();
        let asked = async {
            let mut link = self.link().await?;
            self.scripts.ask(&mut link, question, &digests).await
        };
        match within(self.patience, asked).await {
            Ok(answer) => Some(answer),
            Err(trouble) => {
                self.failed(&trouble, at);
                None
            }
        }
    }

    /// Tells the server when there is time; drops it if too much waits.
    pub(crate) fn later(&self, later: Later) {
        if self.later.try_send(later).is_err() {
            tracing::debug!(target: "lastpost::limits", "a correction of shared counters is lost");
        }
    }

    /// Lets the hosts agree about suspensions at once.
    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    /// Whether the server is asked at present: it has told its key, and answered of late.
    pub(crate) fn is_asked(&self, at: Moment) -> bool {
        let resting = milliseconds(at.mono) < self.resting_until.load(Ordering::Relaxed);
        !resting && self.key.load().is_some()
    }

    /// Questions that were not answered.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.get()
    }

    async fn link(&self) -> RedisResult<ConnectionManager> {
        let link = self.link.get_or_try_init(|| async {
            let config = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(CONNECT_TIMEOUT))
                .set_response_timeout(Some(CONNECT_TIMEOUT))
                .set_max_delay(CONNECT_TIMEOUT)
                .set_number_of_retries(1)
                .set_pipeline_buffer_size(1024);
            ConnectionManager::new_lazy_with_config(self.client.clone(), config)
        });
        link.await.cloned()
    }

    fn failed(&self, trouble: &Trouble, at: Moment) {
        self.failures.add_one();
        let now = milliseconds(at.mono);
        self.resting_until.store(now + milliseconds(REST), Ordering::Relaxed);
        let silent = self.silent_until.load(Ordering::Relaxed);
        let next = now + milliseconds(WARN_EVERY);
        let due = now >= silent
            && self
                .silent_until
                .compare_exchange(silent, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if due {
            tracing::warn!(
                target: "lastpost::limits",
                error = %trouble,
                "the shared counters do not answer; this host counts alone meanwhile"
            );
        }
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = RedisResult<T>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(Trouble::from),
        Err(_) => Err(Trouble::Late),
    }
}

fn milliseconds(period: Duration) -> u64 {
    u64::try_from(period.as_millis()).unwrap_or(u64::MAX)
}

/// A key of an account.
fn account_key(kind: &str, account: &AccountKey) -> String {
    format!("{PREFIX}{kind}:{account}")
}

fn address_key(address: Option<AddressKey>) -> String {
    address.map_or_else(String::new, |address| format!("{PREFIX}address:{address}"))
}

/// Held by those who share a server's state between tasks.
pub(crate) type Core = Arc<crate::limits::Core>;
