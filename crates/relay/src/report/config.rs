//! The `[relay.reports]` section: what senders are told, beside that mail has failed.

use std::time::Duration;

use address::Mailbox;
use serde::{Deserialize, Serialize};
use spool::Size;

use crate::config::{ConfigError, Period};

/// The `[relay.reports]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportsConfig {
    /// How long after its arrival a message that still waits is reported to its sender as
    /// delayed, once for each recipient. `0s`: never; otherwise 1m to 30d.
    pub delay_after: Period,
    /// The largest message that is returned whole to a sender who asks for that (`RET=FULL`); of
    /// a larger one its header is returned. 0 to 16MiB.
    pub full_max: Size,
    /// Who gets a copy of each report of a failure, with the header of the message alone.
    /// Default: nobody.
    pub postmaster: Option<String>,
}

impl Default for ReportsConfig {
    fn default() -> Self {
        Self {
            delay_after: Period::from_secs(4 * 60 * 60),
            full_max: Size::kib(256),
            postmaster: None,
        }
    }
}

/// `[relay.reports]`, resolved and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reports {
    /// As [`ReportsConfig::delay_after`]; none: never.
    pub delay_after: Option<Duration>,
    /// As [`ReportsConfig::full_max`], in octets.
    pub full_max: u64,
    /// As [`ReportsConfig::postmaster`].
    pub postmaster: Option<Mailbox>,
}

impl ReportsConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn resolve(&self) -> Result<Reports, ConfigError> {
        let delay = self.delay_after.duration();
        let (least, most) = (Period::from_secs(60), Period::from_secs(30 * 24 * 60 * 60));
        let is_set = !delay.is_zero();
        if is_set && !(least..=most).contains(&self.delay_after) {
            let expected = format!("0s, or {least} to {most}");
            return Err(ConfigError::new("reports.delay_after", self.delay_after, expected));
        }
        if self.full_max > Size::mib(16) {
            let found = self.full_max.to_string();
            return Err(ConfigError::new("reports.full_max", found, "0 to 16MiB"));
        }
        let postmaster = self.postmaster.as_deref().map(|text| {
            Mailbox::parse(text).map_err(|error| {
                let expected = format!("an address such as postmaster@example.net, but {error}");
                ConfigError::new("reports.postmaster", format_args!("{text:?}"), expected)
            })
        });
        Ok(Reports {
            delay_after: is_set.then_some(delay),
            full_max: self.full_max.0,
            postmaster: postmaster.transpose()?,
        })
    }
}
