//! Hashing on a few threads of its own: so many at a time, so many waiting, and no more.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sasl::Secret;
use tokio::sync::oneshot;

use crate::hash::Workspace;
use crate::queue::{FairQueue, Push, Standing};
use crate::statistics::Counter;
use crate::throttle::Source;
use crate::{Account, HashError, StoredHash};

/// After so long without work a thread wipes its memory and gives it back.
const IDLE: Duration = Duration::from_secs(10);
/// Longer than any client waits; a queue of the costliest hashes can take it.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The hash to verify against.
#[derive(Clone)]
pub(crate) enum Target {
    /// That of an account.
    Account(Arc<Account>),
    /// That of nobody.
    Decoy(Arc<StoredHash>),
}

impl Target {
    /// None: the account's source verifies its password, nothing here can.
    fn hash(&self) -> Option<&StoredHash> {
        match self {
            Self::Account(account) => account.hash(),
            Self::Decoy(hash) => Some(hash),
        }
    }

    /// As [`crate::Credential::record`].
    pub(crate) fn record(&self) -> Option<&str> {
        match self {
            Self::Account(account) => account.credential().record(),
            Self::Decoy(hash) => Some(hash.text()),
        }
    }
}

/// Why a password was not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PoolError {
    #[error("too many logins wait for their turn")]
    Full,
    #[error("the hash could not be computed")]
    Failed,
}

/// The threads. They end when the pool is dropped.
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    hashes: Counter,
    running: AtomicU64,
    running_peak: Counter,
}

struct State {
    queue: FairQueue<Source, Job>,
    open: bool,
}

struct Job {
    target: Target,
    password: Secret,
    answer: oneshot::Sender<Result<bool, HashError>>,
}

impl Pool {
    /// `threads` hashes at a time, `capacity` waiting.
    pub(crate) fn new(threads: usize, capacity: usize) -> io::Result<Self> {
        let pool = Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State { queue: FairQueue::new(capacity), open: true }),
                work: Condvar::new(),
                hashes: Counter::default(),
                running: AtomicU64::new(0),
                running_peak: Counter::default(),
            }),
        };
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&pool.shared);
            std::thread::Builder::new()
                .name(format!("verify-{number}"))
                .spawn(move || shared.serve())?;
        }
        Ok(pool)
    }

    /// Whether `password` fits `target`. Dropping the future gives the place in the queue up.
    pub(crate) async fn verify(
        &self,
        source: Source,
        standing: Standing,
        target: Target,
        password: &Secret,
    ) -> Result<bool, PoolError> {
        let Some(hash) = target.hash() else { return Ok(false) };
        if hash.is_instant() {
            let verified = hash.verify_in(&mut Workspace::new(), password.expose());
            return verified.map_err(|_| PoolError::Failed);
        }
        let (answer, waiting) = oneshot::channel();
        let job = Job { target, password: password.clone(), answer };
        self.enqueue(source, standing, job)?;
        match tokio::time::timeout(WAIT_MAX, waiting).await {
            Ok(Ok(Ok(verified))) => Ok(verified),
            Ok(Ok(Err(error))) => {
                tracing::error!(target: "lastpost::auth", %error, "hash not computed");
                Err(PoolError::Failed)
            }
            // Its sender was dropped: displaced, or the pool ends.
            Ok(Err(_)) | Err(_) => Err(PoolError::Full),
        }
    }

    fn enqueue(&self, source: Source, standing: Standing, job: Job) -> Result<(), PoolError> {
        let mut state = self.shared.lock();
        if state.queue.is_full() {
            state.queue.retain(|job| !job.answer.is_closed());
        }
        let outcome = state.queue.push(source, standing, job);
        drop(state);
        match outcome {
            Push::Refused(_) => return Err(PoolError::Full),
            Push::Waits | Push::Displaced(_) => {}
        }
        self.shared.work.notify_one();
        Ok(())
    }

    /// Hashes computed so far.
    pub(crate) fn hashes(&self) -> u64 {
        self.shared.hashes.get()
    }

    /// Most that ever ran at the same time.
    pub(crate) fn running_peak(&self) -> u64 {
        self.shared.running_peak.get()
    }

    /// Jobs that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.lock().queue.len()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.open = false;
        state.queue.retain(|_| false);
        drop(state);
        self.shared.work.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of a thread.
    fn serve(&self) {
        let mut workspace = Workspace::new();
        while let Some(job) = self.next(&mut workspace) {
            let Job { target, password, answer } = job;
            if answer.is_closed() {
                continue;
            }
            let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
            self.running_peak.raise_to(running);
            self.hashes.add();
            // A panic in a hash must cost that one login, not a thread of the pool.
            let verified = catch_unwind(AssertUnwindSafe(|| {
                let verify =
                    |hash: &StoredHash| hash.verify_in(&mut workspace, password.expose());
                target.hash().map_or(Ok(false), verify)
            }));
            self.running.fetch_sub(1, Ordering::Relaxed);
            // Nobody listens if the client has gone.
            let _ = answer.send(verified.unwrap_or(Err(HashError::Failed)));
        }
    }

    /// The next job; none when the pool ends.
    fn next(&self, workspace: &mut Workspace) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.queue.pop() {
                return Some(job);
            }
            if !state.open {
                return None;
            }
            if workspace.kib() == 0 {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = self.work.wait_timeout(state, IDLE);
            let (back, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = back;
            if timeout.timed_out() && state.queue.len() == 0 {
                drop(state);
                workspace.release();
                state = self.lock();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::cheap;

    fn source() -> Source {
        Source::from(std::net::IpAddr::from([192, 0, 2, 1]))
    }

    #[tokio::test]
    async fn threads_verify_and_end_with_the_pool() {
        let pool = Pool::new(3, 8).unwrap();
        let target = Target::Decoy(Arc::new(cheap("right")));
        for (password, fits) in [("right", true), ("wrong", false)] {
            let secret = Secret::from(password);
            let verified = pool.verify(source(), Standing::Unknown, target.clone(), &secret).await;
            assert_eq!(verified, Ok(fits));
        }
        assert_eq!((pool.hashes(), pool.running_peak(), pool.waiting()), (2, 1, 0));
        let shared = Arc::downgrade(&pool.shared);
        drop(pool);
        let ended = async {
            while shared.strong_count() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("a thread goes on");
    }

    #[tokio::test]
    async fn a_pool_without_room_says_so_at_once() {
        let pool = Pool::new(1, 0).unwrap();
        let target = Target::Decoy(Arc::new(cheap("right")));
        let secret = Secret::from("right");
        let verified = pool.verify(source(), Standing::Known, target, &secret).await;
        assert_eq!(verified, Err(PoolError::Full));
        assert_eq!(pool.hashes(), 0);
    }
}
