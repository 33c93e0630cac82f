//! The configuration section `[pop3.maildrop]`: who may have a maildrop, when and how often, and
//! what its messages are called.

use std::time::Duration;

use auth::AccountPolicy;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use maildrop::UidlFormat;
use serde::Deserialize;

use super::{ConfigError, DAY};
use crate::delay::Rate;

/// `[pop3.maildrop]`: locking, and how often one account may log in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaildropConfig {
    /// How messages that have no unique id yet get one (RFC 1939 section 7): "filename", or a
    /// template such as "dovecot", "courier", "cyrus" or "%08Xu%08Xv".
    pub uidl_format: UidlFormat,
    /// How long a login waits for a maildrop that another session has, before it is answered
    /// `[IN-USE]`.
    #[serde(with = "duration")]
    pub lock_wait: Duration,
    /// How long the client of that session must have kept it waiting, so that a login of the
    /// same account ends it and takes its place. "0s": never.
    #[serde(with = "duration")]
    pub takeover_after: Duration,
    /// The least time between two logins of one account, in whole seconds, announced as
    /// `LOGIN-DELAY` (RFC 2449 section 6.5). "0s": none.
    #[serde(with = "duration")]
    pub login_delay: Duration,
    /// How many logins an account that was silent for a while may have at once before
    /// `login_delay` holds.
    pub login_burst: u32,
    /// Sessions of one account at once, from wherever they come, with those that wait for the
    /// maildrop.
    pub sessions_per_account_max: u32,
}

impl Default for MaildropConfig {
    fn default() -> Self {
        Self {
            uidl_format: UidlFormat::default(),
            lock_wait: Duration::from_secs(2),
            takeover_after: Duration::from_secs(60),
            login_delay: Duration::ZERO,
            login_burst: 1,
            sessions_per_account_max: 8,
        }
    }
}

const LOCK_WAIT_MAX: Duration = Duration::from_secs(30);
const TAKEOVER_MIN: Duration = Duration::from_secs(5);

impl MaildropConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key: &str, problem: String, expected| {
            Err(ConfigError { key: format!("pop3.maildrop.{key}"), problem, expected })
        };
        let out_of_range = |value: Duration| format!("{value:?} is out of range");
        if self.lock_wait > LOCK_WAIT_MAX {
            return wrong("lock_wait", out_of_range(self.lock_wait), "\"0s\" to \"30s\"");
        }
        let after = self.takeover_after;
        if !after.is_zero() && !(TAKEOVER_MIN..=DAY).contains(&after) {
            let expected = "\"0s\" (never), or \"5s\" to \"24h\"";
            return wrong("takeover_after", out_of_range(after), expected);
        }
        let delay = self.login_delay;
        if delay > DAY || delay.subsec_nanos() != 0 {
            let problem = format!("{delay:?} is out of range or no whole seconds");
            return wrong("login_delay", problem, "\"0s\" to \"24h\", in whole seconds");
        }
        let counts = [
            ("login_burst", self.login_burst, 1000, "1 to 1000"),
            ("sessions_per_account_max", self.sessions_per_account_max, 100_000, "1 to 100000"),
        ];
        for (key, value, most, expected) in counts {
            if !(1..=most).contains(&value) {
                return wrong(key, format!("{value} is out of range"), expected);
            }
        }
        Ok(())
    }

    /// How often an account that says this of its own may log in.
    pub(crate) fn rate_of(&self, account: &AccountPolicy) -> Rate {
        Rate { delay: account.login_delay.unwrap_or(self.login_delay), burst: self.login_burst }
    }

    /// How many sessions an account that says this of its own may have.
    pub(crate) fn sessions_of(&self, account: &AccountPolicy) -> u32 {
        account.sessions_max.unwrap_or(self.sessions_per_account_max)
    }
}
