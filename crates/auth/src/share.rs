//! What one authenticator tells others of failed logins, and where the others are: `[auth.share]`.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::attack::BlockReason;
use crate::{ConfigError, HashError};

/// Octets of the key under which names are digested.
pub const SHARE_KEY_OCTETS: usize = 32;

/// Tells other daemons and hosts. Behind it are a socket or a server, none of which this crate
/// knows.
pub trait FailureShare: Send + Sync {
    /// Takes `event` for sending. Never waits: what cannot be taken is counted and lost, for
    /// failures are many and each is of little weight.
    fn publish(&self, event: FailureEvent);
}

/// Something that happened at one of several authenticators. Names of accounts are in it as
/// [`AccountTag`]s alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureEvent {
    /// How long ago it happened. A duration, so that no two clocks need to agree.
    pub age: Duration,
    /// What happened.
    pub happening: Happening,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A login failed, and it was not the repetition of an earlier failure.
    Failed {
        /// From where; nothing if the address may be many people's.
        client: Option<IpAddr>,
        /// At which account, whether or not it exists; nothing if it cannot exist.
        account: Option<AccountTag>,
    },
    /// Somebody logged in to this account from this address, where he had not lately.
    Succeeded {
        /// From where.
        client: IpAddr,
        /// The account.
        account: AccountTag,
    },
    /// A network was blocked.
    Blocked {
        /// An address, or an IPv4 /24, IPv6 /64 or /48.
        network: IpNet,
        /// For so long, from then on.
        period: Duration,
        /// The how manieth block in a row it is, from 1.
        strikes: u32,
        /// Why.
        reason: BlockReason,
    },
    /// An account was found to be attacked from many networks.
    Attacked {
        /// The account.
        account: AccountTag,
        /// For how long it is protected, from then on.
        period: Duration,
    },
    /// An admin forgave a network, and all within it.
    NetworkForgiven {
        /// The network.
        network: IpNet,
    },
    /// An admin forgave what was counted for an account.
    AccountForgiven {
        /// The account.
        account: AccountTag,
    },
}

/// A keyed digest of an account's name: equal on all hosts that have the same key, and nothing
/// to whoever has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountTag(pub u64);

/// The key under which names are digested: HMAC-SHA256 (RFC 2104). Prints nothing of itself.
#[derive(Clone)]
pub struct ShareKey(Hmac<Sha256>);

impl ShareKey {
    /// A key of these octets.
    ///
    /// # Errors
    /// Never in practice: HMAC takes a key of any length.
    pub fn new(octets: &[u8; SHARE_KEY_OCTETS]) -> Result<Self, HashError> {
        Hmac::new_from_slice(octets).map(Self).map_err(|_| HashError::NoRandomness)
    }

    /// The digest of a name.
    #[must_use]
    pub fn tag(&self, name: &str) -> AccountTag {
        let digest = self.digest(&[b"account", name.as_bytes()]);
        AccountTag(digest.first_chunk().copied().map_or(0, u64::from_be_bytes))
    }

    /// The digest of `parts`, each with its length.
    #[must_use]
    pub fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for ShareKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShareKey(..)")
    }
}

/// `[auth.share]`: with whom failures are shared. The daemons of one host share them anyway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShareConfig {
    /// The server through which hosts share them, such as `redis://host:port/db` or
    /// `unix:///path/of/socket`. Without it each host is alone.
    pub url: Option<String>,
    /// A file with the server's password.
    pub password_file: Option<PathBuf>,
    /// The file with the key under which names are digested and messages sealed: the same one on
    /// all hosts. Default: `auth-share.key` in the data directory, made at the first start.
    pub key_file: Option<PathBuf>,
}

impl ShareConfig {
    /// The same with relative paths counted from `directory`.
    #[must_use]
    pub fn relative_to(mut self, directory: &Path) -> Self {
        for path in [&mut self.password_file, &mut self.key_file].into_iter().flatten() {
            *path = directory.join(&*path);
        }
        self
    }

    /// Checks what can be checked without looking at files or servers.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.url.is_none() && self.password_file.is_some() {
            return Err(ConfigError {
                key: "auth.share.password_file",
                problem: "there is a password and no server".to_owned(),
                expected: "auth.share.url beside it",
            });
        }
        Ok(())
    }
}
