//! The configuration section `[pop3]`, with its listeners `[[pop3.listen]]`.

mod maildrop;
mod protocol;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use ::maildrop::OpenOptions;
use ipnet::IpNet;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use netio::{Limits, ListenConfig};
use serde::Deserialize;

use crate::retention::RetentionConfig;

pub use maildrop::MaildropConfig;
pub use protocol::ProtocolConfig;

/// RFC 1939 section 3: an autologout timer must be at least this long.
const AUTOLOGOUT_MIN: Duration = Duration::from_secs(10 * 60);

/// `[pop3]`: the POP3 daemon. Without a listener it does not run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pop3Config {
    /// The listening sockets: usually port 110 with `tls = "starttls"` and port 995 with
    /// `tls = "implicit"`.
    pub listen: Vec<ListenConfig>,
    /// How long a client that has logged in may be silent, such as "10m" (the least that
    /// RFC 1939 allows). Then the connection is closed and nothing is deleted.
    #[serde(with = "duration")]
    pub autologout: Duration,
    /// How long a client may take to log in, from the moment it connects.
    #[serde(with = "duration")]
    pub login_timeout: Duration,
    /// A client must take in something of a reply within this time, or it is cut off.
    #[serde(with = "duration")]
    pub write_timeout: Duration,
    /// How many bad commands and failed logins a connection may have before its login.
    pub errors_max: u8,
    /// Networks from which a password may be sent without TLS, for devices that cannot do
    /// better. Loopback may always; nobody else by default.
    pub cleartext_networks: Vec<IpNet>,
    /// Networks of the proxies that may connect to listeners with `proxy_protocol = true`.
    pub trusted_proxies: Vec<IpNet>,
    /// Sessions at once, on all listeners together.
    pub sessions_max: usize,
    /// Sessions at once from one IPv4 address or one IPv6 /64.
    pub sessions_per_ip_max: u32,
    /// Networks to which `sessions_per_ip_max` does not apply: a webmail host, a carrier's NAT.
    pub per_ip_exempt: Vec<IpNet>,
    /// How many sessions may be at work on files at the same time; the others wait their turn.
    pub io_threads: usize,
    /// Whether a message that was fetched, and left on the server, counts as read for programs
    /// that look into the same Maildir. Costs a rename for each message.
    pub mark_seen: bool,
    /// What is spoken beyond the usual.
    pub protocol: ProtocolConfig,
    /// Who may have a maildrop, when and how often.
    pub maildrop: MaildropConfig,
    /// How long mail is kept.
    pub retention: RetentionConfig,
}

impl Default for Pop3Config {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            autologout: AUTOLOGOUT_MIN,
            login_timeout: Duration::from_secs(3 * 60),
            write_timeout: Duration::from_secs(60),
            errors_max: 3,
            cleartext_networks: Vec::new(),
            trusted_proxies: Vec::new(),
            sessions_max: 10_000,
            sessions_per_ip_max: 50,
            per_ip_exempt: Vec::new(),
            io_threads: 32,
            mark_seen: false,
            protocol: ProtocolConfig::default(),
            maildrop: MaildropConfig::default(),
            retention: RetentionConfig::default(),
        }
    }
}

/// A value in `[pop3]` that cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}; expected {expected}")]
pub struct ConfigError {
    /// The key, with its section.
    pub key: String,
    /// What is wrong with the value.
    pub problem: String,
    /// What should stand there.
    pub expected: &'static str,
}

impl Pop3Config {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), ConfigError> {
        within(
            "pop3.autologout",
            self.autologout,
            AUTOLOGOUT_MIN,
            "\"10m\" (RFC 1939) to \"24h\"",
        )?;
        within("pop3.login_timeout", self.login_timeout, SECOND * 5, "\"5s\" to \"24h\"")?;
        within("pop3.write_timeout", self.write_timeout, SECOND, "\"1s\" to \"24h\"")?;
        at_least_one("pop3.errors_max", u64::from(self.errors_max))?;
        at_least_one("pop3.sessions_max", self.sessions_max as u64)?;
        at_least_one("pop3.sessions_per_ip_max", u64::from(self.sessions_per_ip_max))?;
        if !(1..=IO_THREADS_MAX).contains(&self.io_threads) {
            return Err(ConfigError {
                key: "pop3.io_threads".to_owned(),
                problem: format!("{} is out of range", self.io_threads),
                expected: "1 to 256",
            });
        }
        self.protocol.check()?;
        self.maildrop.check()?;
        self.retention.check()?;
        for (at, listen) in self.listen.iter().enumerate() {
            let port = listen.address.port();
            let twice = self.listen.iter().take(at).any(|other| other.address == listen.address);
            if twice && port != 0 {
                return Err(ConfigError {
                    key: format!("pop3.listen[{at}].address"),
                    problem: format!("{} stands there twice", listen.address),
                    expected: "each address and port once",
                });
            }
            if listen.proxy_protocol && self.trusted_proxies.is_empty() {
                return Err(ConfigError {
                    key: "pop3.trusted_proxies".to_owned(),
                    problem: format!(
                        "{} has proxy_protocol, but nobody is trusted",
                        listen.address
                    ),
                    expected: "the networks of your proxies",
                });
            }
        }
        Ok(())
    }

    /// Whether a client at `address` may send its password in clear. `genuine`: whether the
    /// address is the client's own.
    pub(crate) fn allows_cleartext(&self, address: IpAddr, genuine: bool) -> bool {
        genuine
            && (address.is_loopback()
                || self.cleartext_networks.iter().any(|net| net.contains(&address)))
    }

    /// How maildrops are opened: whoever opens one beside the daemon must do it in the same way,
    /// so that both see the same messages with the same ids.
    #[must_use]
    pub fn open_options(&self) -> OpenOptions {
        OpenOptions {
            mark_seen: self.mark_seen,
            uidl_format: self.maildrop.uidl_format.clone(),
            ..OpenOptions::default()
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            sessions_max: self.sessions_max,
            sessions_per_ip_max: self.sessions_per_ip_max,
            // A proxy is nobody's address; the client that it names is counted.
            per_ip_exempt: [&self.per_ip_exempt[..], &self.protocol.xclient_networks].concat(),
            ..Limits::default()
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Half of the threads that the runtime keeps for blocking work.
const IO_THREADS_MAX: usize = 256;

fn within(
    key: &'static str,
    value: Duration,
    least: Duration,
    expected: &'static str,
) -> Result<(), ConfigError> {
    if (least..=DAY).contains(&value) {
        return Ok(());
    }
    Err(ConfigError {
        key: key.to_owned(),
        problem: format!("{value:?} is out of range"),
        expected,
    })
}

fn at_least_one(key: &'static str, value: u64) -> Result<(), ConfigError> {
    if value > 0 {
        return Ok(());
    }
    Err(ConfigError {
        key: key.to_owned(),
        problem: "0 would refuse everybody".to_owned(),
        expected: "1 or more",
    })
}
