//! The thread that writes the ledger: batches, at least one commit a second.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::entry::Entry;
use super::store::{Store, is_damage, move_aside};
use super::{Counts, LedgerConfig};
use crate::share::hour_of;

/// What may be lost when the process is killed.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// Entries of one transaction.
const BATCH: usize = 4096;
/// Entries kept while the file cannot be written.
const KEPT_MAX: usize = 16_384;

/// What the writer is told.
#[derive(Debug)]
pub(super) enum Message {
    /// Write this.
    Entry(Box<Entry>),
    /// Commit everything, then answer whether that was done.
    Flush(SyncSender<bool>),
}

/// The writer's side of the ledger.
pub(super) struct Writer {
    store: Option<Store>,
    config: LedgerConfig,
    counts: Arc<Counts>,
    batch: Vec<Entry>,
    commit_by: Option<Instant>,
    /// The latest time seen: the ledger's clock is that of its entries.
    newest: Timestamp,
    pruned_hour: Option<i64>,
    failing: bool,
}

impl Writer {
    pub(super) fn new(store: Store, config: LedgerConfig, counts: Arc<Counts>) -> Self {
        Self {
            store: Some(store),
            config,
            counts,
            batch: Vec::new(),
            commit_by: None,
            newest: Timestamp::MIN,
            pruned_hour: None,
            failing: false,
        }
    }

    /// Writes until no handle is left.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        loop {
            let message = match self.commit_by {
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(by) => messages.recv_timeout(by.saturating_duration_since(Instant::now())),
            };
            match message {
                Ok(Message::Entry(entry)) => self.take(*entry),
                Ok(Message::Flush(done)) => {
                    self.commit();
                    // Whoever asked may have given up waiting.
                    let _heard = done.try_send(self.batch.is_empty());
                }
                Err(RecvTimeoutError::Timeout) => self.commit(),
                Err(RecvTimeoutError::Disconnected) => {
                    self.commit();
                    self.give_up(0);
                    return;
                }
            }
        }
    }

    fn take(&mut self, entry: Entry) {
        self.newest = self.newest.max(entry.at);
        self.batch.push(entry);
        let by = *self.commit_by.get_or_insert_with(|| Instant::now() + COMMIT_EVERY);
        let full = self.batch.len() >= BATCH && !self.failing;
        // Also when entries come so fast that the receive never times out.
        if full || Instant::now() >= by {
            self.commit();
        }
    }

    fn commit(&mut self) {
        self.commit_by = None;
        if self.batch.is_empty() {
            return;
        }
        match self.write() {
            Ok(()) => {
                self.counts.written.fetch_add(self.batch.len() as u64, Ordering::Relaxed);
                self.batch.clear();
                if std::mem::take(&mut self.failing) {
                    let ledger = self.config.path.display();
                    tracing::info!(%ledger, "the ledger is written again");
                }
                self.prune();
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(
                        ledger = %self.config.path.display(),
                        %error,
                        "the ledger can't be written; its entries wait"
                    );
                }
                self.give_up(KEPT_MAX);
                self.commit_by = Some(Instant::now() + COMMIT_EVERY);
            }
        }
    }

    /// Writes the batch; a damaged file is replaced and the batch written to the new one.
    fn write(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let path = self.config.path.clone();
        if let Some(store) = &mut self.store {
            match store.write(&self.batch) {
                Ok(()) => return Ok(()),
                Err(error) if is_damage(&error) => {
                    self.store = None;
                    move_aside(&path, &format!("is damaged ({error})"), self.newest)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let (mut store, _) = Store::open(&path, self.newest)?;
        store.write(&self.batch)?;
        self.store = Some(store);
        Ok(())
    }

    /// Drops the oldest entries above `kept`.
    fn give_up(&mut self, kept: usize) {
        let excess = self.batch.len().saturating_sub(kept);
        if excess > 0 {
            self.batch.drain(..excess);
            self.counts.lost.fetch_add(excess as u64, Ordering::Relaxed);
            tracing::error!(lost = excess, "entries of the ledger are lost");
        }
    }

    /// Once an hour of the entries' time.
    fn prune(&mut self) {
        let hour = hour_of(self.newest);
        if self.pruned_hour == Some(hour) {
            return;
        }
        self.pruned_hour = Some(hour);
        let Some(store) = &mut self.store else { return };
        match store.prune(self.newest, self.config.retention_days, self.config.rows_max) {
            Ok(0) => {}
            Ok(deleted) => {
                let ledger = store.path().display();
                tracing::info!(%ledger, deleted, "old entries left the ledger");
            }
            Err(error) => {
                tracing::warn!(%error, "old entries of the ledger could not be deleted");
            }
        }
    }
}
