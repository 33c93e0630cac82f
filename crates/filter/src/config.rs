//! The sections `[[filter.milter]]` and `[[filter.policy]]` of the configuration.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::Deserialize;

use crate::endpoint::Endpoint;

/// `[filter]`: the filters that a listener can name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterConfig {
    /// Milters, `[[filter.milter]]`.
    pub milter: Vec<MilterConfig>,
    /// Policy services, `[[filter.policy]]`.
    pub policy: Vec<PolicyConfig>,
}

/// `[[filter.milter]]`: a milter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MilterConfig {
    /// The name by which listeners require it: lower-case letters, digits and hyphens.
    pub name: String,
    /// `"127.0.0.1:11332"`, `"[::1]:11332"`, `"filter.example.net:11332"` or
    /// `"unix:/run/rspamd/milter.sock"`.
    pub address: String,
    /// What becomes of a message that it cannot be asked about.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// How long a connection may take to be made. 100ms to 1m.
    #[serde(default = "connect_timeout", with = "duration")]
    pub connect_timeout: Duration,
    /// How long it may take to answer a command. 100ms to 10m.
    #[serde(default = "command_timeout", with = "duration")]
    pub command_timeout: Duration,
    /// How long it may take with the whole message; a sign of life begins it anew. 1s to 1h.
    #[serde(default = "message_timeout", with = "duration")]
    pub message_timeout: Duration,
    /// Whether it may change the header, the body, the sender and the recipients.
    #[serde(default = "yes")]
    pub may_change: bool,
    /// Connections at once; a transaction that finds none free waits for one, for as long as it
    /// would wait for an answer. 1 to 10000.
    #[serde(default = "connections_max")]
    pub connections_max: usize,
}

/// `[[filter.policy]]`: a service of Postfix' policy delegation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// As [`MilterConfig::name`].
    pub name: String,
    /// As [`MilterConfig::address`].
    pub address: String,
    /// When it is asked.
    #[serde(default = "stages")]
    pub at: Vec<PolicyStage>,
    /// As [`MilterConfig::on_failure`].
    #[serde(default)]
    pub on_failure: OnFailure,
    /// As [`MilterConfig::connect_timeout`].
    #[serde(default = "connect_timeout", with = "duration")]
    pub connect_timeout: Duration,
    /// As [`MilterConfig::command_timeout`].
    #[serde(default = "command_timeout", with = "duration")]
    pub command_timeout: Duration,
    /// Connections that are kept for the next question. 0 to 1000.
    #[serde(default = "connections_idle")]
    pub connections_idle: usize,
    /// Connections at once; as [`MilterConfig::connections_max`].
    #[serde(default = "connections_max")]
    pub connections_max: usize,
    /// The attribute `policy_context`: tells a service by which rule it is asked.
    #[serde(default)]
    pub context: String,
}

/// What becomes of a message that a filter cannot be asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// The client is told to come back (451 4.7.1).
    #[default]
    Defer,
    /// It goes on without this filter.
    Accept,
}

/// When a policy service is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyStage {
    /// At `MAIL`.
    Mail,
    /// At each `RCPT`.
    Rcpt,
    /// At the end of the message, before it is taken.
    EndOfMessage,
}

fn connect_timeout() -> Duration {
    Duration::from_secs(5)
}

fn command_timeout() -> Duration {
    Duration::from_secs(30)
}

fn message_timeout() -> Duration {
    Duration::from_secs(300)
}

fn connections_max() -> usize {
    100
}

fn connections_idle() -> usize {
    20
}

fn stages() -> Vec<PolicyStage> {
    vec![PolicyStage::Rcpt]
}

fn yes() -> bool {
    true
}

/// A value in `[filter]` that cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}; expected {expected}")]
pub struct ConfigError {
    /// The key with its section, such as `filter.milter[0].address`.
    pub key: String,
    /// What is wrong with the value.
    pub problem: String,
    /// What should stand there.
    pub expected: String,
}

impl FilterConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut names = HashSet::new();
        for (index, milter) in self.milter.iter().enumerate() {
            let at = Place { list: "milter", index };
            at.name(&milter.name, &mut names)?;
            at.address(&milter.address)?;
            at.period("connect_timeout", milter.connect_timeout, 60)?;
            at.period("command_timeout", milter.command_timeout, 600)?;
            at.period("message_timeout", milter.message_timeout, 3600)?;
            at.number("connections_max", milter.connections_max, 1, 10_000)?;
        }
        for (index, policy) in self.policy.iter().enumerate() {
            let at = Place { list: "policy", index };
            at.name(&policy.name, &mut names)?;
            at.address(&policy.address)?;
            at.period("connect_timeout", policy.connect_timeout, 60)?;
            at.period("command_timeout", policy.command_timeout, 600)?;
            at.number("connections_idle", policy.connections_idle, 0, 1000)?;
            at.number("connections_max", policy.connections_max, 1, 10_000)?;
            if policy.at.is_empty() {
                let expected = "at least one of \"mail\", \"rcpt\" and \"end-of-message\"";
                return Err(at.error("at", "it would never be asked", expected));
            }
            if policy.context.len() > 200 || policy.context.chars().any(char::is_control) {
                let problem = format!("{:?} cannot be sent", policy.context);
                return Err(at.error("context", problem, "at most 200 printable characters"));
            }
        }
        Ok(())
    }

    /// The names of all filters.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let milters = self.milter.iter().map(|milter| milter.name.as_str());
        milters.chain(self.policy.iter().map(|policy| policy.name.as_str()))
    }
}

/// A table in one of the lists.
struct Place {
    list: &'static str,
    index: usize,
}

impl Place {
    fn error(
        &self,
        key: &str,
        problem: impl Into<String>,
        expected: impl Into<String>,
    ) -> ConfigError {
        let key = format!("filter.{}[{}].{key}", self.list, self.index);
        ConfigError { key, problem: problem.into(), expected: expected.into() }
    }

    fn name<'a>(&self, name: &'a str, seen: &mut HashSet<&'a str>) -> Result<(), ConfigError> {
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 32 || !name.chars().all(named) {
            let expected = "1 to 32 lower-case letters, digits and hyphens";
            return Err(self.error("name", format!("{name:?} is no name"), expected));
        }
        if !seen.insert(name) {
            let problem = format!("there is another filter {name:?}");
            return Err(self.error("name", problem, "a name of its own"));
        }
        Ok(())
    }

    fn address(&self, address: &str) -> Result<(), ConfigError> {
        Endpoint::parse(address).map(|_| ()).map_err(|expected| {
            self.error("address", format!("{address:?} is no address"), expected)
        })
    }

    fn period(&self, key: &str, value: Duration, most: u64) -> Result<(), ConfigError> {
        if (Duration::from_millis(100)..=Duration::from_secs(most)).contains(&value) {
            return Ok(());
        }
        let expected = format!("\"100ms\" to \"{most}s\"");
        Err(self.error(key, format!("{value:?} is out of range"), expected))
    }

    fn number(
        &self,
        key: &str,
        value: usize,
        least: usize,
        most: usize,
    ) -> Result<(), ConfigError> {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(self.error(key, format!("{value} is out of range"), format!("{least} to {most}")))
    }
}
