//! The `[relay]` section of the configuration: where mail goes, and how patiently.

mod period;
mod resolve;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use period::Period;
pub use resolve::{ConfigError, NextHop, Settings, Timeouts};

/// The `[relay]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayConfig {
    /// The host that takes all mail for others. Without one, such mail waits in the queue
    /// until it expires.
    pub next_hop: Option<NextHopConfig>,
    /// The name this host gives itself in EHLO and in reports: a domain, or an address literal
    /// such as `[192.0.2.1]`. Default: the host name.
    pub hello: Option<String>,
    /// Domains whose mail is delivered into the accounts' Maildirs. An address at one of them
    /// that belongs to no account does not exist (5.1.1).
    pub local_domains: Vec<String>,
    /// Connections to the next hop at the same time. 1 to 500.
    pub connections_max: usize,
    /// Messages sent over one connection before it is closed. 1 to 1000000.
    pub messages_per_connection: u32,
    /// How long an idle connection is kept for the next message. 0s to 5m.
    pub connection_idle: Period,
    /// Recipients in one transaction; a message with more goes out in several. RFC 5321
    /// obliges every server to take 100. 1 to 10000.
    pub recipients_max: usize,
    /// Deliveries into Maildirs at the same time. 1 to 256.
    pub local_deliveries_max: usize,
    /// How long to wait after the first, second, … attempt that failed for the time being. The
    /// last value repeats. Each is lengthened at random by up to a tenth.
    pub retry: Vec<Period>,
    /// When a message that was never delivered goes back to its sender. 1m to 60d.
    pub expire_after: Period,
    /// Language of reports: `"en"`, or `"ja"` for Japanese followed by English.
    pub report_language: Language,
}

impl Default for RelayConfig {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        let retry = [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR];
        Self {
            next_hop: None,
            hello: None,
            local_domains: Vec::new(),
            connections_max: 10,
            messages_per_connection: 1000,
            connection_idle: Period::from_secs(5),
            recipients_max: 100,
            local_deliveries_max: 8,
            retry: retry.map(Period::from_secs).to_vec(),
            expire_after: Period::from_secs(5 * 24 * HOUR),
            report_language: Language::English,
        }
    }
}

/// The `[relay.next_hop]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NextHopConfig {
    /// `host:port`, `192.0.2.1:25` or `[2001:db8::1]:25`. Without a port: 25, or 465 for
    /// implicit TLS. All addresses of a name are tried in turn.
    pub address: String,
    /// `"none"`, `"opportunistic"` (STARTTLS where offered, certificate not checked),
    /// `"required"` (STARTTLS with a checked certificate, or nothing is sent) or `"implicit"`
    /// (TLS from the first octet, checked).
    #[serde(default)]
    pub tls: TlsPolicy,
    /// PEM file of the authorities that may vouch for the next hop's certificate, instead of
    /// those the system trusts.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// User name for AUTH. Needs `password_file` or `password_env`.
    #[serde(default)]
    pub username: Option<String>,
    /// File that holds the password; a line end at its end does not count.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Name of the environment variable that holds the password.
    #[serde(default)]
    pub password_env: Option<String>,
    /// Whether the password may be sent without TLS.
    #[serde(default)]
    pub cleartext_login: bool,
}

/// What to do about TLS towards the next hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsPolicy {
    /// Never.
    None,
    /// Where it is offered, without checking the certificate: it keeps listeners out, not
    /// impostors. Where the handshake fails, in clear.
    #[default]
    Opportunistic,
    /// With a checked certificate, or nothing is sent.
    Required,
    /// From the first octet (RFC 8314), with a checked certificate.
    Implicit,
}

/// Language of reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Japanese, with the English text below.
    #[serde(rename = "ja")]
    Japanese,
}

#[cfg(test)]
mod tests;
