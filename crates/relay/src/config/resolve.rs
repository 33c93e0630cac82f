//! From what was written in `[relay]` to what can be obeyed.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use address::{Domain, Host};
use auth::Moment;

use super::{ConfigError, HopSettings, Language, Period, RelayConfig, Timeouts, TlsPolicy, hop};
use crate::report::Reports;
use crate::route::{Routes, Stop, Target};

/// `[relay]`, resolved and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The hops that have names; routes mean them by their place here.
    pub hops: Vec<HopSettings>,
    /// Which mail goes where.
    pub routes: Routes,
    /// As [`RelayConfig::mx`].
    pub mx: mx::MxConfig,
    /// Who is asked for mail exchangers, if it is not to be whoever `mx` says; set in code.
    pub resolver: Option<mx::Resolver>,
    /// This host's name.
    pub hello: Host,
    /// Domains with Maildirs.
    pub local_domains: Vec<Domain>,
    /// As [`RelayConfig::source_addresses`].
    pub source_addresses: Vec<IpAddr>,
    /// As [`RelayConfig::connections_max`]; for destinations without a name.
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
    /// As [`RelayConfig::reports`].
    pub reports: Reports,
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
        self.mx.check().map_err(mx_mistake)?;
        let hello = self.hello.as_deref().unwrap_or(host_name);
        let hello = Host::parse(hello).map_err(|error| {
            let expected = format!("this host's full name such as mail.example.net, but {error}");
            ConfigError::new("hello", format_args!("{hello:?}"), expected)
        })?;
        let local_domains = self.local_domains.iter().map(domain).collect::<Result<Vec<_>, _>>()?;
        let hops = hop::resolve(self)?;
        let routes = Routes::resolve(&self.route, &hops, &local_domains)?;
        Ok(Settings {
            hops,
            routes,
            mx: self.mx.clone(),
            resolver: None,
            hello,
            local_domains,
            source_addresses: self.source_addresses.clone(),
            connections_max: self.connections_max,
            messages_per_connection: self.messages_per_connection,
            connection_idle: self.connection_idle.duration(),
            recipients_max: self.recipients_max,
            local_deliveries_max: self.local_deliveries_max,
            retry: self.retry.iter().map(|wait| wait.duration()).collect(),
            expire_after: self.expire_after.duration(),
            report_language: self.report_language,
            reports: self.reports.resolve()?,
            timeouts: Timeouts::default(),
        })
    }
}

impl Settings {
    /// What is allowed and probably not meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.routes.warnings().to_vec();
        if self.routes.is_empty() {
            let text = "relay.next_hop is not set, and there is no relay.route: mail for others \
                        waits in the queue until it expires";
            warnings.push(text.to_owned());
        }
        warnings
    }

    /// Who is asked for mail exchangers, where some are needed. Blocking: may read files.
    pub(crate) fn resolver(&self, now: Moment) -> Result<Option<mx::Resolver>, ConfigError> {
        if let Some(resolver) = &self.resolver {
            return Ok(Some(resolver.clone()));
        }
        let asks = |hop: &HopSettings| matches!(&hop.target, Target::Host(next_hop) if next_hop.tls == TlsPolicy::Dane);
        if !self.routes.lead_to(Stop::Mx) && !self.hops.iter().any(asks) {
            return Ok(None);
        }
        let own: Vec<_> = self.hello.domain().cloned().into_iter().collect();
        let resolver = mx::Resolver::new(&self.mx, &own, now.wall.as_second());
        resolver.map(Some).map_err(mx_mistake)
    }
}

fn mx_mistake(error: mx::MxConfigError) -> ConfigError {
    ConfigError::new(format!("mx.{}", error.key), error.found, error.expected)
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

pub(super) fn within<T: PartialOrd + fmt::Display>(
    key: &str,
    value: T,
    least: T,
    most: T,
) -> Result<(), ConfigError> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(ConfigError::new(key, value, format_args!("{least} to {most}")))
}
