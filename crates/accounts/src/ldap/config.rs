//! `[accounts.source.ldap]`: where the directory is, and what is read from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use auth::SecretSource;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};

use super::attributes::{Attribute, Column};
use super::dn::DnTemplate;
use super::filter::Filter;
use super::message::Scope;
use super::server::{self, Server};
use crate::AccountsSetupError;

/// How passwords are verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LdapMode {
    /// The directory is asked to bind as the entry that was found.
    #[default]
    Bind,
    /// The entry's hash is read and compared here.
    #[serde(alias = "compare")]
    Hash,
}

/// `[accounts.source.ldap]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LdapConfig {
    /// The servers, tried in this order: `ldaps://host`, `ldap://host`, each with or without
    /// `:port`, or `ldapi:///path`.
    pub servers: Vec<String>,
    /// Whether connections to `ldap://` are protected by StartTLS before anything is said.
    pub start_tls: bool,
    /// PEM file of the authorities that servers' certificates are checked against. Empty: those
    /// of the system.
    pub ca_file: PathBuf,
    /// The name that searches are made as. Empty: anonymously.
    pub bind_dn: String,
    /// File with the password of `bind_dn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Environment variable with the password of `bind_dn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// Name of the systemd credential with the password of `bind_dn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_credential: Option<String>,
    /// `bind` (the directory verifies passwords) or `hash` (they are compared here).
    pub mode: LdapMode,
    /// The longest that a question may take, all servers together, such as "2s".
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How many connections are used for searches at a time, and as many again for binds.
    pub connections: usize,
    /// What is searched for.
    pub search: LdapSearch,
    /// Which attribute says what: see [`LdapColumn`](Column).
    pub attributes: BTreeMap<Column, String>,
}

impl Default for LdapConfig {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            start_tls: true,
            ca_file: PathBuf::new(),
            bind_dn: String::new(),
            password_file: None,
            password_env: None,
            password_credential: None,
            mode: LdapMode::Bind,
            timeout: Duration::from_secs(2),
            connections: 4,
            search: LdapSearch::default(),
            attributes: BTreeMap::new(),
        }
    }
}

/// `[accounts.source.ldap.search]`: where entries lie and how they are found. In names and
/// filters `%u` stands for the whole login or address, `%n` for its part before the `@`, `%d`
/// for its domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LdapSearch {
    /// The entry below which to search.
    pub base: String,
    /// `sub` (all below it), `one` (right below it) or `base` (it alone).
    pub scope: Scope,
    /// What finds the entry of a login.
    pub filter: String,
    /// What finds the entries that own an address.
    pub address_filter: String,
    /// The entry below which all accounts are listed. Empty: `base`, if it has no variables.
    pub list_base: String,
    /// What finds all accounts. Empty: they are not listed.
    pub list_filter: String,
}

impl Default for LdapSearch {
    fn default() -> Self {
        Self {
            base: String::new(),
            scope: Scope::Sub,
            filter: String::new(),
            address_filter: "(mail=%u)".to_owned(),
            list_base: String::new(),
            list_filter: String::new(),
        }
    }
}

/// The configuration, understood.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) servers: Vec<Server>,
    pub(super) secret: Option<SecretSource>,
    pub(super) base: DnTemplate,
    pub(super) filter: Filter,
    pub(super) address_filter: Filter,
    /// Base and filter of the list of all accounts.
    pub(super) list: Option<(String, Filter)>,
    pub(super) attributes: Vec<(Column, Attribute)>,
}

/// Most servers of one source.
const SERVERS_MAX: usize = 16;

impl LdapConfig {
    /// The same with relative paths counted from `directory`.
    #[must_use]
    pub fn relative_to(mut self, directory: &Path) -> Self {
        if !self.ca_file.as_os_str().is_empty() {
            self.ca_file = directory.join(self.ca_file);
        }
        self.password_file = self.password_file.map(|path| directory.join(path));
        self
    }

    /// Checks every value, without asking anybody.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), AccountsSetupError> {
        self.plan().map(drop)
    }

    pub(super) fn plan(&self) -> Result<Plan, AccountsSetupError> {
        if !(1..=SERVERS_MAX).contains(&self.servers.len()) {
            let problem = format!("there are {}", self.servers.len());
            return Err(wrong("servers", problem, "1 to 16 of them, such as \"ldaps://host\""));
        }
        let servers = self
            .servers
            .iter()
            .map(|text| Server::parse(text, self.start_tls))
            .collect::<Result<_, _>>()
            .map_err(|problem| wrong("servers", problem, server::EXPECTED))?;
        if !(1..=256).contains(&self.connections) {
            return Err(wrong("connections", self.connections.to_string(), "1 to 256"));
        }
        if !(Duration::from_millis(50)..=Duration::from_secs(60)).contains(&self.timeout) {
            return Err(wrong("timeout", format!("{:?}", self.timeout), "50ms to 60s"));
        }
        let search = &self.search;
        if search.base.is_empty() {
            let expected = "the entry below which accounts lie, such as \"ou=people,dc=example\"";
            return Err(wrong("search.base", "it is empty".to_owned(), expected));
        }
        let base = DnTemplate::parse(&search.base).map_err(|problem| {
            wrong("search.base", problem, "a name such as \"ou=%d,dc=example\"")
        })?;
        let attributes = Attribute::read_all(&self.attributes, self.mode)
            .map_err(|(key, problem)| wrong(key, problem, Attribute::EXPECTED))?;
        Ok(Plan {
            servers,
            secret: self.secret()?,
            list: self.list(&base)?,
            base,
            filter: filter("search.filter", &search.filter)?,
            address_filter: filter("search.address_filter", &search.address_filter)?,
            attributes,
        })
    }

    fn secret(&self) -> Result<Option<SecretSource>, AccountsSetupError> {
        let secret = SecretSource::choose(
            "accounts.source.ldap.password",
            self.password_file.as_deref(),
            self.password_env.as_deref(),
            self.password_credential.as_deref(),
        )?;
        match (&secret, self.bind_dn.is_empty()) {
            (None, false) => Err(wrong(
                "bind_dn",
                "it has no password, and a bind without one is no bind".to_owned(),
                "password_file, password_env or password_credential beside it",
            )),
            (Some(_), true) => Err(wrong(
                "bind_dn",
                "there is a password, and nobody whose it is".to_owned(),
                "the name of an entry beside the password",
            )),
            _ => Ok(secret),
        }
    }

    fn list(&self, base: &DnTemplate) -> Result<Option<(String, Filter)>, AccountsSetupError> {
        let search = &self.search;
        if search.list_filter.is_empty() {
            return Ok(None);
        }
        let found = filter("search.list_filter", &search.list_filter)?;
        let fixed = |name: &DnTemplate| !name.has_variables();
        let list_base = match search.list_base.as_str() {
            "" if fixed(base) => search.base.clone(),
            text if DnTemplate::parse(text).as_ref().is_ok_and(fixed) && !text.is_empty() => {
                text.to_owned()
            }
            text => {
                let expected = "a name without variables: a list is of all accounts";
                return Err(wrong("search.list_base", format!("{text:?}"), expected));
            }
        };
        if found.has_variables() {
            let problem = format!("{:?} has variables", search.list_filter);
            let expected = "a filter that all accounts have in common";
            return Err(wrong("search.list_filter", problem, expected));
        }
        Ok(Some((list_base, found)))
    }
}

fn filter(key: &str, text: &str) -> Result<Filter, AccountsSetupError> {
    Filter::parse(text).map_err(|problem| {
        // The problem says already what was expected.
        match problem.rsplit_once("; expected ") {
            Some((problem, expected)) => wrong(key, problem.to_owned(), expected),
            None => wrong(key, problem, "a filter"),
        }
    })
}

fn wrong(key: &str, problem: String, expected: &str) -> AccountsSetupError {
    AccountsSetupError {
        key: format!("accounts.source.ldap.{key}"),
        problem,
        expected: expected.to_owned(),
    }
}

#[cfg(test)]
mod tests;
