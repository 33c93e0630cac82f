//! The ledger: who used which access, when, from where, in which phase, allowed or refused.
//!
//! One thread writes; whoever records never waits. Uses of the same kind within one hour
//! share a row, so that the file grows with the customers and not with their mail. The file
//! may lose the last second when the process is killed, and nothing else.

mod entry;
mod export;
mod query;
mod store;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

pub use entry::{Access, Entry, Outcome};
pub use export::usage_csv;
pub use query::{Filter, Reliance, Tally, Usage, UsageReport, read_usage};
use store::Store;
use writer::{Message, Writer};

/// Where the ledger lies and how far back it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerConfig {
    /// The file.
    pub path: PathBuf,
    /// Days after which an entry is deleted; at least 1.
    pub retention_days: u32,
    /// Rows above which the oldest are deleted before their time; bounds the file.
    pub rows_max: u64,
    /// Entries that may wait for the writer; more are dropped and counted.
    pub queue: usize,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/var/lib/lastpost/ledger.sqlite"),
            retention_days: 400,
            rows_max: 5_000_000,
            queue: 8192,
        }
    }
}

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file cannot be opened, read or written.
    #[error("the ledger {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system or SQLite says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is damaged, not a ledger, or written by a later version. A writer moves such
    /// a file aside by itself; a reader does not.
    #[error("the ledger {path} {reason}", path = path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The writer could not write everything in time.
    #[error("the ledger could not be written in time")]
    Stuck,
}

/// A file that could not be used and now lies elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MovedAside {
    /// Where it lies now.
    pub to: PathBuf,
    /// What was wrong with it.
    pub reason: String,
}

/// What became of the entries, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LedgerCounts {
    /// In the file.
    pub written: u64,
    /// Dropped because the queue was full.
    pub dropped: u64,
    /// Given up because the file could not be written.
    pub lost: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    written: AtomicU64,
    dropped: AtomicU64,
    lost: AtomicU64,
}

/// A handle to the ledger. Clones share it; the last one that goes waits for the writer.
#[derive(Clone, Debug)]
pub struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    queue: Option<SyncSender<Message>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    counts: Arc<Counts>,
    moved_aside: Option<MovedAside>,
}

impl Ledger {
    /// Opens or makes the file, and starts its writer. A file that is damaged, foreign or of a
    /// later version is moved aside with a loud log line and a new one begun. Blocks.
    ///
    /// # Errors
    /// [`LedgerError::File`] if it can be neither used nor moved.
    pub fn open(config: &LedgerConfig, at: Timestamp) -> Result<Self, LedgerError> {
        let (store, moved_aside) = Store::open(&config.path, at)?;
        let (queue, entries) = sync_channel(config.queue.max(1));
        let counts = Arc::new(Counts::default());
        let writer = Writer::new(store, config.clone(), Arc::clone(&counts));
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.run(&entries))
            .map_err(|error| file_error(&config.path, error))?;
        let inner = Inner {
            path: config.path.clone(),
            queue: Some(queue),
            writer: Mutex::new(Some(thread)),
            counts,
            moved_aside,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Hands an entry to the writer. Never waits: if the queue is full, the entry is dropped
    /// and counted.
    pub fn record(&self, entry: Entry) {
        let Some(queue) = &self.inner.queue else { return };
        match queue.try_send(Message::Entry(Box::new(entry))) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                let dropped = self.inner.counts.dropped.fetch_add(1, Ordering::Relaxed) + 1;
                // Once per power of two: enough to be seen, never a flood.
                if dropped.is_power_of_two() {
                    tracing::warn!(dropped, "the ledger's queue is full: entries are dropped");
                }
            }
            Err(TrySendError::Disconnected(_)) => {
                self.inner.counts.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Waits until everything recorded before is in the file. Blocks at most `patience`.
    ///
    /// # Errors
    /// [`LedgerError::Stuck`] after that, or if the file cannot be written.
    pub fn flush(&self, patience: Duration) -> Result<(), LedgerError> {
        let deadline = Instant::now() + patience;
        let queue = self.inner.queue.as_ref().ok_or(LedgerError::Stuck)?;
        let (done, wait) = sync_channel(1);
        let mut message = Message::Flush(done);
        loop {
            match queue.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if Instant::now() < deadline => message = back,
                Err(_) => return Err(LedgerError::Stuck),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match wait.recv_timeout(left) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(LedgerError::Stuck),
        }
    }

    /// What the file says about each account. Blocks.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn usage(&self, filter: &Filter) -> Result<UsageReport, LedgerError> {
        read_usage(&self.inner.path, filter)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// What became of the entries so far.
    #[must_use]
    pub fn counts(&self) -> LedgerCounts {
        let counts = &self.inner.counts;
        LedgerCounts {
            written: counts.written.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
            lost: counts.lost.load(Ordering::Relaxed),
        }
    }

    /// The file that was found unusable when the ledger was opened.
    #[must_use]
    pub fn moved_aside(&self) -> Option<&MovedAside> {
        self.inner.moved_aside.as_ref()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The writer ends when no handle is left, after it has written what waits.
        self.queue = None;
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = writer {
            let _ended = thread.join();
        }
    }
}

fn file_error(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> LedgerError {
    LedgerError::File { path: path.to_owned(), source: source.into() }
}
