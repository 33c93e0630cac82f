//! `lastpost.toml`: each room's section is defined and checked by the room itself; this
//! module only puts them together.

mod accounts;
mod diagnose;
mod resolve;
mod retired;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use diagnose::{ConfigError, parse, read};
pub use retired::warn_of_retired_files;

/// The whole of `lastpost.toml`, relative paths already resolved against its directory.
#[derive(Debug)]
pub struct Config {
    /// The file that it was read from.
    pub file: PathBuf,
    /// The text of the file, for messages that point into it.
    pub source: String,
    /// The name by which the daemons greet.
    pub hostname: String,
    /// Where the daemons keep what is not mail: control token, last logins.
    pub data_directory: PathBuf,
    /// Whether a crash may leave a core file, in which passwords and mail can be read.
    pub core_dumps: bool,
    /// Certificate and key.
    pub tls: Option<netio::TlsConfig>,
    /// Where the accounts come from.
    pub accounts: ::accounts::AccountsSection,
    /// How passwords are verified.
    pub auth: auth::AuthConfig,
    /// Whose tokens are taken for passwords.
    pub oauth: Option<oauth::OAuthConfig>,
    /// The POP3 daemon.
    pub pop3: pop3d::Pop3Config,
    /// The submission daemon.
    pub submission: submissiond::SubmissionConfig,
    /// Whose messages are signed.
    pub dkim: dkim::DkimConfig,
    /// The queue on disk.
    pub spool: spool::SpoolConfig,
    /// Next hop and local delivery.
    pub relay: relay::RelayConfig,
    /// What accounts and addresses may send; without the section, as much as they like.
    pub limits: Option<limits::LimitsConfig>,
    /// Milters and policy services.
    pub filter: filter::FilterConfig,
    /// The control side.
    pub control: ControlConfig,
    /// What is logged, and how.
    pub log: LogConfig,
}

/// `[control]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlConfig {
    /// Loopback address of the control side of `lastpost serve` and `lastpost-submissiond`;
    /// without it the daemon takes no commands.
    pub listen: Option<SocketAddr>,
    /// The same for `lastpost-pop3d`, which runs beside the submission daemon.
    pub listen_pop3d: Option<SocketAddr>,
    /// File with the token; made at the first start. Default: `control.token` in the data
    /// directory.
    pub token_file: Option<PathBuf>,
}

/// `[log]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `text` (key=value) or `json`.
    pub format: LogFormat,
    /// A filter such as `info` or `warn,lastpost::auth=debug`. Default: `info`.
    pub filter: Option<String>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line of `key=value` per event.
    #[default]
    Text,
    /// One JSON object per event.
    Json,
}

/// The file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    hostname: String,
    data_directory: PathBuf,
    #[serde(default)]
    core_dumps: bool,
    tls: Option<netio::TlsConfig>,
    accounts: ::accounts::AccountsSection,
    #[serde(default)]
    auth: auth::AuthConfig,
    oauth: Option<oauth::OAuthConfig>,
    #[serde(default)]
    pop3: pop3d::Pop3Config,
    #[serde(default)]
    submission: submissiond::SubmissionConfig,
    #[serde(default)]
    dkim: dkim::DkimConfig,
    spool: spool::SpoolConfig,
    relay: relay::RelayConfig,
    limits: Option<limits::LimitsConfig>,
    #[serde(default)]
    filter: filter::FilterConfig,
    #[serde(default)]
    control: ControlConfig,
    #[serde(default)]
    log: LogConfig,
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let (raw, source): (Raw, String) = read(file)?;
        raw.resolve(file, source)
    }

    /// The file in which the control token lies.
    #[must_use]
    pub fn control_token_file(&self) -> PathBuf {
        self.control.token_file.clone().unwrap_or_else(|| self.data_directory.join("control.token"))
    }

    /// A mistake at `key` of this file.
    #[must_use]
    pub fn mistake(&self, key: &str, message: impl Into<String>) -> ConfigError {
        ConfigError::at_key(&self.file, &self.source, key, message)
    }
}
