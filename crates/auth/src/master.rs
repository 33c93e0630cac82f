//! Master users: the provider's own people, who open a customer's account with a password of
//! their own.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use address::AccountKey;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::passwd_file::HOMELESS;
use crate::{AccountsConfig, AccountsError, ConfigError, Directory};

/// `[auth.master]`: who may open other people's accounts, from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MasterConfig {
    /// A passwd-file with their names and hashes. Empty: there are none.
    pub passwd_file: PathBuf,
    /// What stands between the customer's login and the master's name: `aiko@example.net*help`.
    pub separator: char,
    /// Networks from which they may come. From elsewhere such a login is just an unknown one.
    pub networks: Vec<IpNet>,
}

impl Default for MasterConfig {
    fn default() -> Self {
        Self { passwd_file: PathBuf::new(), separator: '*', networks: Vec::new() }
    }
}

impl MasterConfig {
    /// The same with a relative `passwd_file` counted from `directory`.
    #[must_use]
    pub fn relative_to(mut self, directory: &Path) -> Self {
        if !self.passwd_file.as_os_str().is_empty() {
            self.passwd_file = directory.join(self.passwd_file);
        }
        self
    }

    /// Reads the file, if there is one, and tells what is noteworthy about it. Blocks.
    ///
    /// # Errors
    /// The first thing that is wrong with the file.
    pub fn warnings(&self) -> Result<Vec<String>, AccountsError> {
        Ok(Masters::load(self)?.map_or_else(Vec::new, |masters| masters.warnings()))
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.separator.is_alphanumeric() || matches!(self.separator, '@' | '.' | '-' | '_') {
            return Err(ConfigError {
                key: "auth.master.separator",
                problem: format!("{:?} stands in names", self.separator),
                expected: "a character that no login has, such as \"*\"",
            });
        }
        if !self.passwd_file.as_os_str().is_empty() && self.networks.is_empty() {
            return Err(ConfigError {
                key: "auth.master.networks",
                problem: "it is empty, so that no master user could log in".to_owned(),
                expected: "the networks of your own staff, such as [\"192.0.2.0/24\"]",
            });
        }
        Ok(())
    }
}

/// The master users.
pub(crate) struct Masters {
    pub(crate) directory: Directory,
    separator: char,
    networks: Vec<IpNet>,
}

impl Masters {
    /// Reads their file, if there is one. Blocks.
    pub(crate) fn load(config: &MasterConfig) -> Result<Option<Self>, AccountsError> {
        if config.passwd_file.as_os_str().is_empty() {
            return Ok(None);
        }
        let accounts = AccountsConfig {
            passwd_file: config.passwd_file.clone(),
            // They have no mail of their own; the format wants a place for it.
            maildir: "/nonexistent".to_owned(),
            ..AccountsConfig::default()
        };
        Ok(Some(Self {
            directory: Directory::load(&accounts)?,
            separator: config.separator,
            networks: config.networks.clone(),
        }))
    }

    /// What is noteworthy about the file. They send nothing in their own names, so that addresses
    /// are not missed.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = self.directory.warnings();
        warnings.retain(|warning| !warning.contains(HOMELESS));
        warnings
    }

    /// The customer's login and the master's name, if a master may come from there and the
    /// login has the form of one.
    pub(crate) fn split<'a>(
        &self,
        login: &'a str,
        client: IpAddr,
    ) -> (&'a str, Option<AccountKey>) {
        let split = login.rsplit_once(self.separator);
        let (Some((customer, name)), true) =
            (split, self.networks.iter().any(|network| network.contains(&client)))
        else {
            return (login, None);
        };
        match AccountKey::parse(name, None) {
            Ok(master) => (customer, Some(master)),
            Err(_) => (login, None),
        }
    }

    /// The login that stands for `master` opening the account of `customer`.
    pub(crate) fn join(&self, customer: &str, master: &str) -> String {
        format!("{customer}{}{master}", self.separator)
    }
}
