//! From what was written in `[relay]` to what can be obeyed.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use address::{Domain, Host};
use sasl::Secret;
use smtp_proto::client::Credentials;

use super::{Language, NextHopConfig, Period, RelayConfig, TlsPolicy};

/// A value of `[relay]` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("relay.{key} = {found}: expected {expected}")]
pub struct ConfigError {
    /// The key within `[relay]`.
    pub key: &'static str,
    /// What the file says; never a secret.
    pub found: String,
    /// What it may say.
    pub expected: String,
}

impl ConfigError {
    pub(crate) fn new(
        key: &'static str,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        Self { key, found: found.to_string(), expected: expected.to_string() }
    }
}

/// Time limits of a conversation with a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the look-up of its name.
    pub resolve: Duration,
    /// For the connection to one of its addresses.
    pub connect: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the greeting (RFC 5321 section 4.5.3.2.1: 5 minutes).
    pub greeting: Duration,
    /// For the replies to EHLO, STARTTLS, AUTH, MAIL, RCPT (sections 4.5.3.2.2 and 3).
    pub command: Duration,
    /// For the reply to DATA (section 4.5.3.2.4: 2 minutes).
    pub data: Duration,
    /// For each block that is sent (section 4.5.3.2.5: 3 minutes).
    pub block: Duration,
    /// For the reply to the dot (section 4.5.3.2.6: 10 minutes).
    pub end_of_data: Duration,
    /// For the reply to QUIT; nothing hangs on it.
    pub farewell: Duration,
    /// For room in the queue of a next hop, before messages for it are deferred so that others
    /// are not held up.
    pub congestion: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(30),
            connect: Duration::from_secs(30),
            handshake: Duration::from_secs(60),
            greeting: Duration::from_secs(5 * 60),
            command: Duration::from_secs(5 * 60),
            data: Duration::from_secs(2 * 60),
            block: Duration::from_secs(3 * 60),
            end_of_data: Duration::from_secs(10 * 60),
            farewell: Duration::from_secs(5),
            congestion: Duration::from_secs(10),
        }
    }
}

/// The next hop, resolved.
#[derive(Clone, Debug)]
pub struct NextHop {
    /// Its name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What to do about TLS.
    pub tls: TlsPolicy,
    /// Authorities instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// What to authenticate with.
    pub credentials: Option<Credentials>,
}

/// `[relay]`, resolved and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where mail for others goes.
    pub next_hop: Option<NextHop>,
    /// This host's name.
    pub hello: Host,
    /// Domains with Maildirs.
    pub local_domains: Vec<Domain>,
    /// As [`RelayConfig::connections_max`].
    pub connections_max: usize,
    /// As [`RelayConfig::messages_per_connection`].
    pub messages_per_connection: u32,
    /// As [`RelayConfig::connection_idle`].
    pub connection_idle: Duration,
    /// As [`RelayConfig::recipients_max`].
    pub recipients_max: usize,
    /// As [`RelayConfig::local_deliveries_max`].
    pub local_deliveries_max: usize,
    /// As [`RelayConfig::retry`]; never empty.
    pub retry: Vec<Duration>,
    /// As [`RelayConfig::expire_after`].
    pub expire_after: Duration,
    /// As [`RelayConfig::report_language`].
    pub report_language: Language,
    /// Time limits; those of RFC 5321 unless changed in code.
    pub timeouts: Timeouts,
}

impl RelayConfig {
    /// Checks every value, and reads the password if there is one. `host_name` is used where
    /// `hello` is not set. Blocking: reads a small file.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn resolve(&self, host_name: &str) -> Result<Settings, ConfigError> {
        within("connections_max", self.connections_max, 1, 500)?;
        within("messages_per_connection", self.messages_per_connection, 1, 1_000_000)?;
        within("connection_idle", self.connection_idle, period(0), period(300))?;
        within("recipients_max", self.recipients_max, 1, 10_000)?;
        within("local_deliveries_max", self.local_deliveries_max, 1, 256)?;
        within("expire_after", self.expire_after, period(60), period(60 * 24 * 3600))?;
        if self.retry.is_empty() {
            return Err(ConfigError::new("retry", "[]", "at least one period"));
        }
        for &wait in &self.retry {
            within("retry", wait, period(1), period(24 * 3600))?;
        }
        let hello = self.hello.as_deref().unwrap_or(host_name);
        let hello = Host::parse(hello).map_err(|error| {
            let expected = format!("this host's full name such as mail.example.net, but {error}");
            ConfigError::new("hello", format_args!("{hello:?}"), expected)
        })?;
        Ok(Settings {
            next_hop: self.next_hop.as_ref().map(NextHopConfig::resolve).transpose()?,
            hello,
            local_domains: self.local_domains.iter().map(domain).collect::<Result<_, _>>()?,
            connections_max: self.connections_max,
            messages_per_connection: self.messages_per_connection,
            connection_idle: self.connection_idle.duration(),
            recipients_max: self.recipients_max,
            local_deliveries_max: self.local_deliveries_max,
            retry: self.retry.iter().map(|wait| wait.duration()).collect(),
            expire_after: self.expire_after.duration(),
            report_language: self.report_language,
            timeouts: Timeouts::default(),
        })
    }
}

impl NextHopConfig {
    fn resolve(&self) -> Result<NextHop, ConfigError> {
        let default_port = if self.tls == TlsPolicy::Implicit { 465 } else { 25 };
        let (host, port) = host_and_port(&self.address, default_port).ok_or_else(|| {
            let expected = "\"host:port\", \"192.0.2.1:25\" or \"[2001:db8::1]:25\"";
            ConfigError::new("next_hop.address", format_args!("{:?}", self.address), expected)
        })?;
        let never_secure = self.tls == TlsPolicy::None && self.username.is_some();
        if never_secure && !self.cleartext_login {
            let expected = "TLS for the password, or cleartext_login = true";
            return Err(ConfigError::new("next_hop.tls", "\"none\"", expected));
        }
        Ok(NextHop {
            host,
            port,
            tls: self.tls,
            ca_file: self.ca_file.clone(),
            credentials: self.credentials()?,
        })
    }

    fn credentials(&self) -> Result<Option<Credentials>, ConfigError> {
        let password = match (&self.password_file, &self.password_env) {
            (Some(_), Some(name)) => {
                let expected = "either password_file or password_env, not both";
                return Err(ConfigError::new("next_hop.password_env", name, expected));
            }
            (Some(path), None) => Some(password_from_file(path)?),
            (None, Some(name)) => Some(password_from_environment(name)?),
            (None, None) => None,
        };
        match (&self.username, password) {
            (None, None) => Ok(None),
            (Some(name), Some(password)) => {
                let cleartext = self.cleartext_login;
                Ok(Some(Credentials { name: name.clone(), password, cleartext }))
            }
            (Some(name), None) => {
                let expected = "password_file or password_env beside it";
                Err(ConfigError::new("next_hop.username", format_args!("{name:?}"), expected))
            }
            (None, Some(_)) => {
                Err(ConfigError::new("next_hop.username", "nothing", "a name for the password"))
            }
        }
    }
}

fn password_from_file(path: &Path) -> Result<Secret, ConfigError> {
    const KEY: &str = "next_hop.password_file";
    let found = path.display();
    let mut octets = std::fs::read(path)
        .map_err(|error| ConfigError::new(KEY, &found, format_args!("a file to read: {error}")))?;
    while matches!(octets.last(), Some(b'\n' | b'\r')) {
        octets.pop();
    }
    let secret = Secret::new(octets);
    if secret.is_empty() {
        return Err(ConfigError::new(KEY, &found, "a password, but the file is empty"));
    }
    Ok(secret)
}

fn password_from_environment(name: &str) -> Result<Secret, ConfigError> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty()).ok_or_else(|| {
        let expected = "the name of an environment variable that is set";
        ConfigError::new("next_hop.password_env", format_args!("{name:?}"), expected)
    })?;
    Ok(Secret::new(value.into_encoded_bytes()))
}

/// The host without brackets, and the port.
fn host_and_port(text: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, if behind.is_empty() { None } else { Some(behind.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(digits) => digits.parse().ok().filter(|&port| port != 0)?,
        None => default,
    };
    let is_bare = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '@');
    if host.is_empty() || host.len() > 255 || host.contains(is_bare) {
        return None;
    }
    Some((host.to_owned(), port))
}

fn domain(text: &String) -> Result<Domain, ConfigError> {
    Domain::parse(text).map_err(|error| {
        let expected = format!("domains such as example.net, but {error}");
        ConfigError::new("local_domains", format_args!("{text:?}"), expected)
    })
}

fn period(seconds: u64) -> Period {
    Period::from_secs(seconds)
}

fn within<T: PartialOrd + fmt::Display>(
    key: &'static str,
    value: T,
    least: T,
    most: T,
) -> Result<(), ConfigError> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(ConfigError::new(key, value, format_args!("{least} to {most}")))
}
