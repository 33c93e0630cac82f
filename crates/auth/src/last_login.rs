//! When each account logged in last, and from where: the observer of logins that stays when
//! all bridges are gone.

mod file;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use address::AccountKey;
use dashmap::DashMap;
use jiff::Timestamp;

use crate::{Answer, Login, LoginObserver, Service};
use file::StateFile;

/// Logins on their way to the file.
const CHANNEL: usize = 4096;
/// Logins that are written at once, and kept for the next try when that fails.
const BATCH_MAX: usize = 4096;
/// How long a login may be in memory alone.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// How long [`LastLogins::flush`] waits.
const FLUSH_WAIT: Duration = Duration::from_secs(5);
/// Most accounts that are remembered.
const ACCOUNTS_MAX: usize = 4_000_000;

/// The last login of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastLogin {
    /// When, to the second once it was read back from the file.
    pub at: Timestamp,
    /// From which address.
    pub client: IpAddr,
    /// To which service.
    pub service: Service,
    /// Whether TLS protected it.
    pub tls: bool,
}

/// Why the record of logins cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LastLoginError {
    /// Another process keeps it.
    #[error("{}: another process keeps this record of logins", file.display())]
    InUse {
        /// The lock file.
        file: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The last login of every account, in memory, and on disk within two seconds. A handle.
///
/// A login never waits for the disk. When the disk cannot follow, the file misses some
/// logins and [`Self::lost`] counts them; the memory does not.
#[derive(Clone)]
pub struct LastLogins {
    shared: Arc<Shared>,
}

struct Shared {
    records: Arc<DashMap<AccountKey, LastLogin>>,
    lost: AtomicU64,
    notes: SyncSender<Note>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the writer is told.
enum Note {
    Login(AccountKey, LastLogin),
    Flush(SyncSender<bool>),
    End,
}

impl LastLogins {
    /// Reads `last-logins` in `directory` and starts the thread that keeps it. Blocks.
    ///
    /// A damaged line, as a power cut leaves it, is dropped.
    ///
    /// # Errors
    /// If another process keeps the file, or it cannot be read or created.
    pub fn open(directory: &Path) -> Result<Self, LastLoginError> {
        let (file, records) = StateFile::open(directory)?;
        let records: Arc<DashMap<_, _>> = Arc::new(records.into_iter().collect());
        let (notes, inbox) = sync_channel(CHANNEL);
        let writer = Writer { file, records: Arc::clone(&records), pending: Vec::new() };
        let thread = std::thread::Builder::new()
            .name("last-logins".to_owned())
            .spawn(move || writer.run(&inbox))
            .map_err(|source| LastLoginError::Io { file: directory.to_owned(), source })?;
        let (lost, writer) = (AtomicU64::new(0), Mutex::new(Some(thread)));
        Ok(Self { shared: Arc::new(Shared { records, lost, notes, writer }) })
    }

    /// The last login of `key`, if one is known.
    #[must_use]
    pub fn get(&self, key: &AccountKey) -> Option<LastLogin> {
        self.shared.records.get(key).map(|record| *record)
    }

    /// How many accounts have one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.records.len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.records.is_empty()
    }

    /// Logins that the file misses because the disk could not follow.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Puts everything on disk; false if that failed or took more than five seconds. Blocks.
    #[must_use]
    pub fn flush(&self) -> bool {
        let (done, wait) = sync_channel(1);
        self.shared.notes.send(Note::Flush(done)).is_ok()
            && wait.recv_timeout(FLUSH_WAIT).unwrap_or(false)
    }

    fn record(&self, login: &Login) {
        let shared = &*self.shared;
        let key = login.account.key();
        if shared.records.len() >= ACCOUNTS_MAX && !shared.records.contains_key(key) {
            shared.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let record = LastLogin {
            at: login.at.wall,
            client: login.client,
            service: login.channel.service,
            tls: login.channel.tls,
        };
        shared.records.insert(key.clone(), record);
        match shared.notes.try_send(Note::Login(key.clone(), record)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                shared.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl LoginObserver for LastLogins {
    fn on_login<'a>(&'a self, login: &'a Login) -> Answer<'a, ()> {
        self.record(login);
        Box::pin(std::future::ready(()))
    }
}

impl std::fmt::Debug for LastLogins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LastLogins").field("accounts", &self.len()).finish_non_exhaustive()
    }
}

impl Drop for Shared {
    /// Waits until the writer has put the rest on disk.
    fn drop(&mut self) {
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = writer
            && self.notes.send(Note::End).is_ok()
        {
            // A writer that panicked has said so on its own.
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Writer {
    file: StateFile,
    records: Arc<DashMap<AccountKey, LastLogin>>,
    pending: Vec<(AccountKey, LastLogin)>,
}

impl Writer {
    fn run(mut self, inbox: &Receiver<Note>) {
        let mut due = Instant::now();
        loop {
            let note = if self.is_done() {
                inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                inbox.recv_timeout(due.saturating_duration_since(Instant::now()))
            };
            match note {
                Ok(Note::Login(key, record)) => {
                    if self.is_done() {
                        due = Instant::now() + FLUSH_EVERY;
                    }
                    self.pending.push((key, record));
                    if self.pending.len() < BATCH_MAX {
                        continue;
                    }
                    self.write();
                }
                Ok(Note::Flush(done)) => {
                    // Nobody listens if the caller's patience ended.
                    let _ = done.try_send(self.write());
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.write();
                }
                Ok(Note::End) | Err(RecvTimeoutError::Disconnected) => break,
            }
            due = Instant::now() + FLUSH_EVERY;
        }
        self.write();
    }

    /// Whether the file says all that it should.
    fn is_done(&self) -> bool {
        self.pending.is_empty() && !self.file.is_wasteful(self.records.len())
    }

    /// Writes what is pending; false if it could not, and then it stays pending.
    fn write(&mut self) -> bool {
        let mut done = self.file.append(&self.pending);
        if done.is_ok() {
            self.pending.clear();
            if self.file.is_wasteful(self.records.len()) {
                let records: Vec<_> =
                    self.records.iter().map(|r| (r.key().clone(), *r.value())).collect();
                done = self.file.rewrite(&records);
            }
        } else if self.pending.len() >= BATCH_MAX {
            // The newest login of each account is in memory and goes into the next rewrite.
            self.file.want_rewrite();
            self.pending.clear();
        }
        if let Err(error) = &done {
            tracing::warn!(target: "lastpost::auth", %error, "last logins not written");
        }
        done.is_ok()
    }
}
