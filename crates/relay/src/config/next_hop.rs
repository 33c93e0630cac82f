//! `[relay.next_hop]` and the parts of it that every hop has: address, TLS, login.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use sasl::Secret;
use serde::{Deserialize, Serialize};
use smtp_proto::client::Credentials;

use super::{ConfigError, TlsPolicy};

/// The `[relay.next_hop]` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NextHopConfig {
    /// `host:port`, `192.0.2.1:25` or `[2001:db8::1]:25`. Without a port: 25, or 465 for
    /// implicit TLS. All addresses of a name are tried in turn.
    pub address: String,
    /// `"none"`, `"opportunistic"` (STARTTLS where offered, certificate not checked),
    /// `"dane"` (as the DNS says, RFC 7672; opportunistic where it says nothing), `"required"`
    /// (STARTTLS with a checked certificate, or nothing is sent) or `"implicit"` (TLS from the
    /// first octet, checked).
    #[serde(default)]
    pub tls: TlsPolicy,
    /// PEM file of the authorities that may vouch for the next hop's certificate, instead of
    /// those the system trusts.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// SHA-256 sums of public keys (SubjectPublicKeyInfo), in hexadecimal digits with or without
    /// colons: one of them must be the next hop's, whoever vouches for it. Only with `"required"`
    /// and `"implicit"`.
    #[serde(default)]
    pub fingerprints: Vec<String>,
    /// PEM file of the certificate shown to the next hop. Needs `client_key`.
    #[serde(default)]
    pub client_certificate: Option<PathBuf>,
    /// PEM file of its key.
    #[serde(default)]
    pub client_key: Option<PathBuf>,
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

/// A host that takes mail for others, resolved.
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
    /// SHA-256 of the public keys it may have, if it is held to some.
    pub pins: Vec<[u8; 32]>,
    /// Certificate and key shown to it: PEM files.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// What to authenticate with.
    pub credentials: Option<Credentials>,
}

impl NextHopConfig {
    /// Checks it, and reads the password. Its errors have keys that begin with `next_hop.`.
    pub(super) fn resolve(&self) -> Result<NextHop, ConfigError> {
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
            pins: self.pins()?,
            identity: self.identity()?,
            credentials: self.credentials()?,
        })
    }

    fn pins(&self) -> Result<Vec<[u8; 32]>, ConfigError> {
        let checked = matches!(self.tls, TlsPolicy::Required | TlsPolicy::Implicit);
        if !self.fingerprints.is_empty() && !checked {
            let expected = "tls = \"required\" or \"implicit\" beside them";
            return Err(ConfigError::new("next_hop.fingerprints", "some", expected));
        }
        let pins = self.fingerprints.iter().map(|text| {
            fingerprint(text).ok_or_else(|| {
                let expected = "the 64 hexadecimal digits of a SHA-256 sum";
                ConfigError::new("next_hop.fingerprints", format_args!("{text:?}"), expected)
            })
        });
        pins.collect()
    }

    fn identity(&self) -> Result<Option<(PathBuf, PathBuf)>, ConfigError> {
        let lacks = |key, found: &Path, other| {
            Err(ConfigError::new(key, found.display(), format_args!("{other} beside it")))
        };
        match (&self.client_certificate, &self.client_key) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some((certificate.clone(), key.clone()))),
            (Some(found), None) => lacks("next_hop.client_certificate", found, "client_key"),
            (None, Some(found)) => lacks("next_hop.client_key", found, "client_certificate"),
        }
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

    /// Its paths made absolute.
    pub(super) fn relative_to(&mut self, base: &Path) {
        for path in [
            &mut self.ca_file,
            &mut self.client_certificate,
            &mut self.client_key,
            &mut self.password_file,
        ]
        .into_iter()
        .flatten()
        {
            *path = base.join(&*path);
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

/// 32 octets in hexadecimal digits, with or without colons between them.
fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: String = text.trim().chars().filter(|&c| c != ':').collect();
    if digits.len() != 64 || !digits.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return None;
    }
    let mut sum = [0; 32];
    for (octet, at) in sum.iter_mut().zip((0..64).step_by(2)) {
        *octet = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(sum)
}

/// The host without brackets, and the port.
pub(super) fn host_and_port(text: &str, default: u16) -> Option<(String, u16)> {
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
