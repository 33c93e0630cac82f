//! The job that goes through the maildrops, one account at a time, and gives way to everybody.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auth::{Account, Moment, Unavailable};
use maildrop::{ExpireReport, OpenError, PurgeReport, TMP_KEPT, expire, purge_tmp};
use netio::Drain;

use super::memory::{Memory, Plan};
use crate::serve::Shared;

/// The file in the state directory.
const FILE: &str = "pop3-retention";
/// How often the job looks at the clock.
const LOOK: Duration = Duration::from_secs(60);
/// How far the wall clock may get ahead of the time that has passed between two looks.
const STEP_MAX: i64 = 60 * 60;
/// How long a turn on the disk is waited for, and how often it is asked for meanwhile.
const TURN_WAIT: Duration = Duration::from_millis(50);
const TURN_TRIES: u32 = 1200;
/// After so many accounts it is written down how far the run has come.
const NOTE_EVERY: usize = 1000;
/// Accounts in use that are tried again at the end of a run; more have to wait for the next.
const AGAIN_MAX: usize = 1000;

pub(super) struct Job {
    shared: Arc<Shared>,
    file: PathBuf,
    drain: Drain,
}

/// The service stops.
struct Stopping;

/// What a run did.
#[derive(Default)]
struct Tally {
    accounts: u64,
    expired: u64,
    octets: u64,
    in_use: u64,
    failed: u64,
    tmp: u64,
}

/// What became of one account.
enum Outcome {
    Done,
    InUse,
}

impl Job {
    pub(super) fn new(shared: Arc<Shared>, directory: &Path, drain: Drain) -> Self {
        Self { shared, file: directory.join(FILE), drain }
    }

    /// Ends when the service stops.
    pub(super) async fn run(self) {
        let mut seen = self.shared.clock.now();
        let mut memory = None;
        let mut behind = false;
        while self.pause(LOOK).await.is_ok() {
            let now = self.shared.clock.now();
            let stepped = has_stepped(&seen, &now);
            seen = now;
            let config = &self.shared.config.retention;
            if !config.removes(&self.shared.authenticator.directory().policies()) {
                continue;
            }
            let memory = match &mut memory {
                Some(memory) => memory,
                empty => empty.insert(self.recall().await),
            };
            let policy = format!(
                "after_retrieval={} after_arrival={}",
                config.after_retrieval, config.after_arrival
            );
            let at = now.wall.as_second();
            let plan = memory.plan(at, &policy, self.every(), stepped);
            if plan == Plan::Behind && !behind {
                tracing::error!(
                    target: "lastpost::pop3",
                    file = %self.file.display(),
                    "the clock is before the end of the last retention run: nothing is removed \
                     until it is past it; if the clock is right now, remove the file"
                );
            }
            behind = plan == Plan::Behind;
            let ended = match plan {
                Plan::Wait | Plan::Behind => Ok(()),
                Plan::PutOff(reason) => {
                    tracing::warn!(
                        target: "lastpost::pop3",
                        policy,
                        reason = reason.as_str(),
                        until = %jiff::Timestamp::from_second(memory.due()).unwrap_or(now.wall),
                        "retention waits: lastpost maildrop expire --dry-run --all shows what it \
                         would remove"
                    );
                    self.note(memory).await;
                    Ok(())
                }
                Plan::Run => self.go_through(memory, at).await,
            };
            if ended.is_err() {
                return;
            }
        }
    }

    /// One run, or what is left of one.
    async fn go_through(&self, memory: &mut Memory, now: i64) -> Result<(), Stopping> {
        let begun = self.shared.clock.now();
        let mut tally = Tally::default();
        let outcome = self.each_account(memory, now, &mut tally).await;
        let ended = self.shared.clock.now();
        let finished = outcome.is_ok();
        if finished {
            memory.finished(now, ended.wall.as_second().max(now), self.every());
            self.shared.counters.expiry_runs.add(1);
        }
        self.note(memory).await;
        tracing::info!(
            target: "lastpost::pop3",
            finished,
            accounts = tally.accounts,
            expired = tally.expired,
            octets = tally.octets,
            in_use = tally.in_use,
            failed = tally.failed,
            tmp = tally.tmp,
            took = ?ended.mono.saturating_sub(begun.mono),
            "retention run"
        );
        outcome
    }

    async fn each_account(
        &self,
        memory: &mut Memory,
        now: i64,
        tally: &mut Tally,
    ) -> Result<(), Stopping> {
        let directory = self.shared.authenticator.directory();
        let mut walk = directory.walk();
        let resume = memory.resume.as_deref().and_then(|login| directory.key(login).ok());
        if let Some(key) = resume {
            while let Err(problem) = walk.resume_at(&key).await {
                self.wait_for_accounts(&problem).await?;
            }
        }
        let mut again = Vec::new();
        let mut seen = 0_usize;
        loop {
            let page = match walk.next_page().await {
                Ok(page) if page.is_empty() => break,
                Ok(page) => page,
                Err(problem) => {
                    self.wait_for_accounts(&problem).await?;
                    continue;
                }
            };
            for account in page {
                if seen.is_multiple_of(NOTE_EVERY) {
                    memory.resume = Some(account.key().to_string());
                    self.note(memory).await;
                }
                seen = seen.saturating_add(1);
                if self.is_passed_over(&account) {
                    tokio::task::yield_now().await;
                    continue;
                }
                // Noted before the pause, so that a stop in it has this account's turn again.
                memory.resume = Some(account.key().to_string());
                self.pause(self.pace()).await?;
                tally.accounts += 1;
                match self.one(&account, now, tally).await? {
                    Outcome::Done => {}
                    Outcome::InUse if again.len() < AGAIN_MAX => again.push(account),
                    Outcome::InUse => self.count_in_use(tally),
                }
            }
        }
        self.once_more(again, now, tally).await
    }

    /// A source of accounts is down: the run goes on when it is back.
    async fn wait_for_accounts(&self, problem: &Unavailable) -> Result<(), Stopping> {
        tracing::warn!(target: "lastpost::pop3", %problem, "the retention run waits for accounts");
        self.pause(LOOK).await
    }

    /// Those that were in use have another chance.
    async fn once_more(
        &self,
        accounts: Vec<Arc<Account>>,
        now: i64,
        tally: &mut Tally,
    ) -> Result<(), Stopping> {
        let directory = self.shared.authenticator.directory();
        for account in accounts {
            self.pause(self.pace()).await?;
            // As it is now: it may keep its mail for ever since.
            let account = loop {
                match directory.find(account.key()).await {
                    Ok(account) => break account,
                    Err(problem) => self.wait_for_accounts(&problem).await?,
                }
            };
            let Some(account) = account else { continue };
            if self.is_passed_over(&account) {
                continue;
            }
            if matches!(self.one(&account, now, tally).await?, Outcome::InUse) {
                self.count_in_use(tally);
            }
        }
        Ok(())
    }

    /// Whether nothing is done for an account: its mail is kept for ever, or its owner cannot
    /// fetch it just now.
    fn is_passed_over(&self, account: &Account) -> bool {
        account.is_disabled() || self.shared.config.retention.of(account.policy()).keeps_all()
    }

    async fn one(
        &self,
        account: &Arc<Account>,
        now: i64,
        tally: &mut Tally,
    ) -> Result<Outcome, Stopping> {
        let mut turn = self.shared.maildrops.spare_turn();
        let mut tries = 0;
        while turn.is_none() && tries < TURN_TRIES {
            self.pause(TURN_WAIT).await?;
            tries += 1;
            turn = self.shared.maildrops.spare_turn();
        }
        let Some(turn) = turn else { return Ok(Outcome::InUse) };
        let (shared, worked_on) = (Arc::clone(&self.shared), Arc::clone(account));
        let work = move || {
            let maildir = worked_on.maildir();
            let retention = shared.config.retention.of(worked_on.policy());
            let cleared = purge_tmp(maildir, now, TMP_KEPT);
            (cleared, expire(maildir, &retention, now, &shared.options))
        };
        let Ok((cleared, expired)) = turn.run(work).await else {
            return Ok(self.failed(account, &"it panicked: this is a defect", tally));
        };
        let counters = &self.shared.counters;
        match cleared {
            Ok(PurgeReport { removed, .. }) => {
                tally.tmp += removed as u64;
                counters.tmp_removed.add(removed as u64);
            }
            Err(error) => {
                self.failed(account, &error, tally);
            }
        }
        match expired {
            Ok(ExpireReport { removed, octets, failed, .. }) => {
                tally.expired += removed as u64;
                tally.octets += octets;
                tally.failed += u64::from(failed > 0);
                counters.expired.add(removed as u64);
                Ok(Outcome::Done)
            }
            Err(OpenError::InUse { .. }) => Ok(Outcome::InUse),
            Err(error) => Ok(self.failed(account, &error, tally)),
        }
    }

    fn count_in_use(&self, tally: &mut Tally) {
        tally.in_use += 1;
        self.shared.counters.expiry_in_use.add(1);
    }

    fn failed(
        &self,
        account: &Account,
        error: &dyn std::fmt::Display,
        tally: &mut Tally,
    ) -> Outcome {
        tally.failed += 1;
        tracing::warn!(
            target: "lastpost::pop3", user = %account.key(), %error, "retention failed"
        );
        Outcome::Done
    }

    async fn recall(&self) -> Memory {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || Memory::read(&file)).await;
        read.map_err(std::io::Error::other).flatten().unwrap_or_else(|error| {
            tracing::warn!(
                target: "lastpost::pop3",
                file = %self.file.display(),
                %error,
                "the time of the last retention run is not known"
            );
            Memory::default()
        })
    }

    async fn note(&self, memory: &Memory) {
        let (file, memory) = (self.file.clone(), memory.clone());
        let written = tokio::task::spawn_blocking(move || memory.write(&file)).await;
        if let Err(error) = written.map_err(std::io::Error::other).flatten() {
            tracing::warn!(
                target: "lastpost::pop3",
                file = %self.file.display(),
                %error,
                "the time of the retention run cannot be written down"
            );
        }
    }

    /// Waits, unless the service stops.
    async fn pause(&self, time: Duration) -> Result<(), Stopping> {
        tokio::select! {
            biased;
            () = self.drain.requested() => Err(Stopping),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }

    fn pace(&self) -> Duration {
        Duration::from_secs(1) / self.shared.config.retention.accounts_per_second.max(1)
    }

    fn every(&self) -> i64 {
        i64::try_from(self.shared.config.retention.every.as_secs()).unwrap_or(i64::MAX)
    }
}

fn has_stepped(before: &Moment, now: &Moment) -> bool {
    let by_wall = now.wall.as_second().saturating_sub(before.wall.as_second());
    let passed = now.mono.saturating_sub(before.mono).as_secs();
    by_wall.saturating_sub(i64::try_from(passed).unwrap_or(i64::MAX)) > STEP_MAX
}
