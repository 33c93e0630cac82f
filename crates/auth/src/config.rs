//! The configuration sections `[accounts]` and `[auth]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use address::Domain;
use ipnet::IpNet;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};

use crate::{
    Argon2Params, AttackConfig, HashRecipe, MasterConfig, SaslConfig, Scheme, ShareConfig,
    WeakSchemes,
};

/// `[accounts]`: where the accounts come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountsConfig {
    /// The table of accounts, in Dovecot's passwd-file format. A relative path counts from the
    /// directory of the configuration file.
    pub passwd_file: PathBuf,
    /// The domain that a login name without `@` is completed with. Empty: it stays bare, and
    /// the account must state its `addresses=`.
    pub default_domain: String,
    /// Where an account's Maildir lies unless its line says `maildir=`. `%h` is the home field
    /// of the line, `%u` the whole login, `%n` its part before the `@`, `%d` its domain.
    pub maildir: String,
    /// How often the table is looked at for changes, such as "5s"; "0s" reads it again only
    /// on a reload.
    #[serde(with = "duration")]
    pub check_every: Duration,
    /// The weak schemes that accounts may have: what `auth.weak_schemes` says.
    #[serde(skip)]
    pub weak_schemes: WeakSchemes,
}

impl Default for AccountsConfig {
    fn default() -> Self {
        Self {
            passwd_file: PathBuf::from("/etc/lastpost/passwd"),
            default_domain: String::new(),
            maildir: "%h/Maildir".to_owned(),
            check_every: Duration::from_secs(5),
            weak_schemes: WeakSchemes::default(),
        }
    }
}

impl AccountsConfig {
    /// The same with a relative `passwd_file` counted from `directory`.
    #[must_use]
    pub fn relative_to(mut self, directory: &Path) -> Self {
        self.passwd_file = directory.join(self.passwd_file);
        self
    }

    /// The default domain as a type.
    ///
    /// # Errors
    /// If it is set and is not a domain name.
    pub fn domain(&self) -> Result<Option<Domain>, ConfigError> {
        if self.default_domain.is_empty() {
            return Ok(None);
        }
        Domain::parse(&self.default_domain).map(Some).map_err(|e| ConfigError {
            key: "accounts.default_domain",
            problem: format!("{:?}: {e}", self.default_domain),
            expected: "a domain name such as \"example.net\", or \"\"",
        })
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.domain()?;
        if self.passwd_file.as_os_str().is_empty() {
            return Err(ConfigError {
                key: "accounts.passwd_file",
                problem: "it is empty".to_owned(),
                expected: "the path of a file in passwd format",
            });
        }
        crate::MaildirTemplate::parse(&self.maildir)?;
        if !self.check_every.is_zero() && self.check_every < Duration::from_millis(100) {
            return Err(ConfigError {
                key: "accounts.check_every",
                problem: format!("{:?} is too short", self.check_every),
                expected: "\"0s\", or at least \"100ms\"",
            });
        }
        Ok(())
    }
}

/// `[auth]`: how passwords are verified, and how failures are slowed down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// Memory of a new argon2id hash in KiB.
    pub argon2_memory_kib: u32,
    /// Passes of a new argon2id hash.
    pub argon2_passes: u32,
    /// The scheme that new hashes have, and into which older ones are turned with the next
    /// login. Empty: new hashes are ARGON2ID, and older ones stay as they are.
    pub upgrade_to: String,
    /// The weak schemes that accounts may have.
    pub weak_schemes: WeakSchemes,
    /// How many passwords are hashed at the same time; 0: one per core.
    pub verify_threads: usize,
    /// How many attempts may wait for a hash. The next one is asked to come back later.
    pub verify_queue: usize,
    /// Memory in MiB that all hashes together may take at one time. A hash that alone needs more
    /// is computed while no other is.
    pub verify_memory: usize,
    /// How long a verified password is remembered (as a keyed digest, in memory alone); "0s"
    /// hashes at each login.
    #[serde(with = "duration")]
    pub cache_ttl: Duration,
    /// How many verified passwords are remembered.
    pub cache_entries: usize,
    /// How long the answer to a first failed login is held back. It doubles with each further
    /// failure from the same network or for the same account; "0s" never waits.
    #[serde(with = "duration")]
    pub failure_delay: Duration,
    /// The longest that an answer is held back.
    #[serde(with = "duration")]
    pub failure_delay_max: Duration,
    /// The time after which half of the failures are forgotten.
    #[serde(with = "duration")]
    pub failure_half_life: Duration,
    /// How many networks, and how many accounts, failures are counted for; beyond it those
    /// seen longest ago are forgotten.
    pub failure_entries: usize,
    /// Networks whose failures are counted per account alone: webmail hosts, and others that
    /// log in for many customers.
    pub shared_networks: Vec<IpNet>,
    /// Where a customer changes a password that must be changed; said to him at the login.
    pub must_change_url: String,
    /// `[auth.master]`.
    pub master: MasterConfig,
    /// `[auth.attack]`.
    pub attack: AttackConfig,
    /// `[auth.share]`.
    pub share: ShareConfig,
    /// `[auth.sasl]`.
    pub sasl: SaslConfig,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            argon2_memory_kib: 19 * 1024,
            argon2_passes: 2,
            upgrade_to: String::new(),
            weak_schemes: WeakSchemes::default(),
            verify_threads: 0,
            verify_queue: 256,
            verify_memory: 1024,
            cache_ttl: Duration::from_secs(5 * 60),
            cache_entries: 100_000,
            failure_delay: Duration::from_millis(500),
            failure_delay_max: Duration::from_secs(15),
            failure_half_life: Duration::from_secs(5 * 60),
            failure_entries: 100_000,
            shared_networks: Vec::new(),
            must_change_url: String::new(),
            master: MasterConfig::default(),
            attack: AttackConfig::default(),
            share: ShareConfig::default(),
            sasl: SaslConfig::default(),
        }
    }
}

impl AuthConfig {
    /// The cost of new hashes.
    ///
    /// # Errors
    /// If it is below what argon2 needs or above what this crate would verify.
    pub fn argon2(&self) -> Result<Argon2Params, ConfigError> {
        Argon2Params::new(self.argon2_memory_kib, self.argon2_passes, 1).map_err(|e| ConfigError {
            key: "auth.argon2_memory_kib and auth.argon2_passes",
            problem: e.to_string(),
            expected: "for example 19456 and 2",
        })
    }

    /// How new hashes are made.
    ///
    /// # Errors
    /// If `upgrade_to` is no scheme for new hashes, or the cost of argon2id out of range.
    pub fn new_hashes(&self) -> Result<HashRecipe, ConfigError> {
        let name = match self.upgrade_to.as_str() {
            "" => Scheme::Argon2id.as_str(),
            name => name,
        };
        let wrong = |problem: String| ConfigError {
            key: "auth.upgrade_to",
            problem,
            expected: "\"\", ARGON2ID, BLF-CRYPT, SHA512-CRYPT, YESCRYPT, SCRAM-SHA-256 or \
                       SCRAM-SHA-1",
        };
        let scheme =
            Scheme::by_name(name).ok_or_else(|| wrong(format!("{name:?} is no scheme")))?;
        HashRecipe::new(scheme, self.argon2()?).map_err(|error| wrong(error.to_string()))
    }

    /// Into what older hashes are turned, if they are.
    ///
    /// # Errors
    /// As [`Self::new_hashes`].
    pub fn upgrade(&self) -> Result<Option<HashRecipe>, ConfigError> {
        let recipe = self.new_hashes()?;
        Ok((!self.upgrade_to.is_empty()).then_some(recipe))
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.new_hashes()?;
        self.master.check()?;
        self.attack.check()?;
        self.share.check()?;
        self.sasl.check()?;
        at_most("auth.verify_memory", self.verify_memory, 1, 1 << 20, "1 to 1048576")?;
        at_most("auth.verify_threads", self.verify_threads, 0, 1024, "0 to 1024")?;
        at_most("auth.verify_queue", self.verify_queue, 1, 65_536, "1 to 65536")?;
        at_most("auth.cache_entries", self.cache_entries, 1, 10_000_000, "1 to 10000000")?;
        at_most("auth.failure_entries", self.failure_entries, 16, 10_000_000, "16 to 10000000")?;
        no_longer(
            "auth.cache_ttl",
            self.cache_ttl,
            Duration::from_secs(24 * 60 * 60),
            "0s to 24h",
        )?;
        let most = Duration::from_secs(60);
        no_longer("auth.failure_delay_max", self.failure_delay_max, most, "0s to 60s")?;
        if self.failure_delay > self.failure_delay_max {
            return Err(ConfigError {
                key: "auth.failure_delay",
                problem: format!("{:?} is more than failure_delay_max", self.failure_delay),
                expected: "at most failure_delay_max",
            });
        }
        if self.failure_half_life < Duration::from_secs(1) {
            return Err(ConfigError {
                key: "auth.failure_half_life",
                problem: format!("{:?} is too short", self.failure_half_life),
                expected: "at least \"1s\"",
            });
        }
        no_longer(
            "auth.failure_half_life",
            self.failure_half_life,
            Duration::from_secs(7 * 24 * 60 * 60),
            "1s to 168h",
        )
    }
}

fn at_most(
    key: &'static str,
    value: usize,
    least: usize,
    most: usize,
    expected: &'static str,
) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(ConfigError { key, problem: format!("{value} is out of range"), expected })
}

fn no_longer(
    key: &'static str,
    value: Duration,
    most: Duration,
    expected: &'static str,
) -> Result<(), ConfigError> {
    if value <= most {
        return Ok(());
    }
    Err(ConfigError { key, problem: format!("{value:?} is too long"), expected })
}

/// A value in `[accounts]` or `[auth]` that cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}; expected {expected}")]
pub struct ConfigError {
    /// The key, with its section.
    pub key: &'static str,
    /// What is wrong with the value.
    pub problem: String,
    /// What should stand there.
    pub expected: &'static str,
}

#[cfg(test)]
mod tests;
