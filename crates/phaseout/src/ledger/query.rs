//! Who relies on what: the ledger read account by account.

use std::net::IpAddr;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Row, params};
use serde::Serialize;

use super::store::{first_hour, instant, open_to_read};
use super::{LedgerError, file_error};
use crate::phase::Phase;

/// Distinct programs and addresses that are named per account: the latest ones.
const NAMED_MAX: usize = 16;

/// Which part of the ledger is asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Uses from the hour of this instant on.
    pub from: Option<Timestamp>,
    /// Uses before the hour of this instant.
    pub to: Option<Timestamp>,
    /// Only accounts whose latest use was in this cohort.
    pub cohort: Option<String>,
    /// Only this account.
    pub account: Option<String>,
    /// At most this many accounts; 0: 100 000.
    pub limit: usize,
}

/// How an account depends on the access that is being retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reliance {
    /// It uses nothing else.
    LegacyOnly,
    /// It uses both.
    Mixed,
    /// It used to, and since its first use of the new access never again.
    Moved,
    /// It never used it.
    ModernOnly,
    /// It tried, and was always refused.
    RefusedOnly,
}

impl Reliance {
    /// The word for people and files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LegacyOnly => "legacy-only",
            Self::Mixed => "mixed",
            Self::Moved => "moved",
            Self::ModernOnly => "modern-only",
            Self::RefusedOnly => "refused-only",
        }
    }
}

/// Uses of one kind of access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How often it was honoured.
    pub allowed: u64,
    /// How often it was refused.
    pub refused: u64,
    /// The first time it was honoured.
    pub first_allowed: Option<Timestamp>,
    /// The last time it was honoured.
    pub last_allowed: Option<Timestamp>,
    /// The last time it was refused.
    pub last_refused: Option<Timestamp>,
}

/// What the ledger says about one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// The account.
    pub account: String,
    /// Its cohort at its latest use.
    pub cohort: String,
    /// Its phase at its latest use.
    pub phase: Phase,
    /// How it depends on the old access.
    pub reliance: Reliance,
    /// Uses of the old access.
    pub legacy: Tally,
    /// Uses of the new access.
    pub modern: Tally,
    /// Whether a program of its uses the old access without the extended protocol, so that
    /// it can't authenticate at all.
    pub cannot_authenticate: bool,
    /// What its programs called themselves; the latest 16.
    pub helo: Vec<String>,
    /// Where it came from; the latest 16.
    pub clients: Vec<IpAddr>,
    /// Why it was refused, the latest reason first.
    pub reasons: Vec<String>,
}

/// What the ledger says about the accounts asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsageReport {
    /// The accounts by name.
    pub accounts: Vec<Usage>,
    /// Whether there were more than the limit.
    pub truncated: bool,
}

/// Newest first within each account, so that what is latest is seen first.
const BY_ACCOUNT: &str = "
SELECT account, access, cohort, phase, reason, client, helo, extended, count, first, last
FROM usage
WHERE hour >= ?1 AND hour < ?2 AND (?3 IS NULL OR account = ?3)
ORDER BY account, hour DESC, last DESC
";

/// Reads a ledger, also while another process writes it. Blocks.
///
/// # Errors
/// If the file is missing or unusable; it is left as it is.
pub fn read_usage(path: &Path, filter: &Filter) -> Result<UsageReport, LedgerError> {
    let connection = open_to_read(path)?;
    read(&connection, filter).map_err(|error| file_error(path, error))
}

fn read(connection: &rusqlite::Connection, filter: &Filter) -> rusqlite::Result<UsageReport> {
    let limit = if filter.limit == 0 { 100_000 } else { filter.limit };
    let last_hour = filter.to.map_or(i64::MAX, |to| first_hour(Some(to)));
    let mut statement = connection.prepare(BY_ACCOUNT)?;
    let mut rows =
        statement.query(params![first_hour(filter.from), last_hour, filter.account.as_deref()])?;
    let mut accounts: Vec<Usage> = Vec::new();
    let mut current: Option<Usage> = None;
    let wanted = |usage: &Usage| filter.cohort.as_ref().is_none_or(|c| *c == usage.cohort);
    while let Some(row) = rows.next()? {
        let line = Line::of(row)?;
        match &mut current {
            Some(usage) if usage.account == line.account => usage.add(line),
            _ => {
                let before = current.replace(Usage::new(line));
                accounts.extend(before.filter(wanted).map(Usage::judged));
                if accounts.len() >= limit {
                    return Ok(UsageReport { accounts, truncated: true });
                }
            }
        }
    }
    accounts.extend(current.filter(wanted).map(Usage::judged));
    Ok(UsageReport { accounts, truncated: false })
}

/// A row of the file.
struct Line {
    account: String,
    legacy: bool,
    cohort: String,
    phase: Phase,
    reason: String,
    client: Option<IpAddr>,
    helo: String,
    extended: bool,
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Line {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            account: row.get(0)?,
            legacy: row.get_ref(1)?.as_str()? == "legacy",
            cohort: row.get(2)?,
            phase: Phase::from_word(row.get_ref(3)?.as_str()?).unwrap_or_default(),
            reason: row.get(4)?,
            client: row.get_ref(5)?.as_str()?.parse().ok(),
            helo: row.get(6)?,
            extended: row.get(7)?,
            count: row.get::<_, i64>(8)?.cast_unsigned(),
            first: instant(row.get(9)?),
            last: instant(row.get(10)?),
        })
    }
}

impl Usage {
    /// The account of its latest row.
    fn new(line: Line) -> Self {
        let mut usage = Self {
            account: line.account.clone(),
            cohort: line.cohort.clone(),
            phase: line.phase,
            reliance: Reliance::RefusedOnly,
            legacy: Tally::default(),
            modern: Tally::default(),
            cannot_authenticate: false,
            helo: Vec::new(),
            clients: Vec::new(),
            reasons: Vec::new(),
        };
        usage.add(line);
        usage
    }

    fn add(&mut self, line: Line) {
        let tally = if line.legacy { &mut self.legacy } else { &mut self.modern };
        if line.reason.is_empty() {
            tally.allowed += line.count;
            tally.first_allowed =
                Some(tally.first_allowed.map_or(line.first, |first| first.min(line.first)));
            tally.last_allowed = tally.last_allowed.max(Some(line.last));
        } else {
            tally.refused += line.count;
            tally.last_refused = tally.last_refused.max(Some(line.last));
            remember(&mut self.reasons, line.reason);
        }
        self.cannot_authenticate |= line.legacy && !line.extended;
        remember(&mut self.helo, line.helo);
        if let Some(client) = line.client {
            remember(&mut self.clients, client);
        }
    }

    fn judged(mut self) -> Self {
        let last_legacy = self.legacy.last_allowed;
        self.reliance = match (last_legacy, self.modern.first_allowed) {
            (None, None) => Reliance::RefusedOnly,
            (None, Some(_)) => Reliance::ModernOnly,
            (Some(_), None) => Reliance::LegacyOnly,
            (Some(legacy), Some(modern)) if legacy < modern => Reliance::Moved,
            (Some(_), Some(_)) => Reliance::Mixed,
        };
        self
    }
}

fn remember<T: PartialEq>(known: &mut Vec<T>, new: T) {
    if known.len() < NAMED_MAX && !known.contains(&new) {
        known.push(new);
    }
}
