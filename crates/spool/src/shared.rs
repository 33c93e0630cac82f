//! What the handle, the committer, the caretaker, drafts and jobs have in common.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth::Clock;
use tokio::sync::{Notify, Semaphore};

use crate::layer::Layer;
use crate::maker::{Maker, Workshop};
use crate::message::milliseconds;
use crate::names::Names;
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
    /// Octets of the batches.
    pub(crate) octets: AtomicU64,
    pub(crate) failures: AtomicU64,
    /// Ends that the committer could not write yet.
    pub(crate) kept: AtomicUsize,
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

impl Chores {
    pub(crate) fn is_empty(&self) -> bool {
        self.discards.is_empty() && !self.prepare && !self.tidy && !self.stop
    }
}

/// See the module.
pub(crate) struct Shared {
    pub(crate) config: SpoolConfig,
    pub(crate) layer: Arc<dyn Layer>,
    pub(crate) clock: Arc<dyn Clock>,
    queue: Mutex<Queue>,
    maker: Mutex<Maker>,
    /// The names of the segments.
    pub(crate) names: Names,
    /// The names of texts of their own.
    pub(crate) big: Names,
    /// Something in the schedule changed.
    pub(crate) changed: Notify,
    pub(crate) numbers: Numbers,
    /// KiB that drafts may still take.
    pub(crate) memory: Arc<Semaphore>,
    /// Blocking reads and writes that may still begin.
    io: Arc<Semaphore>,
    /// The file system is below a floor.
    full: AtomicBool,
    /// Free octets of the file system when it was last looked at.
    free: AtomicU64,
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
        names: Names,
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
            big: Names::new(&config.directory.join(BIG)),
            names,
            changed: Notify::new(),
            numbers,
            memory: Arc::new(Semaphore::new(memory.min(Semaphore::MAX_PERMITS))),
            io: Arc::new(Semaphore::new(config.io_threads)),
            full: AtomicBool::new(false),
            free: AtomicU64::new(u64::MAX),
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
        lock(&self.maker).take(self.workshop())
    }

    /// Makes the next segment ahead of its use.
    pub(crate) fn prepare_segment(&self) -> io::Result<()> {
        lock(&self.maker).prepare(self.workshop())
    }

    /// Writes zeros to some blocks of the next segment; `false`: there is nothing to do.
    pub(crate) fn polish_ready(&self) -> io::Result<bool> {
        lock(&self.maker).polish_ready(self.workshop())
    }

    /// As [`Self::polish_ready`], or to some of the reserve.
    pub(crate) fn polish_segment(&self) -> io::Result<bool> {
        lock(&self.maker).polish(self.workshop())
    }

    fn workshop(&self) -> Workshop<'_> {
        let (layer, directory) = (&*self.layer, self.directory());
        let (size, now) = (self.config.segment_size.0, self.clock.now().mono);
        let full = self.full.load(Ordering::Relaxed);
        let reserve = if full { 0 } else { self.config.reserve.0 / size };
        let reserve = usize::try_from(reserve).unwrap_or(usize::MAX);
        Workshop { layer, names: &self.names, directory, size, reserve, now }
    }

    /// Keeps the file of a segment that has been set aside for the next one, or removes it.
    pub(crate) fn recycle(&self, segment: Arc<Segment>) -> io::Result<()> {
        // Somebody who still reads it must not find other records in it.
        let spare = match Arc::try_unwrap(segment) {
            Ok(spare) if !self.full.load(Ordering::Relaxed) => spare,
            Ok(spare) => return spare.remove_spare(&*self.layer),
            Err(shared) => return shared.remove_spare(&*self.layer),
        };
        let refused = lock(&self.maker).offer(self.workshop(), spare);
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

    /// Looks at the floors of space and inodes. Once below one, mail is taken again only when
    /// there is an eighth more than the floor, so that this does not change with each message.
    pub(crate) fn measure(&self) {
        let free = match self.layer.free(self.directory()) {
            Ok(free) => free,
            Err(error) => {
                tracing::error!(
                    target: "lastpost::spool", %error, "spool: the free space cannot be read"
                );
                return;
            }
        };
        let was_full = self.full.load(Ordering::Relaxed);
        let floor = |least: u64| if was_full { least.saturating_add(least / 8) } else { least };
        let inodes = free.inodes.is_some_and(|free| free < floor(self.config.free_inodes_min));
        let full = inodes || free.octets < floor(self.config.free_space_min.0);
        self.free.store(free.octets, Ordering::Relaxed);
        if self.full.swap(full, Ordering::Relaxed) == full {
            return;
        }
        let inodes_free = free.inodes;
        if full {
            tracing::error!(
                target: "lastpost::spool",
                free = free.octets,
                ?inodes_free,
                "spool: below the floor of free space or inodes; no mail is taken"
            );
            lock(&self.maker).shrink(&*self.layer);
        } else {
            tracing::info!(
                target: "lastpost::spool", free = free.octets, ?inodes_free,
                "spool: room again; mail is taken"
            );
        }
    }

    /// Whether a message of so many octets, which will have a file of its own, would bring the
    /// file system below its floor.
    pub(crate) fn has_no_room_for(&self, octets: u64) -> bool {
        let left = self.free.load(Ordering::Relaxed).saturating_sub(octets);
        octets > self.config.inline_max.0 && left < self.config.free_space_min.0
    }

    /// Outcomes that are not on disk yet.
    pub(crate) fn unsaved(&self, queue: &Queue) -> usize {
        queue.unsaved.len() + self.counters.kept.load(Ordering::Relaxed)
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
        let waited = self.woken.wait_timeout_while(chores, patience, |chores| chores.is_empty());
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
