//! Hashing on a few threads of its own: so many at a time, so many waiting, and no more.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sasl::Secret;
use tokio::sync::oneshot;

use crate::hash::Workspace;
use crate::queue::{FairQueue, Push, Standing, Ticket};
use crate::statistics::Counter;
use crate::throttle::Source;
use crate::{Account, StoredHash};

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
    /// There may be something to do.
    work: Condvar,
    /// There may be memory.
    memory: Condvar,
    /// KiB that all hashes together may take.
    budget: usize,
    /// How many threads suspects may keep busy: one is left for all others, if there are two.
    suspects_max: usize,
    hashes: Counter,
    displaced: Counter,
    running: AtomicU64,
    running_peak: Counter,
    memory_peak: Counter,
}

struct State {
    queue: FairQueue<Source, Job>,
    open: bool,
    /// KiB that the threads hold.
    held: usize,
    /// Threads that wait for memory. While there are any no other thread begins.
    starved: usize,
    /// Threads that hash for suspects.
    suspects: usize,
}

/// What a thread is to do. Whoever waits for it knows what it came to.
struct Job {
    /// KiB that it takes, where that is more than a few.
    kib: usize,
    work: Box<dyn FnOnce(&mut Workspace) + Send>,
}

/// What a thread holds of the budget.
struct Share {
    workspace: Workspace,
    kib: usize,
}

impl Pool {
    /// `threads` hashes at a time, `capacity` waiting, `mib` of memory for all hashes together;
    /// a single hash that needs more is computed alone.
    pub(crate) fn new(threads: usize, capacity: usize, mib: usize) -> io::Result<Self> {
        let threads = threads.max(1);
        let queue = FairQueue::new(capacity);
        let pool = Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State { queue, open: true, held: 0, starved: 0, suspects: 0 }),
                work: Condvar::new(),
                memory: Condvar::new(),
                budget: mib.saturating_mul(1024),
                suspects_max: (threads - 1).max(1),
                hashes: Counter::default(),
                displaced: Counter::default(),
                running: AtomicU64::new(0),
                running_peak: Counter::default(),
                memory_peak: Counter::default(),
            }),
        };
        for number in 0..threads {
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
        let (kib, password) = (hash.memory_kib(), password.clone());
        let verify = move |workspace: &mut Workspace| match target.hash() {
            Some(hash) => hash.verify_in(workspace, password.expose()),
            None => Ok(false),
        };
        match self.run(source, standing, kib, verify).await? {
            Ok(verified) => Ok(verified),
            Err(error) => {
                tracing::error!(target: "lastpost::auth", %error, "hash not computed");
                Err(PoolError::Failed)
            }
        }
    }

    /// Has a thread do `work`, which takes `kib` of memory and as long as a hash does. Dropping
    /// the future gives the place in the queue up.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        source: Source,
        standing: Standing,
        kib: usize,
        work: impl FnOnce(&mut Workspace) -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (answer, waiting) = oneshot::channel();
        let work = Box::new(move |workspace: &mut Workspace| {
            // A panic in a hash must cost that one login, not a thread of the pool.
            let done = catch_unwind(AssertUnwindSafe(|| work(workspace)));
            // Nobody listens if the client has gone.
            let _ = answer.send(done.ok());
        });
        // Strangers of one IPv6 /48 are one source, or whoever has one would be 65,536.
        let source = if standing == Standing::Known { source } else { source.fair() };
        let ticket = self.enqueue(source, standing, Job { kib, work })?;
        let _leaving = Leaving { shared: &self.shared, ticket };
        match tokio::time::timeout(WAIT_MAX, waiting).await {
            Ok(Ok(done)) => done.ok_or(PoolError::Failed),
            // Its sender was dropped: displaced, or the pool ends.
            Ok(Err(_)) | Err(_) => Err(PoolError::Full),
        }
    }

    fn enqueue(
        &self,
        source: Source,
        standing: Standing,
        job: Job,
    ) -> Result<Ticket<Source>, PoolError> {
        let outcome = self.shared.lock().queue.push(source, standing, job);
        let ticket = match outcome {
            Push::Refused(_) => return Err(PoolError::Full),
            Push::Waits(ticket) => ticket,
            Push::Displaced(ticket, _) => {
                self.shared.displaced.add();
                ticket
            }
        };
        self.shared.work.notify_one();
        Ok(ticket)
    }

    /// Hashes computed so far.
    pub(crate) fn hashes(&self) -> u64 {
        self.shared.hashes.get()
    }

    /// Those that gave their place to others.
    pub(crate) fn displaced(&self) -> u64 {
        self.shared.displaced.get()
    }

    /// Most that ever ran at the same time.
    pub(crate) fn running_peak(&self) -> u64 {
        self.shared.running_peak.get()
    }

    /// Most KiB that the threads ever held.
    pub(crate) fn memory_peak(&self) -> u64 {
        self.shared.memory_peak.get()
    }

    /// Jobs that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.lock().queue.len()
    }
}

/// Gives the place in the queue up when nobody waits for it any more.
struct Leaving<'a> {
    shared: &'a Shared,
    ticket: Ticket<Source>,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let left = self.shared.lock().queue.leave(&self.ticket);
        drop(left);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.open = false;
        state.queue.clear();
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
        let mut share = Share { workspace: Workspace::new(), kib: 0 };
        while let Some((standing, job)) = self.next(&mut share) {
            self.compute(&mut share, job);
            if standing == Standing::Suspect {
                self.lock().suspects -= 1;
                // Another thread may have waited until fewer are served.
                self.work.notify_one();
            }
        }
        drop(self.give_back(self.lock(), &mut share));
    }

    fn compute(&self, share: &mut Share, job: Job) {
        if job.kib > share.kib {
            self.reserve(share, job.kib);
        }
        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        self.running_peak.raise_to(running);
        self.hashes.add();
        (job.work)(&mut share.workspace);
        self.running.fetch_sub(1, Ordering::Relaxed);
    }

    /// Waits until there is memory for a hash that needs `kib`.
    fn reserve(&self, share: &mut Share, kib: usize) {
        let mut state = self.lock();
        let fits = |state: &State| {
            let others = state.held - share.kib;
            others == 0 || others.saturating_add(kib) <= self.budget
        };
        if !fits(&state) {
            state.starved += 1;
            // Those that idle hold memory as well.
            self.work.notify_all();
            while !fits(&state) {
                state = self.memory.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.starved -= 1;
            self.work.notify_all();
        }
        state.held = state.held - share.kib + kib;
        share.kib = kib;
        self.memory_peak.raise_to(state.held as u64);
    }

    /// Wipes the memory and gives it back.
    fn give_back<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        share: &mut Share,
    ) -> MutexGuard<'a, State> {
        if share.kib == 0 && share.workspace.kib() == 0 {
            return state;
        }
        drop(state);
        share.workspace.release();
        state = self.lock();
        state.held -= std::mem::take(&mut share.kib);
        self.memory.notify_all();
        state
    }

    /// The next job; none when the pool ends.
    fn next(&self, share: &mut Share) -> Option<(Standing, Job)> {
        let mut state = self.lock();
        loop {
            if state.starved > 0 && state.open {
                state = self.give_back(state, share);
                // Its memory may be all that was waited for.
                if state.starved > 0 {
                    state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                continue;
            }
            let suspects = state.suspects < self.suspects_max;
            if let Some((standing, job)) = state.queue.pop(suspects) {
                state.suspects += usize::from(standing == Standing::Suspect);
                return Some((standing, job));
            }
            if !state.open {
                return None;
            }
            if share.kib == 0 {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = self.work.wait_timeout(state, IDLE);
            let (back, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = back;
            if timeout.timed_out() && state.queue.len() == 0 {
                state = self.give_back(state, share);
            }
        }
    }
}

#[cfg(test)]
mod tests;
