//! The spool itself: opening, what the start found, figures, closing.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use auth::Clock;
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use tokio::sync::mpsc;

use crate::caretaker::Caretaker;
use crate::committer::Committer;
use crate::layer::{Disk, Layer};
use crate::names::Names;
use crate::numbers::Numbers;
use crate::recovery::recover;
use crate::request::Request;
use crate::salvage::Salvage;
use crate::shared::{BIG, Shared};
use crate::{QueueId, SpoolConfig, SpoolError};

/// A damaged stretch of the log, found at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub segment: PathBuf,
    /// First octet that could not be read as a record.
    pub from: u64,
    /// First octet behind the damage.
    pub until: u64,
    /// Where the octets were copied for inspection, if that worked.
    pub copy: Option<PathBuf>,
}

/// What the scan at the start found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Segments read.
    pub segments: usize,
    /// Octets of log read.
    pub octets: u64,
    /// Messages in the queue.
    pub queued: usize,
    /// Octets at the ends of segments that a crash had left half written; nobody had been told
    /// that they were stored.
    pub torn_octets: u64,
    /// Damage in the middle of acknowledged records: mail or outcomes may be lost. Each is
    /// also logged as an error.
    pub damage: Vec<Damage>,
    /// Messages whose own file under `big/` is missing or has the wrong size; they stay in
    /// the queue, untried, and are listed as damaged.
    pub bodies_missing: Vec<QueueId>,
    /// Files under `big/` that belonged to no message and were deleted.
    pub orphans_deleted: usize,
    /// The record of reserved queue IDs could not be read; the clock and the log were used
    /// in its place.
    pub numbers_lost: bool,
}

/// Figures for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages in the queue.
    pub queued: u64,
    /// Of these, held.
    pub held: u64,
    /// Of these, being delivered.
    pub in_delivery: u64,
    /// Segments on disk.
    pub segments: u64,
    /// Octets of all live records in the log.
    pub live_octets: u64,
    /// Batches flushed since the start.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Batches that could not be written or flushed.
    pub failures: u64,
    /// Outcomes that are not on disk yet because writing failed.
    pub unsaved: u64,
    /// Whether mail is refused for lack of room.
    pub full: bool,
}

/// A handle on the queue; clones share it.
///
/// When the last clone goes, what waits is written, the threads end and the directory is
/// unlocked: dropping it blocks for about one flush. Drafts and jobs do not keep it open.
#[derive(Clone, Debug)]
pub struct Spool {
    pub(crate) shared: Arc<Shared>,
    pub(crate) requests: mpsc::Sender<Request>,
    // Behind `requests`, which must go before the threads are waited for.
    _threads: Arc<Threads>,
}

/// The threads and the lock; waits for the threads when it goes.
#[derive(Debug)]
struct Threads {
    shared: Arc<Shared>,
    handles: Mutex<Vec<JoinHandle<()>>>,
    _lock: File,
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.close();
        let handles = self.handles.get_mut().unwrap_or_else(PoisonError::into_inner);
        for handle in handles.drain(..) {
            if handle.join().is_err() {
                tracing::error!(
                    target: "lastpost::spool", "spool: a thread of the spool had panicked"
                );
            }
        }
        self.shared.drop_prepared();
    }
}

impl Spool {
    /// Locks the directory (making it if need be), scans the log, starts the writer. Blocking:
    /// takes as long as reading the log does.
    ///
    /// # Errors
    /// [`SpoolError`]. Damage to the log is not one: what reads is used, and the report tells
    /// the rest.
    pub fn open(
        config: &SpoolConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, RecoveryReport), SpoolError> {
        config.validate()?;
        Self::open_on(config, clock, Arc::new(Disk))
    }

    /// As [`Self::open`], on another layer and with any sizes.
    pub(crate) fn open_on(
        config: &SpoolConfig,
        clock: Arc<dyn Clock>,
        layer: Arc<dyn Layer>,
    ) -> Result<(Self, RecoveryReport), SpoolError> {
        let directory = &config.directory;
        make_directory(directory)?;
        let lock = lock(directory)?;
        make_directory(&directory.join(BIG))?;
        layer.sync_directory(directory).map_err(SpoolError::io("flush", directory))?;
        let recovered = recover(directory, &Salvage::Write(Arc::clone(&layer)))?;
        let mut report = recovered.report;
        let now = clock.now().wall;
        let names = Names::new(directory);
        let (numbers, lost) = Numbers::open(&*layer, &names, directory, recovered.largest_id, now)
            .map_err(SpoolError::io("write", directory))?;
        report.numbers_lost = lost;
        log(&report);
        let shared = Arc::new(Shared::new(
            config.clone(),
            layer,
            clock,
            names,
            numbers,
            recovered.queue,
            recovered.last_generation,
        ));
        shared.measure();
        shared.distrust_far_times();
        let mut committer = Committer::new(Arc::clone(&shared), recovered.seals);
        // If there is no room, mail is refused until there is; the queue still drains.
        let _ = committer.warm_up();
        let threads = Arc::new(Threads {
            shared: Arc::clone(&shared),
            handles: Mutex::new(Vec::new()),
            _lock: lock,
        });
        // Made after the threads' keeper and so dropped before it, should a thread not start.
        let (requests, inbox) = mpsc::channel(config.waiting_max);
        let caretaker = Caretaker::new(Arc::clone(&shared), requests.downgrade());
        threads.start("spool-write", move || committer.run(inbox), directory)?;
        threads.start("spool-care", move || caretaker.run(), directory)?;
        Ok((Self { shared, requests, _threads: threads }, report))
    }

    /// The wall clock by which messages are due.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now().wall
    }

    /// Figures for metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let counters = &self.shared.counters;
        let full = self.shared.is_full();
        let queue = self.shared.queue();
        Stats {
            queued: queue.len() as u64,
            held: queue.held(),
            in_delivery: queue.claimed(),
            segments: queue.segments.len() as u64,
            live_octets: queue.segments.live(),
            batches: counters.batches.load(Ordering::Relaxed),
            records: counters.records.load(Ordering::Relaxed),
            failures: counters.failures.load(Ordering::Relaxed),
            unsaved: self.shared.unsaved(&queue) as u64,
            full,
        }
    }

    /// Drops this handle without blocking the caller's thread. If it is the last one, resolves
    /// when what waited is written and the directory unlocked.
    pub async fn close(self) {
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }
}

impl Threads {
    fn start(
        &self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
        directory: &Path,
    ) -> Result<(), SpoolError> {
        let started = std::thread::Builder::new().name(name.to_owned()).spawn(work);
        let handle = started.map_err(SpoolError::io("start a thread for", directory))?;
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
        Ok(())
    }
}

fn make_directory(path: &Path) -> Result<(), SpoolError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(SpoolError::io("create", path))
}

/// Takes the lock of a spool; it lasts as long as the file is open.
fn lock(directory: &Path) -> Result<File, SpoolError> {
    let path = directory.join("lock");
    let opened =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = opened.map_err(SpoolError::io("open", &path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let holder = holder(&path);
            return Err(SpoolError::InUse { directory: directory.to_path_buf(), holder });
        }
        Err(error) => return Err(SpoolError::io("lock", &path)(error.into())),
    }
    // For the administrator who wonders who has it.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

/// The process that has the lock, as it says itself.
pub(crate) fn holder(lock: &Path) -> Option<u32> {
    std::fs::read_to_string(lock).ok()?.trim().parse().ok()
}

/// Whether a daemon has the spool open.
pub(crate) fn is_locked(directory: &Path) -> io::Result<bool> {
    let file = match File::open(directory.join("lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn log(report: &RecoveryReport) {
    tracing::info!(
        target: "lastpost::spool",
        queued = report.queued,
        segments = report.segments,
        octets = report.octets,
        torn_octets = report.torn_octets,
        damage = report.damage.len(),
        bodies_missing = report.bodies_missing.len(),
        orphans_deleted = report.orphans_deleted,
        "spool: opened"
    );
    if report.numbers_lost {
        tracing::warn!(
            target: "lastpost::spool",
            "spool: the record of reserved queue IDs was damaged; it is written anew"
        );
    }
}
