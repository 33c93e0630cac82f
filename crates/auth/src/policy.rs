//! What an account's line says beside password and addresses: how often it may log in, how
//! long its mail is kept, how much of it there may be.

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use serde::{Deserialize, Deserializer};

/// The longest delay between logins, in seconds: one day.
const LOGIN_DELAY_MAX: u64 = 24 * 60 * 60;
/// The most sessions that an account may be granted.
const SESSIONS_MAX: u32 = 100_000;
/// The longest retention, a hundred years; beyond it `never` is meant.
const DAYS_MAX: u32 = 36_500;
/// Above this a quota cannot be told from none: 8 EiB less one, what Maildir++ can add up.
const QUOTA_MAX: u64 = i64::MAX.unsigned_abs();

/// How long messages are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetentionDays {
    /// For ever.
    Never,
    /// So many whole days of 24 hours, 1 to 36500; then they may be removed.
    Days(u32),
}

impl RetentionDays {
    /// The days; none: for ever.
    #[must_use]
    pub fn days(self) -> Option<u32> {
        match self {
            Self::Never => None,
            Self::Days(days) => Some(days),
        }
    }

    /// Reads `never`, or days such as `30d`: 1 to 36500 of them.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "never" {
            return Ok(Self::Never);
        }
        let digits = text.strip_suffix('d').ok_or(DAYS_EXPECTED)?;
        match number(digits).map(u32::try_from) {
            Some(Ok(days @ 1..=DAYS_MAX)) => Ok(Self::Days(days)),
            _ => Err(DAYS_EXPECTED),
        }
    }
}

const DAYS_EXPECTED: &str = "\"never\" or days such as \"30d\" (1d to 36500d)";

impl<'de> Deserialize<'de> for RetentionDays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|expected| {
            serde::de::Error::invalid_value(serde::de::Unexpected::Str(&text), &expected)
        })
    }
}

impl fmt::Display for RetentionDays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::Days(days) => write!(f, "{days}d"),
        }
    }
}

/// How much mail a Maildir may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    /// Octets of all messages as they are stored; none: as many as there is room for.
    pub octets: Option<u64>,
    /// Messages; none: as many as there is room for.
    pub messages: Option<u64>,
}

impl Quota {
    /// Reads octets, and messages behind a comma: `1G`, `512M,10000`, `0,10000` (messages
    /// alone). Units are powers of 1024: `K`, `M`, `G`, `T`, also written `KiB` and so on.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "octets such as \"1G\", or octets and messages: \"1G,10000\" (0 for no limit)";
        let (octets, messages) = match text.split_once(',') {
            Some((octets, messages)) => (octets, number(messages).ok_or(EXPECTED)?),
            None => (text, 0),
        };
        let octets = size(octets).ok_or(EXPECTED)?;
        if octets > QUOTA_MAX || messages > QUOTA_MAX || (octets == 0 && messages == 0) {
            return Err(EXPECTED);
        }
        let limit = |value| (value > 0).then_some(value);
        Ok(Self { octets: limit(octets), messages: limit(messages) })
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = self.octets.unwrap_or(0);
        let unit =
            UNITS.iter().rev().find(|(_, factor)| octets > 0 && octets.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) => write!(f, "{}{name}", octets / factor)?,
            None => write!(f, "{octets}")?,
        }
        self.messages.map_or(Ok(()), |messages| write!(f, ",{messages}"))
    }
}

/// What is agreed with one customer, where it differs from what all have. A value that is none
/// is what the daemon's configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountPolicy {
    /// The least time between two POP3 logins, in whole seconds, at most a day; zero: none.
    pub login_delay: Option<Duration>,
    /// POP3 sessions at once, from wherever they come; at least 1.
    pub sessions_max: Option<u32>,
    /// How long a message is kept after POP3 has fetched it.
    pub expire_after_retrieval: Option<RetentionDays>,
    /// How long a message is kept after it came, fetched or not.
    pub expire_after_arrival: Option<RetentionDays>,
    /// How much mail there may be. None: no limit.
    pub quota: Option<Quota>,
    /// The name of the profile of limits that holds for what it sends.
    pub limits: Option<Box<str>>,
}

impl AccountPolicy {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The words of the extra field that say it, such as `login_delay=60s`.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let Self {
            login_delay,
            sessions_max,
            expire_after_retrieval,
            expire_after_arrival,
            quota,
            limits,
        } = self;
        [
            login_delay.map(|delay| format!("login_delay={}s", delay.as_secs())),
            sessions_max.map(|most| format!("sessions={most}")),
            expire_after_retrieval.map(|days| format!("expire_retrieved={days}")),
            expire_after_arrival.map(|days| format!("expire_arrived={days}")),
            quota.map(|quota| format!("quota={quota}")),
            limits.as_deref().map(|name| format!("limits={name}")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Takes in one word of the extra field; `false` if `key` is none of a policy's.
    ///
    /// # Errors
    /// What is wrong with `value` and what was expected, beginning with the key.
    pub fn take(&mut self, key: &str, value: &str) -> Result<bool, String> {
        match key {
            "login_delay" => self.login_delay = Some(read(key, value, parse_login_delay)?),
            "sessions" => self.sessions_max = Some(read(key, value, parse_sessions)?),
            "expire_retrieved" => {
                self.expire_after_retrieval = Some(read(key, value, RetentionDays::parse)?);
            }
            "expire_arrived" => {
                self.expire_after_arrival = Some(read(key, value, RetentionDays::parse)?);
            }
            "quota" => self.quota = Some(read(key, value, Quota::parse)?),
            "limits" => self.limits = Some(read(key, value, parse_profile)?.into()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Reads `login_delay`: a period of whole seconds such as `60s` or `10m`, at most a day.
///
/// # Errors
/// What was expected.
pub fn parse_login_delay(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "whole seconds up to a day, such as \"60s\", \"10m\" or \"0s\"";
    // The parser takes signs and spaces that no word of a line should have.
    let tidy = text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let delay = SpanParser::new().parse_unsigned_duration(text).map_err(|_| EXPECTED)?;
    let whole = delay.subsec_nanos() == 0 && delay.as_secs() <= LOGIN_DELAY_MAX;
    if tidy && whole { Ok(delay) } else { Err(EXPECTED) }
}

/// Reads `sessions`: 1 to 100000.
///
/// # Errors
/// What was expected.
pub fn parse_sessions(text: &str) -> Result<u32, &'static str> {
    match number(text).map(u32::try_from) {
        Some(Ok(most @ 1..=SESSIONS_MAX)) => Ok(most),
        _ => Err("1 to 100000 (disabled=yes keeps an account out)"),
    }
}

/// Reads `limits`: the name of a profile.
fn parse_profile(text: &str) -> Result<&str, &'static str> {
    let named = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !text.is_empty() && text.len() <= 32 && text.chars().all(named) {
        return Ok(text);
    }
    Err("the name of a profile of limits: 1 to 32 letters, digits, hyphens and underscores")
}

fn read<'a, T>(
    key: &str,
    value: &'a str,
    parse: impl FnOnce(&'a str) -> Result<T, &'static str>,
) -> Result<T, String> {
    parse(value).map_err(|expected| {
        let shown: String = value.chars().take(32).collect();
        format!("{key}: {shown:?}; expected {expected}")
    })
}

const UNITS: [(&str, u64); 4] = [("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)];

fn size(text: &str) -> Option<u64> {
    let (digits, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = unit.strip_suffix("iB").unwrap_or(unit);
    let factor = match unit {
        "" if digits.len() == text.len() => 1,
        unit => UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    number(digits)?.checked_mul(factor)
}

/// Digits alone: no sign, no space.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// The least and the most that accounts say of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread<T> {
    /// The least.
    pub least: T,
    /// The most.
    pub most: T,
}

impl<T: Copy + Ord> Spread<T> {
    fn include(spread: &mut Option<Self>, other: Option<Self>) {
        if let Some(Self { least, most }) = other {
            Self::with(spread, least);
            Self::with(spread, most);
        }
    }

    fn with(spread: &mut Option<Self>, value: T) {
        *spread = Some(match *spread {
            None => Self { least: value, most: value },
            Some(Self { least, most }) => Self { least: least.min(value), most: most.max(value) },
        });
    }
}

/// What the accounts of a table say of their own, all together: what a daemon needs to know
/// before it knows who logs in (RFC 2449 sections 6.5 and 6.7: the word `USER`). Each is none
/// if no account says anything, so that what the configuration says holds for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicySpread {
    /// Delays between logins.
    pub login_delay: Option<Spread<Duration>>,
    /// Sessions at once.
    pub sessions_max: Option<Spread<u32>>,
    /// Days that messages are kept after they were fetched; `u32::MAX` for ever.
    pub expire_after_retrieval: Option<Spread<u32>>,
    /// Days that messages are kept after they came; `u32::MAX` for ever.
    pub expire_after_arrival: Option<Spread<u32>>,
}

impl PolicySpread {
    /// Anything that an account may say: for a source that cannot know what its accounts do.
    pub const ANYTHING: Self = Self {
        login_delay: Some(Spread {
            least: Duration::ZERO,
            most: Duration::from_secs(LOGIN_DELAY_MAX),
        }),
        sessions_max: Some(Spread { least: 1, most: SESSIONS_MAX }),
        expire_after_retrieval: Some(Spread { least: 1, most: u32::MAX }),
        expire_after_arrival: Some(Spread { least: 1, most: u32::MAX }),
    };

    /// Takes in what other accounts say.
    pub fn include(&mut self, other: &Self) {
        Spread::include(&mut self.login_delay, other.login_delay);
        Spread::include(&mut self.sessions_max, other.sessions_max);
        Spread::include(&mut self.expire_after_retrieval, other.expire_after_retrieval);
        Spread::include(&mut self.expire_after_arrival, other.expire_after_arrival);
    }

    /// Takes one account's policy in.
    pub fn add(&mut self, policy: &AccountPolicy) {
        let days = |days: RetentionDays| days.days().unwrap_or(u32::MAX);
        if let Some(delay) = policy.login_delay {
            Spread::with(&mut self.login_delay, delay);
        }
        if let Some(most) = policy.sessions_max {
            Spread::with(&mut self.sessions_max, most);
        }
        if let Some(kept) = policy.expire_after_retrieval {
            Spread::with(&mut self.expire_after_retrieval, days(kept));
        }
        if let Some(kept) = policy.expire_after_arrival {
            Spread::with(&mut self.expire_after_arrival, days(kept));
        }
    }
}
