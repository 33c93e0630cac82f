//! The ledger for spreadsheets.

use std::fmt::Display;

use jiff::Timestamp;

use super::query::Usage;

const HEADER: &str = "account,cohort,phase,reliance,legacy_allowed,legacy_refused,\
legacy_first,legacy_last,modern_allowed,modern_last,cannot_authenticate,helo,clients,reasons\r\n";

/// The accounts as CSV (RFC 4180), times in UTC, lists separated by a space.
///
/// What a client chose is never a formula: a field that a spreadsheet would compute gets an
/// apostrophe in front.
#[must_use]
pub fn usage_csv(accounts: &[Usage]) -> String {
    let mut csv = HEADER.to_owned();
    for usage in accounts {
        let (legacy, modern) = (&usage.legacy, &usage.modern);
        let fields = [
            usage.account.clone(),
            usage.cohort.clone(),
            usage.phase.to_string(),
            usage.reliance.as_str().to_owned(),
            legacy.allowed.to_string(),
            legacy.refused.to_string(),
            time(legacy.first_allowed),
            time(legacy.last_allowed),
            modern.allowed.to_string(),
            time(modern.last_allowed),
            usage.cannot_authenticate.to_string(),
            joined(&usage.helo),
            joined(&usage.clients),
            joined(&usage.reasons),
        ];
        let row: Vec<_> = fields.iter().map(|field| quoted(field)).collect();
        csv.push_str(&row.join(","));
        csv.push_str("\r\n");
    }
    csv
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

fn joined(parts: &[impl Display]) -> String {
    parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn quoted(field: &str) -> String {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    if field.contains(['"', ',', '\r', '\n']) {
        format!("\"{guard}{}\"", field.replace('"', "\"\""))
    } else {
        format!("{guard}{field}")
    }
}
