//! What the handle, the committer, the caretaker, drafts and jobs have in common.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth::Clock;
use tokio::sync::{Notify, Semaphore};

use crate::layer::Layer;
use crate::maker::Maker;
use crate::message::milliseconds;
use crate::numbers::Numbers;
use crate::queue::Queue;
use crate::segment::Segment;
use crate::{QueueId, SpoolConfig};

/// Directory of texts that have a file of their own.
pub(crate) const BIG: &str = "big";

/// Figures that only rise.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) batches: AtomicU64,
    pub(crate) records: AtomicU64,
    pub(crate) failures: AtomicU64,
}

/// What the caretaker is asked to do.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    /// Files under `big/` that nobody needs.
    pub(crate) discards: Vec<QueueId>,
    /// The next segment is wanted soon.
    pub(crate) prepare: bool,
    /// Segments may have become removable or sparse.
    pub(crate) tidy: bool,
    pub(crate) stop: bool,
}

/// See the module.
pub(crate) struct Shared {
    pub(crate) config: SpoolConfig,
    pub(crate) layer: Arc<dyn Layer>,
    pub(crate) clock: Arc<dyn Clock>,
    queue: Mutex<Queue>,
    maker: Mutex<Maker>,
    /// Something in the schedule changed.
    pub(crate) changed: Notify,
    pub(crate) numbers: Numbers,
    /// KiB that drafts may still take.
    pub(crate) memory: Arc<Semaphore>,
    /// Blocking reads and writes that may still begin.
    io: Arc<Semaphore>,
    /// The file system is below a floor.
    full: AtomicBool,
    closed: AtomicBool,
    chores: Mutex<Chores>,
    woken: Condvar,
    pub(crate) counters: Counters,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool").field("directory", &self.config.directory).finish_non_exhaustive()
    }
}

/// A panic elsewhere must not stop the queue: each change under a lock is whole in itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(
        config: SpoolConfig,
        layer: Arc<dyn Layer>,
        clock: Arc<dyn Clock>,
        numbers: Numbers,
        queue: Queue,
        last_generation: u32,
    ) -> Self {
        let memory = usize::try_from(config.memory_max.0 / 1024).unwrap_or(usize::MAX);
        Self {
            layer,
            clock,
            queue: Mutex::new(queue),
            maker: Mutex::new(Maker::new(last_generation)),
            changed: Notify::new(),
            numbers,
            memory: Arc::new(Semaphore::new(memory.min(Semaphore::MAX_PERMITS))),
            io: Arc::new(Semaphore::new(config.io_threads)),
            full: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            chores: Mutex::default(),
            woken: Condvar::new(),
            counters: Counters::default(),
            config,
        }
    }

    /// The queue. Never held across a system call or an await.
    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.config.directory
    }

    /// The file of a text of its own.
    pub(crate) fn own_file(&self, id: QueueId) -> PathBuf {
        self.directory().join(BIG).join(id.to_string())
    }

    /// The wall clock in milliseconds.
    pub(crate) fn now(&self) -> i64 {
        milliseconds(self.clock.now().wall)
    }

    /// The next segment to write to.
    pub(crate) fn take_segment(&self) -> io::Result<Arc<Segment>> {
        let size = self.config.segment_size.0;
        let now = self.clock.now().mono;
        lock(&self.maker).take(&*self.layer, self.directory(), size, now)
    }

    /// Makes the next segment ahead of its use.
    pub(crate) fn prepare_segment(&self) -> io::Result<()> {
        let size = self.config.segment_size.0;
        let now = self.clock.now().mono;
        lock(&self.maker).prepare(&*self.layer, self.directory(), size, now)
    }

    /// Keeps the file of a segment that has been set aside for the next one, or removes it.
    pub(crate) fn recycle(&self, segment: Arc<Segment>) -> io::Result<()> {
        // Somebody who still reads it must not find other records in it.
        let spare = match Arc::try_unwrap(segment) {
            Ok(spare) if !self.full.load(Ordering::Relaxed) => spare,
            Ok(spare) => return spare.remove_spare(&*self.layer),
            Err(shared) => return shared.remove_spare(&*self.layer),
        };
        let size = self.config.segment_size.0;
        let refused = lock(&self.maker).offer(spare, size);
        refused.or_else(|spare| spare.remove_spare(&*self.layer))
    }

    /// Removes segments that were made ahead or kept and will not be used.
    pub(crate) fn drop_prepared(&self) {
        lock(&self.maker).clear(&*self.layer);
    }

    /// Whether mail must be refused for lack of room.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed) || self.queue().len() as u64 >= self.config.messages_max
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Looks at the floors of space and inodes.
    pub(crate) fn measure(&self) {
        let full = match rustix::fs::statvfs(self.directory()) {
            Ok(stat) => {
                let space = stat.f_bavail.saturating_mul(stat.f_frsize);
                // File systems without an inode table say that they have none at all.
                let inodes = stat.f_files > 0 && stat.f_favail < self.config.free_inodes_min;
                space < self.config.free_space_min.0 || inodes
            }
            Err(error) => {
                tracing::error!(%error, "spool: the free space cannot be read");
                return;
            }
        };
        if self.full.swap(full, Ordering::Relaxed) != full {
            if full {
                tracing::error!("spool: below the floor of free space; no mail is taken");
            } else {
                tracing::info!("spool: above the floor of free space again; mail is taken");
            }
        }
    }

    /// Runs a blocking piece of work on a bounded number of threads.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let turn = Arc::clone(&self.io).acquire_owned().await.map_err(io::Error::other)?;
        let work = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        work.await.map_err(io::Error::other)?
    }

    /// Asks the caretaker for something.
    pub(crate) fn ask(&self, ask: impl FnOnce(&mut Chores)) {
        ask(&mut lock(&self.chores));
        self.woken.notify_one();
    }

    /// The file of `id` may go.
    pub(crate) fn discard(&self, id: QueueId) {
        self.ask(|chores| chores.discards.push(id));
    }

    /// For the caretaker: waits up to `patience` for something to do, and takes it.
    pub(crate) fn chores(&self, patience: Duration) -> Chores {
        let chores = lock(&self.chores);
        let idle = |c: &mut Chores| c.discards.is_empty() && !c.prepare && !c.tidy && !c.stop;
        let waited = self.woken.wait_timeout_while(chores, patience, idle);
        let (mut chores, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let stop = chores.stop;
        std::mem::replace(&mut *chores, Chores { stop, ..Chores::default() })
    }

    /// No more mail is taken; the caretaker stops.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.ask(|chores| chores.stop = true);
    }
}
