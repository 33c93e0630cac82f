//! `[accounts]`: one passwd-file, or a chain of sources.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use address::Domain;
use auth::{
    AccountSource, AccountsConfig, Clock, ConfigError, Directory, MaildirTemplate, PasswdSource,
    WeakSchemes,
};
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};

use crate::{AccountsSetupError, Common, SourceConfig};

/// `[accounts]`: where the accounts come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountsSection {
    /// The table of accounts, in Dovecot's passwd-file format, where there is no
    /// `[[accounts.source]]`. A relative path counts from the directory of the configuration
    /// file. Default: `/etc/lastpost/passwd`.
    pub passwd_file: Option<PathBuf>,
    /// The domain that a login name without `@` is completed with. Empty: it stays bare, and
    /// the account must state its addresses.
    pub default_domain: String,
    /// Where an account's Maildir lies unless its record says so. `%h` is its home, `%u` the
    /// whole login, `%n` its part before the `@`, `%d` its domain.
    pub maildir: String,
    /// How often the table is looked at for changes; "0s" reads it again only on a reload.
    #[serde(with = "duration")]
    pub check_every: Duration,
    /// The sources, in the order in which they are asked.
    pub source: Vec<SourceConfig>,
    /// Schemes that `auth.weak_schemes` lets in.
    #[serde(skip)]
    pub weak_schemes: WeakSchemes,
}

impl Default for AccountsSection {
    fn default() -> Self {
        let AccountsConfig { default_domain, maildir, check_every, .. } = AccountsConfig::default();
        Self {
            passwd_file: None,
            default_domain,
            maildir,
            check_every,
            source: Vec::new(),
            weak_schemes: WeakSchemes::default(),
        }
    }
}

impl AccountsSection {
    /// The same with relative paths counted from `directory`.
    #[must_use]
    pub fn relative_to(mut self, directory: &Path) -> Self {
        self.passwd_file = self.passwd_file.map(|file| directory.join(file));
        self.source = self.source.into_iter().map(|source| source.relative_to(directory)).collect();
        self
    }

    /// The one passwd-file that this section speaks of; none where there are sources.
    #[must_use]
    pub fn passwd(&self) -> Option<AccountsConfig> {
        self.source.is_empty().then(|| {
            let AccountsConfig { passwd_file, .. } = AccountsConfig::default();
            AccountsConfig {
                passwd_file: self.passwd_file.clone().unwrap_or(passwd_file),
                default_domain: self.default_domain.clone(),
                maildir: self.maildir.clone(),
                check_every: self.check_every,
                weak_schemes: self.weak_schemes,
            }
        })
    }

    /// The default domain as a type.
    ///
    /// # Errors
    /// If it is set and is not a domain name.
    pub fn domain(&self) -> Result<Option<Domain>, ConfigError> {
        let Self { default_domain, .. } = self.clone();
        AccountsConfig { default_domain, ..AccountsConfig::default() }.domain()
    }

    /// Checks every value. The settings of sources are checked when they are opened.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), AccountsSetupError> {
        if let Some(passwd) = self.passwd() {
            return Ok(passwd.check()?);
        }
        if self.passwd_file.is_some() {
            return Err(AccountsSetupError::new(
                "accounts.passwd_file",
                "it stands beside [[accounts.source]]",
                "one of the two: a source of the kind \"passwd-file\" takes a file into the chain",
            ));
        }
        self.domain()?;
        MaildirTemplate::parse(&self.maildir)?;
        let check = |(position, source): (usize, &SourceConfig)| {
            source.check().map_err(|error| error.of_source(position))
        };
        self.source.iter().enumerate().try_for_each(check)
    }

    /// All accounts. Blocks: reads files, certificates and secrets. Within a tokio runtime;
    /// servers are not asked yet.
    ///
    /// # Errors
    /// The first setting that cannot be obeyed, or what is wrong with a file.
    pub fn open(
        &self,
        clock: Arc<dyn Clock>,
        state_directory: &Path,
    ) -> Result<Directory, AccountsSetupError> {
        let default_domain = self.domain()?;
        let sources = match self.passwd() {
            Some(passwd) => {
                let source = PasswdSource::load("passwd-file", &passwd).map_err(|error| {
                    let expected = "a file in passwd format";
                    AccountsSetupError::new("accounts.passwd_file", error.to_string(), expected)
                })?;
                vec![Arc::new(source) as Arc<dyn AccountSource>]
            }
            None => SourceConfig::open_all(&self.source, &self.common(clock, state_directory)?)?,
        };
        Directory::chain(sources, default_domain).map_err(|error| {
            AccountsSetupError::new("accounts", error.to_string(), "random bytes of the system")
        })
    }

    /// What all sources need to know.
    ///
    /// # Errors
    /// If the default domain or the template of Maildirs is wrong.
    pub fn common(
        &self,
        clock: Arc<dyn Clock>,
        state_directory: &Path,
    ) -> Result<Common, ConfigError> {
        Ok(Common {
            default_domain: self.domain()?,
            maildir: MaildirTemplate::parse(&self.maildir)?,
            weak_schemes: self.weak_schemes,
            clock,
            state_directory: state_directory.to_owned(),
        })
    }
}
