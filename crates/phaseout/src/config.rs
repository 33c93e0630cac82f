//! The schedule as it is written in the configuration file.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

/// The `[schedule]` section. Without cohorts, everyone is open for ever.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// The IANA zone in which dates and brownout windows are meant, such as `Asia/Tokyo`.
    /// Default: UTC.
    pub zone: Option<Spanned<String>>,
    /// The cohorts. The first that matches an account takes it; the last must be the rest.
    pub cohort: Vec<Spanned<CohortConfig>>,
    /// Accounts that get more time.
    pub extension: Vec<Spanned<ExtensionConfig>>,
    /// Accounts that get less time.
    pub early_closing: Vec<Spanned<EarlyClosingConfig>>,
}

/// One `[[schedule.cohort]]`: whom it takes, and when its phases begin.
///
/// An account belongs to it if one of `domains`, `addresses` and `list` names it (or none of
/// the three is given) and it falls into `percent` (if that is given).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CohortConfig {
    /// Its name: lower-case letters, digits, `-` and `_`, at most 64.
    pub name: Option<Spanned<String>>,
    /// Accounts whose names are in one of these domains.
    pub domains: Vec<Spanned<String>>,
    /// Accounts whose whole names match one of these patterns: `*` stands for any run of
    /// characters, `?` for one.
    pub addresses: Vec<Spanned<String>>,
    /// Accounts named in this file, one a line, at most 64 MiB; relative to this file.
    pub list: Option<Spanned<PathBuf>>,
    /// This stable percentage of the accounts, above 0 and up to 100. When it grows, those
    /// who were in stay in.
    pub percent: Option<Spanned<f64>>,
    /// All accounts that no other cohort takes. Exactly one cohort, the last, has it.
    pub rest: Option<Spanned<bool>>,
    /// When the notice phase begins. A date means its first instant in the zone; a date with
    /// a time means that instant.
    pub notice: Option<Spanned<Datetime>>,
    /// When the brownout phase begins.
    pub brownout: Option<Spanned<Datetime>>,
    /// Weekly windows in which a brownout refuses.
    pub brownout_windows: Vec<Spanned<WindowConfig>>,
    /// The share of hours that a brownout refuses, in percent; which hours depends on the
    /// account alone. One number, or two: the share at the beginning and at the end of the
    /// phase, between which it rises.
    pub brownout_share: Option<Spanned<Vec<f64>>>,
    /// When the cohort is closed.
    pub closed: Option<Spanned<Datetime>>,
}

/// A weekly window: `{ days = ["tue", "thu"], from = "10:00", to = "12:00" }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowConfig {
    /// `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.
    pub days: Vec<Spanned<String>>,
    /// When it begins, as `HH:MM`.
    pub from: Spanned<String>,
    /// When it is over, as `HH:MM`, up to `24:00`; after `from`.
    pub to: Spanned<String>,
}

/// One `[[schedule.extension]]`: until its end the account is honoured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtensionConfig {
    /// The account's name.
    pub account: Spanned<String>,
    /// When the extension is over.
    pub until: Spanned<Datetime>,
    /// Why, for those who read the file later.
    pub reason: Spanned<String>,
}

/// One `[[schedule.early_closing]]`: from its date on the account is closed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyClosingConfig {
    /// The account's name.
    pub account: Spanned<String>,
    /// When it closes.
    pub from: Spanned<Datetime>,
    /// Why.
    pub reason: Spanned<String>,
}
