//! How attacks are recognised and answered: `[auth.attack]`, and what the admin is shown.

use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};

use crate::ConfigError;

/// Beyond this many, different accounts or networks are not told apart.
const DIFFERENT_MAX: u32 = 400;

/// `[auth.attack]`: when a network is blocked, and when an account counts as attacked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttackConfig {
    /// The time over which failures are counted: what follows is counted for between half of it
    /// and the whole.
    #[serde(with = "duration")]
    pub window: Duration,
    /// Failures after which an address (IPv6: a /64) is blocked. 0: never.
    pub failures_max: u32,
    /// Different accounts at which logins from one network may fail before that is password
    /// spraying and the network is blocked. 0: any number.
    pub accounts_max: u32,
    /// Different networks from which logins at one account may fail before the account counts as
    /// attacked. 0: any number.
    pub networks_max: u32,
    /// How many times as much an IPv4 /24 and an IPv6 /48 bear as a single address does.
    pub wide_factor: u32,
    /// How long the first block lasts; each further one of the same network lasts twice as long.
    /// "0s": nothing is ever blocked.
    #[serde(with = "duration")]
    pub block: Duration,
    /// The longest that a block lasts.
    #[serde(with = "duration")]
    pub block_max: Duration,
    /// How long a client without a recent success waits at an account that is attacked.
    #[serde(with = "duration")]
    pub attacked_delay: Duration,
    /// How many such clients may wait at the same time, for each attacked account.
    pub attacked_waiting: u32,
    /// Networks that are neither blocked nor delayed, and whose failures count for nothing: what
    /// watches the service, and hosts that slow their own users down.
    pub trusted_networks: Vec<IpNet>,
}

impl Default for AttackConfig {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(60 * 60),
            failures_max: 100,
            accounts_max: 30,
            networks_max: 20,
            wide_factor: 4,
            block: Duration::from_secs(10 * 60),
            block_max: Duration::from_secs(24 * 60 * 60),
            attacked_delay: Duration::from_secs(20),
            attacked_waiting: 16,
            trusted_networks: Vec::new(),
        }
    }
}

impl AttackConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, problem: String, expected| Err(ConfigError { key, problem, expected });
        let second = Duration::from_secs(1);
        let day = 24 * 60 * 60 * second;
        if self.window < 60 * second || self.window > 7 * day {
            let problem = format!("{:?} is out of range", self.window);
            return wrong("auth.attack.window", problem, "\"1m\" to \"168h\"");
        }
        if self.wide_factor == 0 || self.wide_factor > 100 {
            let problem = format!("{} is out of range", self.wide_factor);
            return wrong("auth.attack.wide_factor", problem, "1 to 100");
        }
        if self.accounts_max.saturating_mul(self.wide_factor) > DIFFERENT_MAX {
            let problem = format!(
                "{} accounts, and {} times as many in a /24, are more than can be told apart",
                self.accounts_max, self.wide_factor
            );
            let expected = "at most 400 when multiplied by auth.attack.wide_factor";
            return wrong("auth.attack.accounts_max", problem, expected);
        }
        if self.networks_max > DIFFERENT_MAX {
            let problem = format!("{} are more than can be told apart", self.networks_max);
            return wrong("auth.attack.networks_max", problem, "0 to 400");
        }
        if self.block_max > 30 * day {
            let problem = format!("{:?} is too long", self.block_max);
            return wrong("auth.attack.block_max", problem, "0s to 720h");
        }
        if self.block > self.block_max {
            let problem = format!("{:?} is more than block_max", self.block);
            return wrong("auth.attack.block", problem, "at most auth.attack.block_max");
        }
        if self.attacked_delay > 60 * second {
            let problem = format!("{:?} is too long", self.attacked_delay);
            return wrong("auth.attack.attacked_delay", problem, "0s to 60s");
        }
        if self.attacked_waiting == 0 || self.attacked_waiting > 1000 {
            let problem = format!("{} is out of range", self.attacked_waiting);
            return wrong("auth.attack.attacked_waiting", problem, "1 to 1000");
        }
        Ok(())
    }
}

/// Why a network is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockReason {
    /// Too many failures.
    Failures,
    /// Failures at too many different accounts: password spraying.
    Spraying,
}

impl BlockReason {
    /// The stable word in log and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Spraying => "spraying",
        }
    }
}

/// A network from which nobody logs in for a while, but for customers who did so lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// An address, or an IPv4 /24, IPv6 /64 or /48.
    pub network: IpNet,
    /// When it began.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
    /// The how manieth block in a row it is, from 1.
    pub strikes: u32,
    /// Why.
    pub reason: BlockReason,
    /// Whether another daemon or host found it.
    pub learned: bool,
}

/// An account at which strangers wait longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttackedAccount {
    /// The name as it was tried, whether or not there is such an account; none if another daemon
    /// or host found it.
    pub name: Option<Box<str>>,
    /// When it was found.
    pub since: Timestamp,
    /// When it ends, if no more failures come.
    pub until: Timestamp,
}

/// Something that the admin may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttackEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: AttackEventKind,
    /// Whether another daemon or host found it.
    pub learned: bool,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttackEventKind {
    /// A network was blocked.
    Blocked {
        /// The network.
        network: IpNet,
        /// Why.
        reason: BlockReason,
        /// For how long.
        period: Duration,
        /// The how manieth time in a row.
        strikes: u32,
        /// Failures that were counted, about.
        failures: u32,
        /// Different accounts among them, about.
        accounts: u32,
    },
    /// An account is attacked from many networks.
    Attacked {
        /// The name as it was tried; none if another daemon or host found it.
        name: Option<Box<str>>,
        /// Different networks, about.
        networks: u32,
    },
    /// An admin forgave a network.
    NetworkForgiven {
        /// The network.
        network: IpNet,
    },
    /// An admin forgave what was counted for an account.
    AccountForgiven,
}
