//! Maildirs, accounts and a clock, and daemons that come and go.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auth::{
    Account, AccountPolicy, AuthConfig, Authenticator, Clock, Directory, ManualClock,
    RetentionDays, StoredHash, SystemClock,
};
use netio::{Drain, DrainTrigger};
use pop3d::{Pop3Config, Pop3d, RetentionConfig};
use tempfile::TempDir;
use tokio::task::JoinHandle;

pub(super) const DAY: i64 = 24 * 60 * 60;
pub(super) const ONE_DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A little longer than the job looks away from the clock.
pub(super) const LOOK: Duration = Duration::from_secs(61);

/// Maildirs, accounts and a clock that outlive the daemons.
pub(super) struct House {
    pub(super) directory: TempDir,
    pub(super) clock: Arc<ManualClock>,
    pub(super) config: RetentionConfig,
    pub(super) accounts: Vec<(String, AccountPolicy, bool)>,
}

/// A daemon whose job runs.
pub(super) struct Running {
    pub(super) pop3d: Pop3d,
    pub(super) trigger: DrainTrigger,
    pub(super) job: JoinHandle<()>,
}

impl House {
    pub(super) fn new(after_retrieval: &str, after_arrival: &str) -> Self {
        let config = RetentionConfig {
            after_retrieval: RetentionDays::parse(after_retrieval).unwrap(),
            after_arrival: RetentionDays::parse(after_arrival).unwrap(),
            ..RetentionConfig::default()
        };
        // Files have the machine's time, so the clock begins with it.
        let clock = Arc::new(ManualClock::new(SystemClock::new().now().wall));
        Self { directory: tempfile::tempdir().unwrap(), clock, config, accounts: Vec::new() }
    }

    pub(super) fn account(
        &mut self,
        login: &str,
        policy: AccountPolicy,
        disabled: bool,
    ) -> PathBuf {
        let maildir = self.maildir(login);
        for place in ["tmp", "new", "cur"] {
            std::fs::create_dir_all(maildir.join(place)).unwrap();
        }
        self.accounts.push((login.to_owned(), policy, disabled));
        maildir
    }

    /// So many accounts; every tenth has a Maildir, with a message that is over, the others have
    /// got no mail yet.
    pub(super) fn crowd(&mut self, number: usize) {
        for number in 0..number {
            let login = format!("user{number:04}");
            if number.is_multiple_of(10) {
                let maildir = self.plain(&login);
                self.old(&maildir, 31 * DAY);
            } else {
                self.accounts.push((login, AccountPolicy::default(), false));
            }
        }
    }

    pub(super) fn plain(&mut self, login: &str) -> PathBuf {
        self.account(login, AccountPolicy::default(), false)
    }

    pub(super) fn maildir(&self, login: &str) -> PathBuf {
        self.directory.path().join("mail").join(login)
    }

    pub(super) fn state(&self) -> PathBuf {
        self.directory.path().join("pop3-retention")
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.now().wall.as_second()
    }

    /// Puts a message that came so many seconds ago.
    pub(super) fn old(&self, maildir: &Path, seconds: i64) -> String {
        let name = format!("{}.m,S=3,W=4", self.now() - seconds);
        std::fs::write(maildir.join("new").join(&name), "ab\n").unwrap();
        name
    }

    pub(super) fn table(&self) -> Directory {
        let accounts = self.accounts.iter().map(|(login, policy, disabled)| {
            let key = address::AccountKey::parse(login, None).unwrap();
            let hash = StoredHash::parse("{PLAIN}secret").unwrap();
            Account::new(key, Vec::new(), hash, self.maildir(login), *disabled)
                .with_policy(policy.clone())
        });
        Directory::from_accounts(accounts.collect(), None).unwrap()
    }

    pub(super) fn start(&self) -> Running {
        let directory = self.table();
        let auth = AuthConfig { verify_threads: 1, ..AuthConfig::default() };
        let authenticator = Authenticator::new(&auth, directory).unwrap();
        let config = Pop3Config { retention: self.config.clone(), ..Pop3Config::default() };
        config.check().unwrap();
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let pop3d =
            Pop3d::new(config, "pop.example.net", authenticator, Vec::new(), clock, None).unwrap();
        let (trigger, drain) = Drain::new();
        let (daemon, directory) = (pop3d.clone(), self.directory.path().to_owned());
        let job = tokio::spawn(async move { daemon.keep_retention(&directory, drain).await });
        Running { pop3d, trigger, job }
    }

    /// Lets a daemon see the policy for the first time, and end.
    pub(super) async fn seen(&self) {
        let running = self.start();
        tokio::time::sleep(LOOK).await;
        running.stop().await;
        assert!(self.state().exists());
    }
}

impl Running {
    /// Waits, as long as it takes, until so many runs came to their end.
    pub(super) async fn runs(&self, wanted: u64) {
        for _ in 0..100_000 {
            if self.pop3d.statistics().expiry_runs == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("{} runs instead of {wanted}", self.pop3d.statistics().expiry_runs);
    }

    pub(super) async fn stop(self) {
        self.trigger.request();
        let ended = tokio::time::timeout(Duration::from_secs(1), self.job).await;
        ended.expect("it ends at once").unwrap();
    }
}
