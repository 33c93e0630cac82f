//! The bridge's own configuration file, `pop-before-smtp.toml`.

mod file;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use address::Domain;
use phaseout::{LedgerConfig, Mistakes, Schedule, Source};

use crate::network::Networks;
use crate::window::Limits;

/// What a grant may be used for, within one period of the quota. A period is at least as long
/// as the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Messages.
    pub messages: u16,
    /// Recipients of all of them together.
    pub recipients: u16,
    /// Recipients of one message; also what a message in progress holds of the quota.
    pub recipients_per_message: u16,
}

/// How a brownout refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BrownoutReply {
    /// 5xx: mail programs show the text at once.
    #[default]
    Permanent,
    /// 4xx: programs that queue try again later, and nobody may notice.
    Temporary,
}

/// The rules by which grants are published and consulted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a grant lives.
    pub window: Duration,
    /// Leading bits of an IPv6 address that count.
    pub ipv6_prefix: u8,
    /// Grants in all.
    pub entries_max: usize,
    /// Addresses from which one account may hold grants at a time.
    pub addresses_per_account: u16,
    /// Distinct accounts on one address above which its grants are refused.
    pub accounts_per_address: u16,
    /// Whether a grant is pinned to the first HELO it is used with.
    pub helo_pin: bool,
    /// What may be sent with one grant.
    pub quota: Quota,
    /// Networks without grants, as configured.
    pub excluded: Networks,
    /// Networks without grants, whatever is configured.
    pub never: Networks,
    /// Where customers read what to change.
    pub help_url: Option<String>,
    /// How a brownout refuses.
    pub brownout_reply: BrownoutReply,
}

impl Policy {
    /// The bounds that the window keeps. One grant more than may share an address is
    /// remembered, so that too many are seen to be too many.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            window: self.window,
            entries_max: self.entries_max,
            per_address: usize::from(self.accounts_per_address) + 1,
            per_account: usize::from(self.addresses_per_account),
        }
    }
}

/// Where two processes meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketConfig {
    /// The Unix socket of the process that owns the window.
    pub path: PathBuf,
    /// User ids, beside the owner's own, whose processes may publish.
    pub users: Vec<u32>,
}

/// The whole configuration, checked.
#[derive(Clone, Debug)]
pub struct BridgeConfig {
    /// Whether there is a bridge at all.
    pub enabled: bool,
    /// Its rules.
    pub policy: Policy,
    /// Its ledger.
    pub ledger: LedgerConfig,
    /// Its socket.
    pub socket: SocketConfig,
    /// Its end.
    pub schedule: Arc<Schedule>,
    /// The file it came from.
    pub path: PathBuf,
    /// What completes account names in it.
    pub default_domain: Option<Domain>,
}

impl BridgeConfig {
    /// Reads the file, and the list files it names. Blocks. Relative paths in it start where
    /// it lies.
    ///
    /// # Errors
    /// Every mistake found, each with file, line and column.
    pub fn load(path: &Path, default_domain: Option<&Domain>) -> Result<Self, Mistakes> {
        Self::from_source(&Source::read(path)?, default_domain)
    }

    /// The configuration of a file that was read already. Blocks if it names list files.
    ///
    /// # Errors
    /// As [`BridgeConfig::load`].
    pub fn from_source(source: &Source, default_domain: Option<&Domain>) -> Result<Self, Mistakes> {
        file::resolve(source, default_domain)
    }
}
