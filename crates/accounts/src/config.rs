//! `[[accounts.source]]`: which places accounts come from, in the order in which they are asked.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use address::Domain;
use auth::{
    AccountSource, AccountsConfig, Clock, ConfigError, MaildirTemplate, PasswdSource, WeakSchemes,
};
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};

/// What all sources need to know.
#[derive(Clone)]
pub struct Common {
    /// Completes a login without a domain.
    pub default_domain: Option<Domain>,
    /// Where Maildirs lie: `accounts.maildir`.
    pub maildir: MaildirTemplate,
    /// The weak schemes that may be verified: `auth.weak_schemes`.
    pub weak_schemes: WeakSchemes,
    /// For pauses and ages.
    pub clock: Arc<dyn Clock>,
    /// Where the service keeps what is its own.
    pub state_directory: PathBuf,
}

/// The kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// A file in Dovecot's passwd format.
    PasswdFile,
    /// A database file of our own.
    Sqlite,
    /// A PostgreSQL server.
    Postgresql,
    /// A MySQL or MariaDB server.
    Mysql,
    /// A directory.
    Ldap,
    /// A service of the provider's own.
    Http,
}

impl SourceKind {
    /// As it is written in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PasswdFile => "passwd-file",
            Self::Sqlite => "sqlite",
            Self::Postgresql => "postgresql",
            Self::Mysql => "mysql",
            Self::Ldap => "ldap",
            Self::Http => "http",
        }
    }
}

/// `[[accounts.source]]`: one source, with one table for the settings of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// What it is called in the log: 1 to 32 letters, digits, hyphens and underscores, each
    /// name once.
    pub name: String,
    /// `passwd-file`, `sqlite`, `postgresql`, `mysql`, `ldap` or `http`.
    pub kind: SourceKind,
    /// `[accounts.source.passwd_file]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passwd_file: Option<PasswdFileConfig>,
    /// `[accounts.source.sqlite]`.
    #[cfg(feature = "sqlite")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlite: Option<crate::sqlite::SqliteConfig>,
    /// `[accounts.source.postgresql]`.
    #[cfg(feature = "postgresql")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgresql: Option<crate::sql::SqlConfig>,
    /// `[accounts.source.mysql]`.
    #[cfg(feature = "mysql")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mysql: Option<crate::sql::SqlConfig>,
    /// `[accounts.source.ldap]`.
    #[cfg(feature = "ldap")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldap: Option<crate::ldap::LdapConfig>,
    /// `[accounts.source.http]`.
    #[cfg(feature = "http")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<crate::http::HttpConfig>,
}

/// `[accounts.source.passwd_file]`: a file in Dovecot's passwd format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PasswdFileConfig {
    /// The file. A relative path counts from the directory of the configuration file.
    pub path: PathBuf,
    /// How often it is looked at for changes; "0s" reads it again only on a reload.
    #[serde(with = "duration")]
    pub check_every: Duration,
}

impl Default for PasswdFileConfig {
    fn default() -> Self {
        let AccountsConfig { passwd_file, check_every, .. } = AccountsConfig::default();
        Self { path: passwd_file, check_every }
    }
}

/// A source that cannot be set up: which key is wrong, how, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}; expected {expected}")]
pub struct AccountsSetupError {
    /// The key, with its section.
    pub key: String,
    /// What is wrong with the value, or with what it names; no secrets.
    pub problem: String,
    /// What should stand there.
    pub expected: String,
}

impl AccountsSetupError {
    pub(crate) fn new(
        key: impl Into<String>,
        problem: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), problem: problem.into(), expected: expected.into() }
    }
}

impl AccountsSetupError {
    /// The same with the number of the source, from 0, in the key.
    pub(crate) fn of_source(mut self, position: usize) -> Self {
        if let Some(rest) = self.key.strip_prefix("accounts.source.") {
            self.key = format!("accounts.source[{position}].{rest}");
        }
        self
    }
}

impl From<ConfigError> for AccountsSetupError {
    fn from(error: ConfigError) -> Self {
        Self::new(error.key, error.problem, error.expected)
    }
}

impl SourceConfig {
    /// A source of this kind without settings.
    #[must_use]
    pub fn new(name: &str, kind: SourceKind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            passwd_file: None,
            #[cfg(feature = "sqlite")]
            sqlite: None,
            #[cfg(feature = "postgresql")]
            postgresql: None,
            #[cfg(feature = "mysql")]
            mysql: None,
            #[cfg(feature = "ldap")]
            ldap: None,
            #[cfg(feature = "http")]
            http: None,
        }
    }

    /// The same with relative paths counted from `directory`.
    #[must_use]
    pub fn relative_to(mut self, directory: &Path) -> Self {
        if let Some(file) = &mut self.passwd_file {
            file.path = directory.join(&file.path);
        }
        #[cfg(feature = "sqlite")]
        {
            self.sqlite = self.sqlite.map(|config| config.relative_to(directory));
        }
        #[cfg(feature = "postgresql")]
        {
            self.postgresql = self.postgresql.map(|config| config.relative_to(directory));
        }
        #[cfg(feature = "mysql")]
        {
            self.mysql = self.mysql.map(|config| config.relative_to(directory));
        }
        #[cfg(feature = "ldap")]
        {
            self.ldap = self.ldap.map(|config| config.relative_to(directory));
        }
        #[cfg(feature = "http")]
        {
            self.http = self.http.map(|config| config.relative_to(directory));
        }
        self
    }

    /// The sources in their order. Blocks: see [`Self::open`].
    ///
    /// # Errors
    /// What is wrong with the first one that is wrong; two of one name are.
    pub fn open_all(
        sources: &[Self],
        common: &Common,
    ) -> Result<Vec<Arc<dyn AccountSource>>, AccountsSetupError> {
        for (position, source) in sources.iter().enumerate() {
            if sources.iter().take(position).any(|other| other.name == source.name) {
                let problem = format!("{:?} stands there twice", source.name);
                let key = "accounts.source.name";
                return Err(AccountsSetupError::new(key, problem, "each name once"));
            }
        }
        let open = |(position, source): (usize, &Self)| {
            source.open(common).map_err(|error| error.of_source(position))
        };
        sources.iter().enumerate().map(open).collect()
    }

    /// Checks the name, and that the table is that of the kind. The settings of the kind are
    /// checked when it is opened.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), AccountsSetupError> {
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if self.name.is_empty() || self.name.len() > 32 || !self.name.chars().all(named) {
            let shown: String = self.name.chars().take(64).collect();
            return Err(AccountsSetupError::new(
                "accounts.source.name",
                format!("{shown:?} is no name"),
                "1 to 32 letters, digits, hyphens and underscores",
            ));
        }
        for (table, there) in self.tables() {
            if there && table != self.table() {
                return Err(AccountsSetupError::new(
                    format!("accounts.source.{table}"),
                    format!("the source {:?} is of the kind {:?}", self.name, self.kind.as_str()),
                    format!("[accounts.source.{}], or another kind", self.table()),
                ));
            }
        }
        Ok(())
    }

    /// The name of the table with the settings of its kind.
    fn table(&self) -> &'static str {
        match self.kind {
            SourceKind::PasswdFile => "passwd_file",
            other => other.as_str(),
        }
    }

    /// Which tables there are.
    fn tables(&self) -> Vec<(&'static str, bool)> {
        vec![
            ("passwd_file", self.passwd_file.is_some()),
            #[cfg(feature = "sqlite")]
            ("sqlite", self.sqlite.is_some()),
            #[cfg(feature = "postgresql")]
            ("postgresql", self.postgresql.is_some()),
            #[cfg(feature = "mysql")]
            ("mysql", self.mysql.is_some()),
            #[cfg(feature = "ldap")]
            ("ldap", self.ldap.is_some()),
            #[cfg(feature = "http")]
            ("http", self.http.is_some()),
        ]
    }

    /// The source. Blocks: reads files, certificates and secrets. Servers are not asked yet: a
    /// service starts while they are down.
    ///
    /// # Errors
    /// The first setting that cannot be obeyed.
    pub fn open(&self, common: &Common) -> Result<Arc<dyn AccountSource>, AccountsSetupError> {
        self.check()?;
        match self.kind {
            SourceKind::PasswdFile => self.open_passwd_file(common),
            #[cfg(feature = "sqlite")]
            SourceKind::Sqlite => {
                let config = self.sqlite.clone().unwrap_or_default();
                Ok(Arc::new(crate::sqlite::SqliteAccounts::open(&self.name, &config, common)?))
            }
            #[cfg(feature = "postgresql")]
            SourceKind::Postgresql => {
                let config = self.postgresql.clone().unwrap_or_default();
                crate::sql::open_postgresql(&self.name, &config, common)
            }
            #[cfg(feature = "mysql")]
            SourceKind::Mysql => {
                let config = self.mysql.clone().unwrap_or_default();
                crate::sql::open_mysql(&self.name, &config, common)
            }
            #[cfg(feature = "ldap")]
            SourceKind::Ldap => {
                let config = settings(self.ldap.as_ref(), "ldap")?;
                Ok(Arc::new(crate::ldap::LdapSource::open(&self.name, config, common)?))
            }
            #[cfg(feature = "http")]
            SourceKind::Http => {
                let config = settings(self.http.as_ref(), "http")?;
                Ok(Arc::new(crate::http::HttpSource::open(&self.name, config, common)?))
            }
            #[allow(unreachable_patterns, reason = "reachable where a feature is off")]
            other => Err(AccountsSetupError::new(
                "accounts.source.kind",
                format!("this program was built without {:?}", other.as_str()),
                format!("a build with the feature {:?} of the crate accounts", other.as_str()),
            )),
        }
    }

    fn open_passwd_file(
        &self,
        common: &Common,
    ) -> Result<Arc<dyn AccountSource>, AccountsSetupError> {
        let PasswdFileConfig { path, check_every } = self.passwd_file.clone().unwrap_or_default();
        let config = AccountsConfig {
            passwd_file: path,
            default_domain: common
                .default_domain
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            maildir: common.maildir.to_string(),
            check_every,
            weak_schemes: common.weak_schemes,
        };
        let source = PasswdSource::load(&self.name, &config).map_err(|error| {
            let key = "accounts.source.passwd_file.path";
            AccountsSetupError::new(key, error.to_string(), "a file in passwd format")
        })?;
        Ok(Arc::new(source))
    }
}

/// The table of a kind that cannot do without one.
#[cfg(any(feature = "ldap", feature = "http"))]
fn settings<'a, T>(table: Option<&'a T>, name: &str) -> Result<&'a T, AccountsSetupError> {
    table.ok_or_else(|| {
        AccountsSetupError::new(
            format!("accounts.source.{name}"),
            "the table is missing",
            format!("[accounts.source.{name}] behind the [[accounts.source]] that it belongs to"),
        )
    })
}
