//! Upgrade on login: a password that was just found right is hashed anew where its hash is of an
//! older scheme or cheaper than the configuration asks for.
//!
//! Never in a login's way: one hash at a time, on a thread of the lowest priority, with a bounded
//! number of passwords waiting. Never against anybody: the source puts the new hash in the place
//! of the old one only if that still is what the record says.

mod seen;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sasl::Secret;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::hash::Workspace;
use crate::statistics::Counter;
use crate::{Account, AccountSource, HashRecipe, Moment, StoredHash};
use seen::Seen;

/// How many upgrades may be under way, from the login to the written record. A source that
/// gathers changes before it writes them holds most of them.
const ROOM: usize = 1024;
/// After a source could not store a hash it is left alone for so long, and not spoken of again.
const PAUSE: Duration = Duration::from_secs(60);
/// Longer than any source takes, with the time in which it gathers changes.
const STORE_MAX: Duration = Duration::from_secs(180);
/// After so long without work the thread gives its memory back.
const IDLE: Duration = Duration::from_secs(10);

/// What became of upgrades since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpgradeCounts {
    /// Hashes replaced.
    pub upgraded: u64,
    /// New hashes that came too late: the record had changed meanwhile.
    pub overtaken: u64,
    /// New hashes that could not be made or stored; tried again at a later login.
    pub failed: u64,
    /// Logins whose hash was left as it is because too many upgrades were under way.
    pub skipped: u64,
}

/// Replaces old hashes. Its thread ends with it.
pub struct Upgrader {
    shared: Arc<Shared>,
    jobs: SyncSender<Job>,
}

struct Shared {
    recipe: HashRecipe,
    room: Arc<Semaphore>,
    seen: Mutex<Seen>,
    /// Until when each source is left alone, on the monotonic clock.
    paused: Mutex<HashMap<String, Duration>>,
    upgraded: Counter,
    overtaken: Counter,
    failed: Counter,
    skipped: Counter,
}

/// One upgrade, which is under way as long as this lives.
struct Job {
    shared: Arc<Shared>,
    source: Arc<dyn AccountSource>,
    account: Arc<Account>,
    password: Secret,
    at: Moment,
    runtime: Handle,
    /// What stands for the record as it was at the login.
    record: u64,
    _room: OwnedSemaphorePermit,
}

impl Upgrader {
    /// Starts the thread that makes hashes by `recipe`.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn new(recipe: HashRecipe) -> io::Result<Self> {
        Self::with_room(recipe, ROOM)
    }

    fn with_room(recipe: HashRecipe, room: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            recipe,
            room: Arc::new(Semaphore::new(room)),
            seen: Mutex::new(Seen::default()),
            paused: Mutex::new(HashMap::new()),
            upgraded: Counter::default(),
            overtaken: Counter::default(),
            failed: Counter::default(),
            skipped: Counter::default(),
        });
        // A permit of the room comes with each job, so that sending never has to wait.
        let (jobs, waiting) = sync_channel(room);
        std::thread::Builder::new().name("upgrade".to_owned()).spawn(move || serve(&waiting))?;
        Ok(Self { shared, jobs })
    }

    /// Told of each login whose `password` was hashed and found right. Returns at once. Within a
    /// tokio runtime.
    pub fn offer(
        &self,
        source: &Arc<dyn AccountSource>,
        account: &Arc<Account>,
        password: &Secret,
        at: Moment,
    ) {
        let Some(old) = account.hash() else { return };
        let shared = &self.shared;
        if !source.can_replace_hash()
            || shared.recipe.is_met_by(old)
            || !shared.recipe.keeps(password.expose())
            || shared.is_paused(source.name(), at)
        {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let Some(record) = shared.seen().begin(account.key(), old) else { return };
        let Ok(room) = Arc::clone(&shared.room).try_acquire_owned() else {
            shared.skipped.add();
            shared.seen().forget(account.key());
            return;
        };
        let job = Job {
            shared: Arc::clone(shared),
            source: Arc::clone(source),
            account: Arc::clone(account),
            password: password.clone(),
            at,
            runtime,
            record,
            _room: room,
        };
        // If the thread has gone, dropping the job undoes it.
        let _ = self.jobs.try_send(job);
    }

    /// What became of upgrades.
    #[must_use]
    pub fn counts(&self) -> UpgradeCounts {
        let Shared { upgraded, overtaken, failed, skipped, .. } = &*self.shared;
        UpgradeCounts {
            upgraded: upgraded.get(),
            overtaken: overtaken.get(),
            failed: failed.get(),
            skipped: skipped.get(),
        }
    }
}

/// The life of the thread.
fn serve(jobs: &Receiver<Job>) {
    // What the system does not grant only makes the thread as important as others.
    let _ = rustix::process::nice(19);
    let mut workspace = Workspace::new();
    loop {
        let job = if workspace.kib() == 0 {
            jobs.recv().map_err(RecvTimeoutError::from)
        } else {
            jobs.recv_timeout(IDLE)
        };
        match job {
            Ok(job) => job.hash(&mut workspace),
            Err(RecvTimeoutError::Timeout) => workspace.release(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Job {
    fn hash(self, workspace: &mut Workspace) {
        // Others before this one may have found that the source cannot store.
        if self.shared.is_paused(self.source.name(), self.at) {
            return;
        }
        match self.shared.recipe.make_in(workspace, self.password.expose()) {
            Ok(new) => {
                let runtime = self.runtime.clone();
                runtime.spawn(self.store(new));
            }
            Err(error) => self.failed(&error.to_string()),
        }
    }

    async fn store(self, new: StoredHash) {
        let Some(old) = self.account.hash() else { return };
        let key = self.account.key();
        let storing = self.source.replace_hash(key, old, &new);
        let shared = &self.shared;
        match tokio::time::timeout(STORE_MAX, storing).await {
            Ok(Ok(true)) => {
                shared.seen().settle(key, self.record);
                shared.upgraded.add();
                tracing::info!(
                    target: "lastpost::auth",
                    user = %key,
                    source = self.source.name(),
                    from = old.scheme().as_str(),
                    to = new.scheme().as_str(),
                    "password hash upgraded"
                );
            }
            Ok(Ok(false)) => {
                shared.seen().settle(key, self.record);
                shared.overtaken.add();
                tracing::debug!(
                    target: "lastpost::auth",
                    user = %key,
                    source = self.source.name(),
                    "password hash not upgraded: the record has changed"
                );
            }
            Ok(Err(unavailable)) => self.failed(&unavailable.problem),
            Err(_) => self.failed("it takes too long"),
        }
    }

    /// Leaves the source alone for a while; the account is tried again at a later login.
    fn failed(&self, problem: &str) {
        self.shared.failed.add();
        let name = self.source.name();
        let until = self.at.mono.saturating_add(PAUSE);
        let before = lock(&self.shared.paused).insert(name.to_owned(), until);
        if before.is_none_or(|before| before <= self.at.mono) {
            tracing::warn!(
                target: "lastpost::auth",
                source = name,
                problem,
                "password hashes not upgraded; tried again at later logins"
            );
        }
    }
}

impl Drop for Job {
    /// An account that was not settled may come again.
    fn drop(&mut self) {
        self.shared.seen().forget_unless_settled(self.account.key());
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    fn is_paused(&self, source: &str, at: Moment) -> bool {
        lock(&self.paused).get(source).is_some_and(|until| at.mono < *until)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Upgrader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgrader").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
