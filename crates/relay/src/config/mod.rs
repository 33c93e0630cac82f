//! The `[relay]` section of the configuration: where mail goes, and how patiently.

mod error;
mod hop;
mod next_hop;
mod period;
mod rate;
mod resolve;
mod route;
mod timeouts;

use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::report::ReportsConfig;

pub use error::ConfigError;
pub use hop::{HopConfig, HopLogin, HopProtocol, HopSettings, MX, NEXT_HOP};
pub use next_hop::{NextHop, NextHopConfig};
pub use period::Period;
pub use rate::Rate;
pub use resolve::Settings;
pub use route::{Deliver, Hops, RouteConfig};
pub use timeouts::Timeouts;

/// The `[relay]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayConfig {
    /// The host that takes all mail for others that no route takes. Without one, such mail waits
    /// in the queue until it expires.
    pub next_hop: Option<NextHopConfig>,
    /// Next hops by name, for the routes.
    pub hop: Vec<HopConfig>,
    /// Which mail goes where. The first route that takes a recipient is his.
    pub route: Vec<RouteConfig>,
    /// How mail goes to the mail exchangers of other domains, where a route says so.
    pub mx: mx::MxConfig,
    /// The name this host gives itself in EHLO and in reports: a domain, or an address literal
    /// such as `[192.0.2.1]`. Default: the host name.
    pub hello: Option<String>,
    /// Domains whose mail is delivered into the accounts' Maildirs. An address at one of them
    /// that belongs to no account does not exist (5.1.1).
    pub local_domains: Vec<String>,
    /// Local addresses from which connections are made: the first of the family of the other
    /// side. Default: the system's choice.
    pub source_addresses: Vec<IpAddr>,
    /// Connections to one destination at the same time; begins at 5 and grows with success. 1 to
    /// 500.
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
    /// What senders are told, `[relay.reports]`.
    pub reports: ReportsConfig,
}

impl Default for RelayConfig {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        let retry = [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR];
        Self {
            next_hop: None,
            hop: Vec::new(),
            route: Vec::new(),
            mx: mx::MxConfig::default(),
            hello: None,
            local_domains: Vec::new(),
            source_addresses: Vec::new(),
            connections_max: 10,
            messages_per_connection: 1000,
            connection_idle: Period::from_secs(5),
            recipients_max: 100,
            local_deliveries_max: 8,
            retry: retry.map(Period::from_secs).to_vec(),
            expire_after: Period::from_secs(5 * 24 * HOUR),
            report_language: Language::English,
            reports: ReportsConfig::default(),
        }
    }
}

impl RelayConfig {
    /// Its paths made absolute, as seen from `base`.
    #[must_use]
    pub fn relative_to(mut self, base: &Path) -> Self {
        if let Some(next_hop) = &mut self.next_hop {
            next_hop.relative_to(base);
        }
        for hop in &mut self.hop {
            hop.relative_to(base);
        }
        if let Some(path) = &mut self.mx.policy_cache {
            *path = base.join(&*path);
        }
        self
    }
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
    /// As the DNS says (RFC 7672): checked where it names keys, opportunistic where it does not.
    Dane,
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
mod hop_tests;
#[cfg(test)]
mod tests;
