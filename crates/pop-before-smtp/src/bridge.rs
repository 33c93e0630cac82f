//! The bridge itself: configuration in force, window, ledger.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use address::Domain;
use arc_swap::ArcSwap;
use auth::{Clock, Directory, Moment};
use phaseout::{CheckReport, Ledger, LedgerError, Mistakes, Schedule, UsageRecorder};

use crate::config::BridgeConfig;
use crate::counters::{BridgeCounts, Counters};
use crate::open::OpenTransactions;
use crate::window::{Which, Window};

/// Pause of [`Bridge::run_sweeper`] between two looks at a part of the window.
const SWEEP_EVERY: Duration = Duration::from_millis(250);
/// The same as long as much is found.
const SWEEP_SOON: Duration = Duration::from_millis(5);
/// What counts as much.
const FREED_MANY: usize = 16;

/// Why a configuration was not put in force.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The file has mistakes.
    #[error(transparent)]
    File(#[from] Mistakes),
    /// The file does not fit the accounts that exist.
    #[error("{}", list_errors(.0))]
    Accounts(CheckReport),
    /// The accounts cannot be looked at.
    #[error(transparent)]
    Unavailable(#[from] auth::Unavailable),
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

fn list_errors(report: &CheckReport) -> String {
    let is_error = |f: &&phaseout::Finding| f.severity == phaseout::Severity::Error;
    let lines: Vec<_> = report.findings.iter().filter(is_error).map(ToString::to_string).collect();
    lines.join("\n")
}

/// POP-before-SMTP: observer of logins on one side, authority for submissions on the other.
#[derive(Debug)]
pub struct Bridge {
    /// Replaced whole, so that every decision is by one configuration.
    pub(crate) config: ArcSwap<BridgeConfig>,
    pub(crate) window: Window,
    pub(crate) directory: DirectoryHandle,
    pub(crate) recorder: Arc<UsageRecorder>,
    pub(crate) open: OpenTransactions,
    pub(crate) counters: Counters,
    /// Keeps two reloads from overtaking each other.
    reloading: Mutex<()>,
}

/// [`Directory`] has no `Debug`, and needs none here.
#[derive(Clone)]
pub(crate) struct DirectoryHandle(Directory);

impl std::ops::Deref for DirectoryHandle {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.0
    }
}

impl std::fmt::Debug for DirectoryHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Directory(..)")
    }
}

impl Bridge {
    /// A bridge by `config`. Opens the ledger if the bridge is enabled; blocks.
    ///
    /// # Errors
    /// If the ledger can neither be used nor moved aside.
    pub fn start(
        config: BridgeConfig,
        directory: Directory,
        at: Moment,
    ) -> Result<Self, LedgerError> {
        let ledger = match config.enabled {
            true => Some(Ledger::open(&config.ledger, at.wall)?),
            false => None,
        };
        let recorder = UsageRecorder::new(Arc::clone(&config.schedule), ledger);
        Ok(Self {
            config: ArcSwap::from_pointee(config),
            window: Window::new(),
            directory: DirectoryHandle(directory),
            recorder: Arc::new(recorder),
            open: OpenTransactions::default(),
            counters: Counters::default(),
            reloading: Mutex::new(()),
        })
    }

    /// Reads `path` and starts. Blocks. What does not fit the accounts is logged and does not
    /// keep the daemons from starting; see [`Bridge::check`].
    ///
    /// # Errors
    /// As [`BridgeConfig::load`] and [`Bridge::start`].
    pub fn load(
        path: &Path,
        default_domain: Option<&Domain>,
        directory: Directory,
        at: Moment,
    ) -> Result<Self, ReloadError> {
        let config = BridgeConfig::load(path, default_domain)?;
        let bridge = Self::start(config, directory, at)?;
        if bridge.is_enabled() {
            // A database that is down must not keep the daemons from starting.
            match bridge.check() {
                Ok(report) => {
                    for finding in &report.findings {
                        tracing::warn!(%finding, "schedule");
                    }
                }
                Err(problem) => tracing::warn!(%problem, "schedule not held against the accounts"),
            }
        }
        Ok(bridge)
    }

    /// Reads the file again. A file with a mistake, or one that does not fit the accounts,
    /// leaves everything as it is. Grants stay; a shorter or longer window counts for them
    /// too. Blocks.
    ///
    /// # Errors
    /// Why the old configuration stays in force.
    pub fn reload(&self, at: Moment) -> Result<CheckReport, ReloadError> {
        let _one = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.config.load_full();
        let mut new = BridgeConfig::load(&old.path, old.default_domain.as_ref())?;
        let report = self.held_against_accounts(&new.schedule)?;
        if new.enabled && report.has_errors() {
            return Err(ReloadError::Accounts(report));
        }
        if new.enabled && self.recorder.ledger().is_none() {
            self.recorder.set_ledger(Some(Ledger::open(&new.ledger, at.wall)?));
        } else if new.ledger != old.ledger || new.socket != old.socket {
            tracing::warn!(
                file = %new.path.display(),
                "[ledger] and [socket] are obeyed at the next start; the rest is in force"
            );
            new.ledger = old.ledger.clone();
            new.socket = old.socket.clone();
        }
        let (enabled, prefix) = (new.enabled, new.policy.ipv6_prefix);
        self.recorder.set_schedule(Arc::clone(&new.schedule));
        self.config.store(Arc::new(new));
        // Grants of another prefix would mean other clients.
        if !enabled || prefix != old.policy.ipv6_prefix {
            self.window.revoke(Which::All);
        }
        tracing::info!(file = %old.path.display(), enabled, "bridge configuration in force");
        Ok(report)
    }

    /// The schedule held against the accounts that exist now. Blocks.
    ///
    /// # Errors
    /// If the accounts cannot be looked at.
    pub fn check(&self) -> Result<CheckReport, auth::Unavailable> {
        self.held_against_accounts(&self.config.load().schedule)
    }

    fn held_against_accounts(&self, schedule: &Schedule) -> Result<CheckReport, auth::Unavailable> {
        let accounts = self.directory.blocking().all()?;
        Ok(schedule.check(accounts.iter().map(|account| account.key())))
    }

    /// Whether the bridge is on.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.config.load().enabled
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> Arc<BridgeConfig> {
        self.config.load_full()
    }

    /// The schedule in force.
    #[must_use]
    pub fn schedule(&self) -> Arc<Schedule> {
        Arc::clone(&self.config.load().schedule)
    }

    /// Where uses of other accesses are recorded too, with cohort and phase of their accounts.
    #[must_use]
    pub fn recorder(&self) -> &Arc<UsageRecorder> {
        &self.recorder
    }

    /// What it did since the start.
    #[must_use]
    pub fn counts(&self) -> BridgeCounts {
        self.counters.read(self.window.len())
    }

    /// Transactions that were allowed and are not settled yet.
    #[must_use]
    pub fn open_transactions(&self) -> usize {
        self.open.len()
    }

    /// Frees the expired grants of one part of the window; returns how many.
    pub fn sweep(&self, now: Moment) -> usize {
        self.window.sweep(now.mono, self.config.load().policy.window)
    }

    /// Sweeps for ever, a little at a time. Nothing but memory depends on it.
    pub async fn run_sweeper(self: Arc<Self>, clock: Arc<dyn Clock>) {
        loop {
            let freed = self.sweep(clock.now());
            tokio::time::sleep(if freed < FREED_MANY { SWEEP_EVERY } else { SWEEP_SOON }).await;
        }
    }
}
