//! The section `[submission]` of the configuration, and `[[submission.listen]]` in it.

mod listen;
mod protocol;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::time::Duration;

use address::{Domain, Mailbox};
use ipnet::IpNet;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use netio::{Limits, TlsMode};
use serde::Deserialize;
use spool::Size;

use crate::header_config::HeaderConfig;

pub use listen::{LoneLfRule, SubmissionListen};
pub use protocol::ProtocolConfig;

/// `[submission]`: what a session may do, and who may have one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubmissionConfig {
    /// The listeners, `[[submission.listen]]`; without any, no mail is taken.
    pub listen: Vec<SubmissionListen>,
    /// What is spoken beyond RFC 5321, `[submission.protocol]`.
    pub protocol: ProtocolConfig,
    /// Who gets mail for `<postmaster>`, an address. Default: `postmaster@` the host's name.
    pub postmaster: Option<String>,
    /// The largest message, announced with SIZE. 64KiB to 2GiB; what the spool takes bounds it
    /// too.
    pub message_size_max: Size,
    /// Recipients of one message. 1 to 10000; RFC 5321 asks for 100 at least.
    pub recipients_max: u32,
    /// Refused commands after which a session is closed. 1 to 1000.
    pub errors_max: u32,
    /// How long a client may take for a command, or to take in a reply, such as "5m". 1s to 1h;
    /// RFC 5321 asks for 5m.
    #[serde(with = "duration")]
    pub command_timeout: Duration,
    /// The window in which a client must bring 500 octets of its message for each second, or
    /// all that is left of it. 1s to 1h; RFC 5321 asks for 10m.
    #[serde(with = "duration")]
    pub data_timeout: Duration,
    /// Networks whose clients may send passwords without TLS. Everybody on the way can read
    /// them: loopback, and networks that are protected by other means.
    pub cleartext_auth_networks: Vec<IpNet>,
    /// Sessions at once, of all listeners together.
    pub sessions_max: usize,
    /// Sessions at once from one IPv4 address or IPv6 /64.
    pub sessions_per_ip_max: u32,
    /// Networks to which `sessions_per_ip_max` does not apply: a webmail host, a carrier's NAT.
    pub per_ip_exempt: Vec<IpNet>,
    /// Proxies that may name the client's address, where a listener has `proxy_protocol`.
    pub trusted_proxies: Vec<IpNet>,
    /// What is written into the headers of messages.
    pub header: HeaderConfig,
}

impl Default for SubmissionConfig {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            protocol: ProtocolConfig::default(),
            postmaster: None,
            message_size_max: Size::mib(50),
            recipients_max: 1000,
            errors_max: 20,
            command_timeout: Duration::from_secs(5 * 60),
            data_timeout: Duration::from_secs(10 * 60),
            cleartext_auth_networks: loopback(),
            sessions_max: 10_000,
            sessions_per_ip_max: 50,
            per_ip_exempt: Vec::new(),
            trusted_proxies: Vec::new(),
            header: HeaderConfig::default(),
        }
    }
}

fn loopback() -> Vec<IpNet> {
    ["127.0.0.0/8", "::1/128"].iter().filter_map(|net| net.parse().ok()).collect()
}

/// A value in `[submission]` that cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}; expected {expected}")]
pub struct ConfigError {
    /// The key with its section, such as `submission.listen[0].name`.
    pub key: String,
    /// What is wrong with the value.
    pub problem: String,
    /// What should stand there.
    pub expected: String,
}

impl ConfigError {
    fn new(
        key: impl Into<String>,
        problem: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), problem: problem.into(), expected: expected.into() }
    }
}

impl SubmissionConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.protocol.check()?;
        let size = self.message_size_max;
        if !(Size::kib(64)..=Size::mib(2048)).contains(&size) {
            let problem = format!("{size} is out of range");
            let key = "submission.message_size_max";
            return Err(ConfigError::new(key, problem, "\"64KiB\" to \"2GiB\""));
        }
        let recipients = u64::from(self.recipients_max);
        within("recipients_max", recipients, 1, spool::RECIPIENTS_MAX as u64)?;
        within("errors_max", self.errors_max.into(), 1, 1000)?;
        within("sessions_max", self.sessions_max as u64, 1, 1_000_000)?;
        within("sessions_per_ip_max", self.sessions_per_ip_max.into(), 1, 1_000_000)?;
        no_longer("command_timeout", self.command_timeout)?;
        no_longer("data_timeout", self.data_timeout)?;
        self.postmaster_address()?;
        self.header.check()?;
        let mut names = HashSet::new();
        let mut addresses = HashSet::new();
        for (index, listen) in self.listen.iter().enumerate() {
            let key = |name: &str| format!("submission.listen[{index}].{name}");
            listen.check(&key)?;
            self.check_limits(listen, &key)?;
            if !names.insert(&listen.name) {
                let problem = format!("there is another listener {:?}", listen.name);
                return Err(ConfigError::new(key("name"), problem, "a name of its own"));
            }
            if listen.address.port() != 0 && !addresses.insert(listen.address) {
                let problem = format!("another listener has {}", listen.address);
                return Err(ConfigError::new(key("address"), problem, "an address of its own"));
            }
            if listen.xclient_login && self.protocol.xclient_networks.is_empty() {
                let problem = "no proxy could, for submission.protocol.xclient_networks is empty";
                let expected = "false, or at least one network of proxies";
                return Err(ConfigError::new(key("xclient_login"), problem, expected));
            }
            if listen.proxy_protocol && self.trusted_proxies.is_empty() {
                let problem = "nobody could connect, for submission.trusted_proxies is empty";
                let expected = "false, or at least one network of proxies";
                return Err(ConfigError::new(key("proxy_protocol"), problem, expected));
            }
        }
        Ok(())
    }

    /// A listener's own limits are within those of all.
    fn check_limits(
        &self,
        listen: &SubmissionListen,
        key: &dyn Fn(&str) -> String,
    ) -> Result<(), ConfigError> {
        let sizes = Size::kib(64)..=self.message_size_max;
        if let Some(size) = listen.message_size_max
            && !sizes.contains(&size)
        {
            let problem = format!("{size} is out of range");
            let expected = format!(
                "\"64KiB\" to submission.message_size_max, which is \"{}\"",
                self.message_size_max
            );
            return Err(ConfigError::new(key("message_size_max"), problem, expected));
        }
        if let Some(recipients) = listen.recipients_max
            && !(1..=self.recipients_max).contains(&recipients)
        {
            let problem = format!("{recipients} is out of range");
            let expected =
                format!("1 to submission.recipients_max, which is {}", self.recipients_max);
            return Err(ConfigError::new(key("recipients_max"), problem, expected));
        }
        Ok(())
    }

    /// What is allowed but deserves a second look, one sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for net in &self.cleartext_auth_networks {
            if !net.addr().is_loopback() {
                warnings.push(format!(
                    "submission.cleartext_auth_networks: passwords from {net} may cross the \
                     network unencrypted"
                ));
            }
        }
        for listen in &self.listen {
            if listen.tls == TlsMode::None && listen.offers_auth() {
                warnings.push(format!(
                    "submission listener {}: with tls = \"none\", only clients in \
                     cleartext_auth_networks can send a password",
                    listen.name
                ));
            }
        }
        warnings
    }

    /// The configured postmaster.
    ///
    /// # Errors
    /// If it is no mail address.
    pub fn postmaster_address(&self) -> Result<Option<Mailbox>, ConfigError> {
        let Some(text) = &self.postmaster else { return Ok(None) };
        Mailbox::parse(text).map(Some).map_err(|error| {
            let problem = format!("{text:?}: {error}");
            ConfigError::new("submission.postmaster", problem, "an address such as a@example.net")
        })
    }

    /// Bounds on sessions.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            sessions_max: self.sessions_max,
            sessions_per_ip_max: self.sessions_per_ip_max,
            per_ip_exempt: self.per_ip_exempt.clone(),
            ..Limits::default()
        }
    }
}

/// The postmaster of a host that names none.
pub(crate) fn default_postmaster(hostname: &str) -> Option<Mailbox> {
    Domain::parse(hostname).and_then(|domain| Mailbox::new("postmaster", domain)).ok()
}

fn within(key: &str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let problem = format!("{value} is out of range");
    Err(ConfigError::new(format!("submission.{key}"), problem, format!("{least} to {most}")))
}

fn no_longer(key: &str, value: Duration) -> Result<(), ConfigError> {
    if (Duration::from_secs(1)..=Duration::from_secs(60 * 60)).contains(&value) {
        return Ok(());
    }
    let problem = format!("{value:?} is out of range");
    Err(ConfigError::new(format!("submission.{key}"), problem, "\"1s\" to \"1h\""))
}
