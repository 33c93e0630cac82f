//! How long mail is kept: what the configuration says, what clients are promised, and the job
//! that removes what was kept long enough.

mod job;
mod memory;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auth::{AccountPolicy, PolicySpread, RetentionDays};
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use maildrop::Retention;
use netio::Drain;
use serde::Deserialize;

use crate::Pop3d;
use crate::config::ConfigError;
use job::Job;

/// `[pop3.retention]`: how long mail is kept. An account's line in the passwd-file may say
/// otherwise for that account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// How long a message is kept after it was first fetched in a session that ended with QUIT:
    /// "never" removes none, "30d" those fetched 30 days ago.
    pub after_retrieval: RetentionDays,
    /// How long a message is kept after it arrived, fetched or not.
    pub after_arrival: RetentionDays,
    /// How often all maildrops are gone through.
    #[serde(with = "duration")]
    pub every: Duration,
    /// How many accounts are looked at in a second at most.
    pub accounts_per_second: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            after_retrieval: RetentionDays::Never,
            after_arrival: RetentionDays::Never,
            every: Duration::from_secs(24 * 60 * 60),
            accounts_per_second: 20,
        }
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl RetentionConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key: &str, problem, expected| ConfigError {
            key: format!("pop3.retention.{key}"),
            problem,
            expected,
        };
        if !(HOUR..=WEEK).contains(&self.every) {
            let problem = format!("{:?} is out of range", self.every);
            return Err(wrong("every", problem, "\"1h\" to \"168h\""));
        }
        if !(1..=10_000).contains(&self.accounts_per_second) {
            let problem = format!("{} is out of range", self.accounts_per_second);
            return Err(wrong("accounts_per_second", problem, "1 to 10000"));
        }
        Ok(())
    }

    /// What holds for an account that says this of its own.
    #[must_use]
    pub fn of(&self, account: &AccountPolicy) -> Retention {
        let retrieval = account.expire_after_retrieval.unwrap_or(self.after_retrieval);
        let arrival = account.expire_after_arrival.unwrap_or(self.after_arrival);
        Retention { after_retrieval_days: retrieval.days(), after_arrival_days: arrival.days() }
    }

    /// Whether anybody's mail is removed at all.
    fn removes(&self, accounts: &PolicySpread) -> bool {
        let says_days = |spread: Option<auth::Spread<u32>>| {
            spread.is_some_and(|spread| spread.least < u32::MAX)
        };
        self.after_retrieval.days().is_some()
            || self.after_arrival.days().is_some()
            || says_days(accounts.expire_after_retrieval)
            || says_days(accounts.expire_after_arrival)
    }
}

/// How long each message of an account is kept at least, whatever becomes of it: what `EXPIRE`
/// says after the login (RFC 2449 section 6.7). The shorter one of both periods; never, if
/// nothing is removed.
#[must_use]
pub fn promise(config: &RetentionConfig, account: &AccountPolicy) -> RetentionDays {
    let Retention { after_retrieval_days, after_arrival_days } = config.of(account);
    match (after_retrieval_days, after_arrival_days) {
        (Some(a), Some(b)) => RetentionDays::Days(a.min(b)),
        (Some(days), None) | (None, Some(days)) => RetentionDays::Days(days),
        (None, None) => RetentionDays::Never,
    }
}

/// What `EXPIRE` says before it is known who logs in: the least that any account is promised,
/// and whether accounts differ (the word `USER`). No account is kept to less.
#[must_use]
pub fn promise_to_all(config: &RetentionConfig, accounts: &PolicySpread) -> (RetentionDays, bool) {
    let least = |own: Option<auth::Spread<u32>>, all: RetentionDays| {
        let all = all.days().unwrap_or(u32::MAX);
        own.map_or(all, |own| own.least.min(all))
    };
    let days = least(accounts.expire_after_retrieval, config.after_retrieval)
        .min(least(accounts.expire_after_arrival, config.after_arrival));
    let promised = if days == u32::MAX { RetentionDays::Never } else { RetentionDays::Days(days) };
    let differ = |own: Option<auth::Spread<u32>>, all: RetentionDays| {
        let all = all.days().unwrap_or(u32::MAX);
        own.is_some_and(|own| own.least != all || own.most != all)
    };
    let varies = differ(accounts.expire_after_retrieval, config.after_retrieval)
        || differ(accounts.expire_after_arrival, config.after_arrival);
    (promised, varies)
}

impl Pop3d {
    /// Goes through all maildrops from time to time and removes what was kept long enough, and
    /// what broken deliveries left in `tmp` of those it goes through. Does nothing while neither
    /// the configuration nor an account has it remove anything. `directory`: where it remembers
    /// when it was done last. Ends at once when `drain` is requested; the caller spawns it.
    ///
    /// The first time, and after each change of `[pop3.retention]`, a whole period passes before
    /// anything is removed: time for a dry run.
    pub async fn keep_retention(&self, directory: &Path, drain: Drain) {
        Job::new(Arc::clone(&self.shared), directory, drain).run().await;
    }
}
