//! The `[limits]` section of the configuration, and what is wrong with it.

mod ceiling;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use ceiling::{Ceiling, OctetCeiling};

/// What happens at a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The log says so, and nothing else happens: to find the numbers.
    Log,
    /// The message is taken, and held in the queue until somebody has looked at it.
    Hold,
    /// The client is told when to come back (450 4.7.1).
    Defer,
    /// The account cannot send until an admin resumes it (525 5.7.13).
    Suspend,
}

/// As the configuration spells it.
impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Log => "log",
            Self::Hold => "hold",
            Self::Defer => "defer",
            Self::Suspend => "suspend",
        })
    }
}

/// The language of notices to customers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Japanese, followed by English.
    #[serde(rename = "ja")]
    Japanese,
}

/// `[limits]`. Without the section nothing is limited.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// `[limits.account]`: what an account may send.
    pub account: ProfileConfig,
    /// `[limits.address]`: what may come from one IPv4 address or IPv6 /64, of all accounts.
    pub address: AddressConfig,
    /// `[limits.profile.NAME]`: other figures for some accounts or listeners.
    pub profile: BTreeMap<String, ProfileConfig>,
    /// The profile of a listener's accounts, by the listener's name: `{ legacy = "small" }`.
    /// An account with a profile of its own (`limits=NAME` in its line) keeps that one.
    pub listeners: BTreeMap<String, String>,
    /// Accounts without limits, by their login names.
    pub exempt_accounts: Vec<String>,
    /// Networks whose addresses have no limits and count as no network of an account: a
    /// webmail host, a carrier's NAT. The accounts' own limits hold there too.
    pub exempt_networks: Vec<IpNet>,
    /// Accounts, and addresses, that are counted. Beyond it those that were idle for longest
    /// are forgotten. 1000 to 10000000.
    pub entries_max: usize,
    /// Recipients that are remembered for one account. 100 to 100000.
    pub known_recipients_max: usize,
    /// Who is told of every limit that was reached; an address.
    pub admin: Option<String>,
    /// Language of the notices to customers.
    pub language: Language,
    /// Valkey or Redis by which several hosts count together, such as
    /// `redis://192.0.2.9:6379/0` or `unix:///run/valkey.sock`.
    pub shared: Option<String>,
    /// The file with its password.
    pub shared_password_file: Option<PathBuf>,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            account: ProfileConfig::default(),
            address: AddressConfig::default(),
            profile: BTreeMap::new(),
            listeners: BTreeMap::new(),
            exempt_accounts: Vec::new(),
            exempt_networks: Vec::new(),
            entries_max: 1_000_000,
            known_recipients_max: 4000,
            admin: None,
            language: Language::English,
            shared: None,
            shared_password_file: None,
        }
    }
}

/// `[limits.account]`, or a `[limits.profile.NAME]`, whose keys default to those of
/// `[limits.account]`. A limit of 0 is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileConfig {
    /// What happens at each limit that has no action of its own.
    pub action: Option<Action>,
    /// As [`crate::Limit::MessagesPerHour`].
    pub messages_per_hour: Option<Ceiling>,
    /// As [`crate::Limit::MessagesPerDay`].
    pub messages_per_day: Option<Ceiling>,
    /// As [`crate::Limit::RecipientsPerHour`].
    pub recipients_per_hour: Option<Ceiling>,
    /// As [`crate::Limit::RecipientsPerDay`].
    pub recipients_per_day: Option<Ceiling>,
    /// As [`crate::Limit::FirstTimePerDay`].
    pub first_time_recipients_per_day: Option<Ceiling>,
    /// As [`crate::Limit::FailedPerHour`].
    pub failed_recipients_per_hour: Option<Ceiling>,
    /// As [`crate::Limit::OctetsPerDay`].
    pub octets_per_day: Option<OctetCeiling>,
    /// As [`crate::Limit::NetworksPerHour`]; at most 200.
    pub networks_per_hour: Option<Ceiling>,
}

/// `[limits.address]`. A limit of 0 is none; nobody is suspended for his neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AddressConfig {
    /// What happens at each limit that has no action of its own.
    pub action: Option<Action>,
    /// As [`crate::Limit::MessagesPerHour`].
    pub messages_per_hour: Option<Ceiling>,
    /// As [`crate::Limit::MessagesPerDay`].
    pub messages_per_day: Option<Ceiling>,
    /// As [`crate::Limit::RecipientsPerHour`].
    pub recipients_per_hour: Option<Ceiling>,
    /// As [`crate::Limit::RecipientsPerDay`].
    pub recipients_per_day: Option<Ceiling>,
    /// As [`crate::Limit::FailedPerHour`].
    pub failed_recipients_per_hour: Option<Ceiling>,
    /// As [`crate::Limit::OctetsPerDay`].
    pub octets_per_day: Option<OctetCeiling>,
}

/// A value in `[limits]` that cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}; expected {expected}")]
pub struct ConfigError {
    /// The key with its section, such as `limits.account.messages_per_hour`.
    pub key: String,
    /// What is wrong with the value.
    pub problem: String,
    /// What should stand there.
    pub expected: String,
}

impl ConfigError {
    pub(crate) fn new(
        key: impl Into<String>,
        problem: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), problem: problem.into(), expected: expected.into() }
    }
}

impl LimitsConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), ConfigError> {
        crate::rules::Rules::resolve(self)?;
        within("entries_max", self.entries_max, 1000, 10_000_000)?;
        within("known_recipients_max", self.known_recipients_max, 100, 100_000)?;
        self.admin_address()?;
        for listener in self.listeners.keys() {
            if listener.is_empty() {
                let key = "limits.listeners";
                return Err(ConfigError::new(key, "\"\" is no listener", "a listener's name"));
            }
        }
        match &self.shared {
            Some(url) => crate::shared::check_url(url),
            None if self.shared_password_file.is_some() => Err(ConfigError::new(
                "limits.shared_password_file",
                "there is no limits.shared that it could belong to",
                "limits.shared = \"redis://host:port/db\" beside it",
            )),
            None => Ok(()),
        }
    }

    /// The admin's address.
    ///
    /// # Errors
    /// If it is no mail address.
    pub fn admin_address(&self) -> Result<Option<address::Mailbox>, ConfigError> {
        let Some(text) = &self.admin else { return Ok(None) };
        address::Mailbox::parse(text).map(Some).map_err(|error| {
            let problem = format!("{text:?}: {error}");
            ConfigError::new("limits.admin", problem, "an address such as abuse@example.net")
        })
    }

    /// Whether the same figures hold for accounts, addresses and profiles by another section.
    #[must_use]
    pub fn resolves_like(&self, other: &Self) -> bool {
        match (crate::rules::Rules::resolve(self), crate::rules::Rules::resolve(other)) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        }
    }

    /// Names of the listeners and profiles that are named and exist nowhere, one sentence each:
    /// `listeners` are those of the daemon, `accounts` the profiles that accounts name.
    #[must_use]
    pub fn warnings(&self, listeners: &[&str], accounts: &[&str]) -> Vec<String> {
        let mut warnings = Vec::new();
        for name in self.listeners.keys().filter(|name| !listeners.contains(&name.as_str())) {
            warnings.push(format!("limits.listeners: there is no submission listener {name:?}"));
        }
        for name in accounts.iter().filter(|name| !self.profile.contains_key(**name)) {
            warnings.push(format!(
                "an account has limits={name}, but there is no [limits.profile.{name}]: \
                 [limits.account] holds for it"
            ));
        }
        warnings
    }
}

fn within(key: &str, value: usize, least: usize, most: usize) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let problem = format!("{value} is out of range");
    Err(ConfigError::new(format!("limits.{key}"), problem, format!("{least} to {most}")))
}
