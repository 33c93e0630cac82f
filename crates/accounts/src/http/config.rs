//! `[accounts.source.http]`: where the hook listens, and how it is asked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use auth::SecretSource;
use https::Url;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};

use crate::AccountsSetupError;
use crate::local::is_local;

/// How passwords are verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpMode {
    /// The hook gives the hash, and the password is compared here.
    #[default]
    Lookup,
    /// The hook is sent the password and says yes or no.
    Verify,
}

/// `[accounts.source.http]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Where the hook is: `https://host/path`, or `http://` on this machine.
    pub url: String,
    /// `lookup` (the hook gives hashes) or `verify` (it is sent passwords).
    pub mode: HttpMode,
    /// PEM file of the authorities that the hook's certificate is checked against. Empty: those
    /// of the system.
    pub ca_file: PathBuf,
    /// File with the secret that the hook knows us by: `Authorization: Bearer …`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Environment variable with that secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// Name of the systemd credential with that secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_credential: Option<String>,
    /// The longest that a question may take, such as "2s".
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How many questions are asked at a time.
    pub connections: usize,
    /// Whether the hook can list its accounts.
    pub list: bool,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            mode: HttpMode::Lookup,
            ca_file: PathBuf::new(),
            token_file: None,
            token_env: None,
            token_credential: None,
            timeout: Duration::from_secs(2),
            connections: 16,
            list: false,
        }
    }
}

impl HttpConfig {
    /// The same with relative paths counted from `directory`.
    #[must_use]
    pub fn relative_to(mut self, directory: &Path) -> Self {
        if !self.ca_file.as_os_str().is_empty() {
            self.ca_file = directory.join(self.ca_file);
        }
        self.token_file = self.token_file.map(|path| directory.join(path));
        self
    }

    /// Checks every value, without asking anybody.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), AccountsSetupError> {
        self.parsed_url()?;
        if !(Duration::from_millis(50)..=Duration::from_secs(60)).contains(&self.timeout) {
            return Err(wrong("timeout", format!("{:?}", self.timeout), "50ms to 60s"));
        }
        if !(1..=1024).contains(&self.connections) {
            return Err(wrong("connections", self.connections.to_string(), "1 to 1024"));
        }
        self.token().map(drop)
    }

    pub(super) fn parsed_url(&self) -> Result<Url, AccountsSetupError> {
        Url::parse(&self.url).map_err(|error| {
            let expected = "a URL such as \"https://accounts.example.net/lastpost\"";
            wrong("url", format!("{:?}: {error}", self.url), expected)
        })
    }

    /// Whether what is said to the hook is under TLS, or stays on this machine.
    pub(super) fn is_protected(&self) -> bool {
        let Some(rest) = self.url.split_once("://").map(|(_, rest)| rest) else { return false };
        let authority = rest.split(['/', '?']).next().unwrap_or(rest);
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => host,
            _ => authority,
        };
        !self.url.to_ascii_lowercase().starts_with("http:") || is_local(host)
    }

    pub(super) fn token(&self) -> Result<Option<SecretSource>, AccountsSetupError> {
        Ok(SecretSource::choose(
            "accounts.source.http.token",
            self.token_file.as_deref(),
            self.token_env.as_deref(),
            self.token_credential.as_deref(),
        )?)
    }
}

pub(super) fn wrong(key: &str, problem: String, expected: &str) -> AccountsSetupError {
    AccountsSetupError {
        key: format!("accounts.source.http.{key}"),
        problem,
        expected: expected.to_owned(),
    }
}
