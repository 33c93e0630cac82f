//! `[accounts.source.postgresql]` and `[accounts.source.mysql]`: where the server is and what it
//! is asked.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use auth::SecretSource;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use netio::{PeerName, TlsClient, Trust};
use sasl::Secret;
use serde::{Deserialize, Serialize};

use super::dialect::Dialect;
use super::query::{Query, Use};
use crate::AccountsSetupError;

/// Whether the way to the server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SqlTls {
    /// TLS, and the server's certificate must be for its name.
    #[default]
    Verify,
    /// TLS with whoever answers: protects against those who listen, not against impostors.
    Require,
    /// None. Hashes and addresses are sent in clear.
    Off,
}

/// `[accounts.source.postgresql]` and `[accounts.source.mysql]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqlConfig {
    /// The server: `host`, `host:port`, or the path of its socket or of the directory with it.
    /// Empty: the socket of the machine's own server.
    pub server: String,
    /// The database.
    pub database: String,
    /// The user of the database.
    pub user: String,
    /// File with the user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Environment variable with the user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// Name of the systemd credential with the user's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_credential: Option<String>,
    /// `verify`, `require` or `off`; a socket on this machine never has TLS.
    pub tls: SqlTls,
    /// PEM file of the authorities that the server's certificate is checked against. Empty:
    /// those of the system.
    pub ca_file: PathBuf,
    /// How many connections there are at most, 1 to 256.
    pub connections: usize,
    /// The longest that it may take to connect, such as "2s".
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// The longest that a query may take, and that it may wait for a connection, such as "2s".
    #[serde(with = "duration")]
    pub query_timeout: Duration,
    /// `[accounts.source.….queries]`.
    pub queries: SqlQueries,
}

impl Default for SqlConfig {
    fn default() -> Self {
        Self {
            server: String::new(),
            database: "lastpost".to_owned(),
            user: "lastpost".to_owned(),
            password_file: None,
            password_env: None,
            password_credential: None,
            tls: SqlTls::Verify,
            ca_file: PathBuf::new(),
            connections: 8,
            connect_timeout: Duration::from_secs(2),
            query_timeout: Duration::from_secs(2),
            queries: SqlQueries::default(),
        }
    }
}

/// `[accounts.source.….queries]`: what the server is asked. All empty: what fits the tables
/// that the documentation recommends. Values come only by placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqlQueries {
    /// The account of a login: `:login`, `:user`, `:domain`.
    pub account: String,
    /// The accounts that own an address, those first whose primary one it is: `:address`,
    /// `:user`, `:domain`. Empty, beside an `account` of your own: nobody owns addresses here.
    pub owners: String,
    /// The accounts behind one, in the order of their logins: `:after`, `:limit`. Empty, beside
    /// an `account` of your own: they cannot be listed.
    pub page: String,
    /// Another hash in the place of an old one: `:login`, `:old`, `:new`. Empty, beside an
    /// `account` of your own: hashes are never upgraded.
    pub update: String,
}

/// The configuration, understood.
pub(super) struct Plan {
    pub(super) place: Place,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) password: Option<Secret>,
    pub(super) connections: usize,
    pub(super) connect_timeout: Duration,
    pub(super) query_timeout: Duration,
    pub(super) account: Query,
    pub(super) owners: Option<Query>,
    pub(super) page: Option<Query>,
    pub(super) update: Option<Query>,
    pub(super) warnings: Vec<String>,
}

/// Where the server listens.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Unix(PathBuf),
    Tcp { host: String, port: u16, tls: Option<(TlsClient, PeerName)> },
}

const SERVER_EXPECTED: &str =
    "\"host\", \"host:port\", \"[address]:port\", or the absolute path of a socket";

impl SqlConfig {
    /// The same with relative paths counted from `directory`.
    #[must_use]
    pub fn relative_to(mut self, directory: &Path) -> Self {
        if !self.ca_file.as_os_str().is_empty() {
            self.ca_file = directory.join(self.ca_file);
        }
        self.password_file = self.password_file.map(|path| directory.join(path));
        self
    }

    /// Checks every value, and reads the password and the authorities.
    pub(super) fn plan(&self, dialect: Dialect) -> Result<Plan, AccountsSetupError> {
        let fail = |key: &str, problem: String, expected: &str| {
            Err(AccountsSetupError::new(format!("{}.{key}", dialect.table()), problem, expected))
        };
        for (key, value) in [("database", &self.database), ("user", &self.user)] {
            if value.is_empty() || value.len() > 128 || value.contains('\0') {
                return fail(key, format!("{value:?} is no name"), "1 to 128 octets without NUL");
            }
        }
        if !(1..=256).contains(&self.connections) {
            let problem = format!("{} is out of range", self.connections);
            return fail("connections", problem, "1 to 256");
        }
        let range = Duration::from_millis(50)..=Duration::from_secs(60);
        for (key, value) in
            [("connect_timeout", self.connect_timeout), ("query_timeout", self.query_timeout)]
        {
            if !range.contains(&value) {
                return fail(key, format!("{value:?} is out of range"), "\"50ms\" to \"60s\"");
            }
        }
        let (file, env) = (self.password_file.as_deref(), self.password_env.as_deref());
        let credential = self.password_credential.as_deref();
        let secret = SecretSource::choose(dialect.password_key(), file, env, credential)?;
        let mut warnings = Vec::new();
        let place = self.place(dialect, &mut warnings)?;
        let own = !self.queries.account.is_empty();
        if !own && self.queries != SqlQueries::default() {
            let expected = "the query for the account of a login beside the other queries";
            return fail("queries.account", "it is missing".to_owned(), expected);
        }
        let query = |text: &str, purpose: Use| match (text, own) {
            ("", true) => Ok(None),
            ("", false) => Query::parse(&dialect.query(purpose), purpose, dialect).map(Some),
            (text, _) => Query::parse(text, purpose, dialect).map(Some),
        };
        let account = match own {
            true => Query::parse(&self.queries.account, Use::Account, dialect)?,
            false => Query::parse(&dialect.query(Use::Account), Use::Account, dialect)?,
        };
        Ok(Plan {
            place,
            database: self.database.clone(),
            user: self.user.clone(),
            password: secret.map(|secret| secret.read()).transpose()?,
            connections: self.connections,
            connect_timeout: self.connect_timeout,
            query_timeout: self.query_timeout,
            account,
            owners: query(&self.queries.owners, Use::Owners)?,
            page: query(&self.queries.page, Use::Page)?,
            update: query(&self.queries.update, Use::Update)?,
            warnings,
        })
    }

    fn place(
        &self,
        dialect: Dialect,
        warnings: &mut Vec<String>,
    ) -> Result<Place, AccountsSetupError> {
        let key = |key: &str| format!("{}.{key}", dialect.table());
        let server = if self.server.is_empty() { dialect.server() } else { &self.server };
        if server.starts_with('/') {
            let path = PathBuf::from(server);
            let named = path.extension().is_some()
                || path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".s."));
            return Ok(Place::Unix(if named { path } else { path.join(dialect.socket()) }));
        }
        let wrong = || {
            let problem = format!("{server:?} is no server");
            AccountsSetupError::new(key("server"), problem, SERVER_EXPECTED)
        };
        let (host, port) = split_port(server).ok_or_else(wrong)?;
        let peer = PeerName::parse(host).ok_or_else(wrong)?;
        let trust = match self.tls {
            SqlTls::Off => {
                let here = host == "localhost"
                    || host.parse::<std::net::IpAddr>().is_ok_and(|host| host.is_loopback());
                if !here {
                    warnings.push(format!(
                        "{}: hashes and addresses are sent to {host} in clear",
                        key("tls")
                    ));
                }
                None
            }
            SqlTls::Require => Some(Trust::Anybody),
            SqlTls::Verify if self.ca_file.as_os_str().is_empty() => Some(Trust::System),
            SqlTls::Verify => Some(Trust::File(self.ca_file.clone())),
        };
        let tls = trust.map(|trust| TlsClient::new(&trust, &[])).transpose().map_err(|error| {
            let expected = "a PEM file with certificates, or \"\" for those of the system";
            AccountsSetupError::new(key("ca_file"), error.to_string(), expected)
        })?;
        Ok(Place::Tcp {
            host: host.to_owned(),
            port: port.unwrap_or_else(|| dialect.port()),
            tls: tls.map(|tls| (tls, peer)),
        })
    }
}

fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let port = |digits: &str| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|port| plain && *port > 0)
    };
    match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => Some((host, None)),
        Some((host, rest)) => Some((host, Some(port(rest.strip_prefix(':')?)?))),
        None => match text.split_once(':') {
            Some((host, digits)) => Some((host, Some(port(digits)?))),
            None => Some((text, None)),
        },
    }
}
