//! `[[relay.hop]]`: next hops by name.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::next_hop::host_and_port;
use super::resolve::within;
use super::{ConfigError, NextHopConfig, Rate, RelayConfig, TlsPolicy};
use crate::route::{LmtpSocket, LmtpTarget, Target};

/// The name by which routes call `[relay.next_hop]`.
pub const NEXT_HOP: &str = "next_hop";
/// The name by which routes call the mail exchangers of the recipient's domain.
pub const MX: &str = "mx";

/// Hops that may be named.
const HOPS_MAX: usize = 1000;
/// What an address of an LMTP server in the file system begins with.
const UNIX: &str = "unix:";

/// A `[[relay.hop]]` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HopConfig {
    /// By what name routes, logs and commands call it: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// As [`NextHopConfig::address`]; for LMTP `host:port` or `unix:/path`.
    pub address: String,
    /// `"smtp"`, or `"lmtp"` for a server that puts mail into mailboxes, such as Dovecot's.
    #[serde(default)]
    pub protocol: HopProtocol,
    /// Connections to it at the same time, 1 to 500. Default: `connections_max` of `[relay]`.
    #[serde(default)]
    pub connections_max: Option<usize>,
    /// Messages that it gets at most, such as `"10/s"` or `"600/m"`. Default: no limit.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// As [`NextHopConfig::tls`]; not for LMTP.
    #[serde(default)]
    pub tls: TlsPolicy,
    /// As [`NextHopConfig::ca_file`].
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// As [`NextHopConfig::fingerprints`].
    #[serde(default)]
    pub fingerprints: Vec<String>,
    /// As [`NextHopConfig::client_certificate`].
    #[serde(default)]
    pub client_certificate: Option<PathBuf>,
    /// As [`NextHopConfig::client_key`].
    #[serde(default)]
    pub client_key: Option<PathBuf>,
    /// What to authenticate with.
    #[serde(default)]
    pub login: Option<HopLogin>,
}

/// `login` of a hop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HopLogin {
    /// User name for AUTH.
    pub username: String,
    /// As [`NextHopConfig::password_file`].
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// As [`NextHopConfig::password_env`].
    #[serde(default)]
    pub password_env: Option<String>,
    /// Whether the password may be sent without TLS.
    #[serde(default)]
    pub cleartext: bool,
}

/// What a hop speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HopProtocol {
    /// RFC 5321.
    #[default]
    Smtp,
    /// RFC 2033.
    Lmtp,
}

/// A hop, resolved.
#[derive(Clone, Debug)]
pub struct HopSettings {
    /// Its name; [`NEXT_HOP`] for that of `[relay.next_hop]`.
    pub name: Arc<str>,
    /// Its section within `[relay]`, for messages: `hop[0]` or `next_hop`.
    pub key: Arc<str>,
    /// Where it is.
    pub target: Target,
    /// Connections at the same time.
    pub connections_max: usize,
    /// Messages it gets at most.
    pub rate: Option<Rate>,
}

/// All hops of `config`; that of `[relay.next_hop]` is the last.
pub(super) fn resolve(config: &RelayConfig) -> Result<Vec<HopSettings>, ConfigError> {
    if config.hop.len() > HOPS_MAX {
        let expected = format!("at most {HOPS_MAX} hops");
        return Err(ConfigError::new("hop", config.hop.len(), expected));
    }
    let mut hops = Vec::with_capacity(config.hop.len() + 1);
    let mut names = HashSet::new();
    for (index, hop) in config.hop.iter().enumerate() {
        if !names.insert(hop.name.as_str()) {
            let expected = "a name of its own for each hop";
            let key = format!("hop[{index}].name");
            return Err(ConfigError::new(key, format_args!("{:?}", hop.name), expected));
        }
        hops.push(hop.resolve(config, index)?);
    }
    if let Some(next_hop) = &config.next_hop {
        hops.push(HopSettings {
            name: NEXT_HOP.into(),
            key: NEXT_HOP.into(),
            target: Target::Host(next_hop.resolve()?),
            connections_max: config.connections_max,
            rate: None,
        });
    }
    Ok(hops)
}

impl HopConfig {
    fn resolve(&self, config: &RelayConfig, index: usize) -> Result<HopSettings, ConfigError> {
        let key = |key: &str| format!("hop[{index}].{key}");
        self.check_name(&key("name"))?;
        let connections_max = self.connections_max.unwrap_or(config.connections_max);
        within(&key("connections_max"), connections_max, 1, 500)?;
        let target = match self.protocol {
            HopProtocol::Smtp => {
                let resolved = self.as_next_hop().resolve();
                Target::Host(resolved.map_err(|error| error.under(&format!("hop[{index}]")))?)
            }
            HopProtocol::Lmtp => Target::Lmtp(self.lmtp(&key)?),
        };
        Ok(HopSettings {
            name: self.name.as_str().into(),
            key: format!("hop[{index}]").into(),
            target,
            connections_max,
            rate: self.rate,
        })
    }

    fn check_name(&self, key: &str) -> Result<(), ConfigError> {
        let name = &self.name;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let found = format!("{name:?}");
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            let expected = "1 to 64 letters, digits, \"-\", \"_\" and \".\"";
            return Err(ConfigError::new(key, found, expected));
        }
        if name == NEXT_HOP || name == MX {
            let expected = "another name: routes mean by this one the host of [relay.next_hop], or \
                            the mail exchangers in the DNS";
            return Err(ConfigError::new(key, found, expected));
        }
        Ok(())
    }

    fn lmtp(&self, key: &dyn Fn(&str) -> String) -> Result<LmtpTarget, ConfigError> {
        let stranger = [
            ("tls", self.tls != TlsPolicy::default() && self.tls != TlsPolicy::None),
            ("ca_file", self.ca_file.is_some()),
            ("fingerprints", !self.fingerprints.is_empty()),
            ("client_certificate", self.client_certificate.is_some()),
            ("client_key", self.client_key.is_some()),
            ("login", self.login.is_some()),
        ];
        if let Some((name, _)) = stranger.iter().find(|(_, is_set)| *is_set) {
            let expected = "nothing: LMTP stays within the site and has neither TLS nor login";
            return Err(ConfigError::new(key(name), "set for protocol = \"lmtp\"", expected));
        }
        let wrong = |expected: &str| {
            Err(ConfigError::new(key("address"), format_args!("{:?}", self.address), expected))
        };
        if let Some(path) = self.address.strip_prefix(UNIX) {
            return match path.starts_with('/') && !path.contains('\0') {
                true => Ok(LmtpTarget { socket: LmtpSocket::Unix(path.into()) }),
                false => wrong("an absolute path behind \"unix:\", such as \"unix:/run/lmtp\""),
            };
        }
        match host_and_port(&self.address, 0) {
            Some((_, 25)) => wrong("a port other than 25, which is for SMTP (RFC 2033 section 5)"),
            Some((host, port)) if port != 0 => {
                Ok(LmtpTarget { socket: LmtpSocket::Tcp { host, port } })
            }
            _ => wrong("\"unix:/path\" or \"host:port\", such as \"127.0.0.1:24\""),
        }
    }

    /// What it has in common with `[relay.next_hop]`.
    fn as_next_hop(&self) -> NextHopConfig {
        let login = self.login.clone().unwrap_or_default();
        NextHopConfig {
            address: self.address.clone(),
            tls: self.tls,
            ca_file: self.ca_file.clone(),
            fingerprints: self.fingerprints.clone(),
            client_certificate: self.client_certificate.clone(),
            client_key: self.client_key.clone(),
            username: self.login.is_some().then_some(login.username),
            password_file: login.password_file,
            password_env: login.password_env,
            cleartext_login: login.cleartext,
        }
    }

    /// Its paths made absolute.
    pub(super) fn relative_to(&mut self, base: &Path) {
        let login = self.login.as_mut().map(|login| &mut login.password_file);
        let mut paths = vec![&mut self.ca_file, &mut self.client_certificate, &mut self.client_key];
        paths.extend(login);
        for path in paths.into_iter().flatten() {
            *path = base.join(&*path);
        }
    }
}
