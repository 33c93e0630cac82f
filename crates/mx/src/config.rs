//! The `[relay.mx]` section: how mail goes directly to the hosts of other domains.

mod name_server;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use name_server::NameServer;

/// The `[relay.mx]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MxConfig {
    /// Name servers to ask, such as `127.0.0.1` or `192.0.2.1:5353`. Default: those of
    /// /etc/resolv.conf.
    pub servers: Vec<NameServer>,
    /// Who validates DNSSEC: `"resolver"` (the name servers, which are believed only on this
    /// host's loopback), `"validate"` (this daemon) or `"off"` (nobody: no DANE).
    pub dnssec: Dnssec,
    /// Whether certificates are checked by TLSA records (RFC 7672).
    pub dane: bool,
    /// Whether domains' policies are fetched and obeyed (RFC 8461).
    pub mta_sts: bool,
    /// Directory for these policies. Default: `mta-sts` in the data directory.
    pub policy_cache: Option<PathBuf>,
    /// How long to wait for one answer of a name server. 1s to 30s.
    pub timeout: Wait,
    /// Which addresses are tried, and which first: `"ipv6-first"`, `"ipv4-first"`, `"ipv6"` or
    /// `"ipv4"`.
    pub addresses: Family,
    /// Hosts of one domain that are tried. 1 to 50.
    pub hosts_max: usize,
    /// Addresses of one host that are tried. 1 to 50.
    pub addresses_max: usize,
    /// Other names of this host: mail for a domain whose best host is named here goes back to
    /// its sender instead of going round.
    pub own_names: Vec<String>,
    /// Whether a domain's host may have an address of loopback. Otherwise such an address is
    /// taken for this host's.
    pub loopback: bool,
    /// The port of hosts. Other than 25 only for trials.
    pub port: u16,
}

impl Default for MxConfig {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            dnssec: Dnssec::Resolver,
            dane: true,
            mta_sts: true,
            policy_cache: None,
            timeout: Wait(Duration::from_secs(5)),
            addresses: Family::Ipv6First,
            hosts_max: 10,
            addresses_max: 8,
            own_names: Vec::new(),
            loopback: false,
            port: 25,
        }
    }
}

/// Who validates DNSSEC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dnssec {
    /// The name servers: their AD bit is believed if all of them are on loopback, for then
    /// nobody can have changed it on the way.
    Resolver,
    /// This daemon, from the root's keys down.
    Validate,
    /// Nobody.
    Off,
}

/// Which addresses are tried, and which first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Both, alternating, IPv6 first.
    #[serde(rename = "ipv6-first")]
    Ipv6First,
    /// Both, alternating, IPv4 first.
    #[serde(rename = "ipv4-first")]
    Ipv4First,
    /// Only IPv6.
    Ipv6,
    /// Only IPv4.
    Ipv4,
}

impl Family {
    pub(crate) fn wants_ipv4(self) -> bool {
        self != Self::Ipv6
    }

    pub(crate) fn wants_ipv6(self) -> bool {
        self != Self::Ipv4
    }
}

/// A value of `[relay.mx]` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("relay.mx.{key} = {found}: expected {expected}")]
pub struct MxConfigError {
    /// The key within `[relay.mx]`.
    pub key: &'static str,
    /// What the file says.
    pub found: String,
    /// What it may say.
    pub expected: String,
}

impl MxConfigError {
    pub(crate) fn new(
        key: &'static str,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        Self { key, found: found.to_string(), expected: expected.to_string() }
    }
}

impl MxConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn check(&self) -> Result<(), MxConfigError> {
        for (key, value) in [("hosts_max", self.hosts_max), ("addresses_max", self.addresses_max)] {
            if !(1..=50).contains(&value) {
                return Err(MxConfigError::new(key, value, "1 to 50"));
            }
        }
        if !(1..=30).contains(&self.timeout.0.as_secs()) {
            return Err(MxConfigError::new("timeout", self.timeout, "1s to 30s"));
        }
        if self.port == 0 {
            return Err(MxConfigError::new("port", 0, "1 to 65535"));
        }
        if self.servers.len() > 8 {
            return Err(MxConfigError::new("servers", self.servers.len(), "at most 8 addresses"));
        }
        match self.own_names.iter().find(|name| crate::name::host(name).is_none()) {
            Some(name) => {
                let expected = "names of this host such as mail.example.net";
                Err(MxConfigError::new("own_names", format_args!("{name:?}"), expected))
            }
            None => Ok(()),
        }
    }
}

/// A short wait, as configuration writes it: whole seconds or minutes, `"5s"` or `"1m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait(Duration);

const EXPECTED: &str = "seconds or minutes such as \"5s\" or \"1m\"";

impl Wait {
    /// So many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// As a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let (digits, factor) = match (text.strip_suffix('s'), text.strip_suffix('m')) {
            (Some(digits), _) => (digits, 1),
            (None, Some(digits)) => (digits, 60),
            (None, None) => return None,
        };
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let seconds = digits.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(factor)?;
        Some(Self::from_secs(seconds))
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0.as_secs())
    }
}

impl Serialize for Wait {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || {
            let found = serde::de::Unexpected::Str(&text);
            serde::de::Error::invalid_value(found, &EXPECTED)
        };
        Self::parse(&text).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests;
