//! The thread that records when each app password was used last.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use address::AccountKey;
use auth::Service;
use rusqlite::params;

use super::database::{AppPasswordError, Database, Purpose};
use super::service_word;

/// Uses on their way to the thread.
const CHANNEL: usize = 4096;
/// App passwords whose uses wait to be written.
const PENDING_MAX: usize = 16_384;
/// How long a use may be in memory alone.
const WRITE_EVERY: Duration = Duration::from_secs(2);
/// How long [`Usage::flush`] waits.
const FLUSH_WAIT: Duration = Duration::from_secs(5);

/// Account and digest.
pub(super) type Key = (AccountKey, [u8; 32]);

/// One use.
#[derive(Clone, Copy)]
pub(super) struct Use {
    /// Seconds since 1970.
    pub(super) at: i64,
    pub(super) client: IpAddr,
    pub(super) service: Service,
}

enum Note {
    Use(Key, Use),
    Flush(SyncSender<bool>),
    End,
}

/// Where uses are told; never waits.
#[derive(Clone)]
pub(super) struct Notes {
    channel: SyncSender<Note>,
    lost: Arc<AtomicU64>,
}

impl Notes {
    pub(super) fn note(&self, key: Key, used: Use) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.channel.try_send(Note::Use(key, used))
        {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A handle to the thread. When it goes, what is pending is written first.
pub(super) struct Usage {
    notes: Notes,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Usage {
    pub(super) fn start(path: PathBuf) -> io::Result<Self> {
        let (channel, inbox) = sync_channel(CHANNEL);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            path,
            database: None,
            pending: HashMap::new(),
            lost: Arc::clone(&lost),
            is_failing: false,
        };
        let thread = std::thread::Builder::new()
            .name("app-password-use".to_owned())
            .spawn(move || writer.run(&inbox))?;
        Ok(Self { notes: Notes { channel, lost }, thread: Mutex::new(Some(thread)) })
    }

    pub(super) fn notes(&self) -> Notes {
        self.notes.clone()
    }

    pub(super) fn flush(&self) -> bool {
        let (done, wait) = sync_channel(1);
        self.notes.channel.send(Note::Flush(done)).is_ok()
            && wait.recv_timeout(FLUSH_WAIT).unwrap_or(false)
    }

    pub(super) fn lost(&self) -> u64 {
        self.notes.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Usage {
    fn drop(&mut self) {
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && self.notes.channel.send(Note::End).is_ok()
        {
            // A thread that panicked has said so on its own.
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Writer {
    path: PathBuf,
    database: Option<Database>,
    /// The newest use of each.
    pending: HashMap<Key, Use>,
    lost: Arc<AtomicU64>,
    is_failing: bool,
}

impl Writer {
    fn run(mut self, inbox: &Receiver<Note>) {
        let mut due = Instant::now();
        loop {
            let note = match self.pending.is_empty() {
                true => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => inbox.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match note {
                Ok(Note::Use(key, used)) => {
                    if self.pending.is_empty() {
                        due = Instant::now() + WRITE_EVERY;
                    }
                    self.remember(key, used);
                    // A flood of uses must not put the writing off for ever.
                    if Instant::now() < due {
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
            due = Instant::now() + WRITE_EVERY;
        }
        self.write();
    }

    fn remember(&mut self, key: Key, used: Use) {
        if self.pending.len() >= PENDING_MAX && !self.pending.contains_key(&key) {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let newest = self.pending.entry(key).or_insert(used);
        if newest.at <= used.at {
            *newest = used;
        }
    }

    /// Writes what is pending; false if it could not, and then it stays pending.
    fn write(&mut self) -> bool {
        if self.pending.is_empty() {
            return true;
        }
        let written = write_all(&self.path, &mut self.database, &self.pending);
        let failed = written.is_err();
        match &written {
            Ok(()) => self.pending.clear(),
            Err(_) => self.database = None,
        }
        if let Err(error) = written
            && !self.is_failing
        {
            tracing::warn!(target: "lastpost::auth", %error, "last uses of app passwords not written");
        }
        self.is_failing = failed;
        !failed
    }
}

fn write_all(
    path: &Path,
    database: &mut Option<Database>,
    pending: &HashMap<Key, Use>,
) -> Result<(), AppPasswordError> {
    if database.as_ref().is_none_or(|open| !open.is_at(path)) {
        *database = Database::open(path, Purpose::Note)?;
    }
    // Without the file there is nothing that could have been used.
    let Some(open) = database else { return Ok(()) };
    let mut write = || {
        let change = open.connection.transaction()?;
        {
            let mut statement = change.prepare_cached(
                "UPDATE app_password SET used_at = ?3, used_client = ?4, used_service = ?5
                 WHERE account = ?1 AND digest = ?2 AND coalesce(used_at, 0) <= ?3",
            )?;
            for ((account, digest), used) in pending {
                let client = used.client.to_canonical().to_string();
                let service = service_word(used.service);
                statement.execute(params![account.as_str(), digest, used.at, client, service])?;
            }
        }
        change.commit()
    };
    write().map_err(|source| AppPasswordError::Database { path: path.to_owned(), source })
}
