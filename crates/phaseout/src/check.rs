//! A schedule held against the accounts that exist.

use std::fmt;
use std::sync::Arc;

use address::AccountKey;
use serde::Serialize;

use crate::cohort::Cohort;
use crate::exception::Exceptions;
use crate::phase::Phase;
use crate::schedule::Schedule;
use crate::source::Place;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look.
    Warning,
    /// Certainly not what was meant.
    Error,
}

/// Something about a schedule that the file alone does not show.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The place in the file.
    pub place: Place,
    /// What it is.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning: ",
            Severity::Error => "",
        };
        let Place { file, line, column } = &self.place;
        write!(f, "{file}:{line}:{column}: {severity}{}", self.message)
    }
}

/// How many accounts a cohort takes.
#[derive(Clone, Debug, Serialize)]
pub struct CohortCount {
    /// The cohort.
    pub cohort: Arc<str>,
    /// Its accounts.
    pub accounts: u64,
}

/// A schedule held against the accounts.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// The cohorts in order.
    pub cohorts: Vec<CohortCount>,
    /// What is wrong or odd.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Whether something is certainly wrong.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

impl Schedule {
    /// Holds the schedule against all accounts that exist: a cohort that takes nobody and an
    /// exception for nobody are errors.
    pub fn check<'a>(&self, accounts: impl IntoIterator<Item = &'a AccountKey>) -> CheckReport {
        let mut counts = vec![0u64; self.cohorts.len()];
        let mut unseen = self.exceptions.clone();
        let mut all = 0u64;
        for account in accounts {
            let cohort = self.cohorts.iter().position(|cohort| cohort.takes(account));
            if let Some(count) = cohort.and_then(|n| counts.get_mut(n)) {
                *count += 1;
            }
            unseen.remove(account);
            all += 1;
        }
        let mut findings = Vec::new();
        for (cohort, count) in self.cohorts.iter().zip(&counts) {
            findings.extend(findings_of(cohort, *count, all));
        }
        for (account, exceptions) in &unseen {
            findings.extend(orphan(account, exceptions));
        }
        findings.sort_by_key(|finding| (finding.place.line, finding.place.column));
        let counted = self.cohorts.iter().zip(counts);
        let cohorts = counted
            .map(|(cohort, accounts)| CohortCount { cohort: Arc::clone(&cohort.name), accounts })
            .collect();
        CheckReport { cohorts, findings }
    }
}

fn findings_of(cohort: &Cohort, count: u64, all: u64) -> Vec<Finding> {
    let finding = |severity, message| Finding { severity, place: cohort.place.clone(), message };
    let name = &cohort.name;
    let mut findings = Vec::new();
    if count == 0 && !cohort.is_rest() {
        findings.push(finding(
            Severity::Error,
            format!(
                "the cohort `{name}` takes none of the {all} accounts: correct its selection \
                 ({}), move it before the cohort that takes them, or delete it",
                cohort.selects()
            ),
        ));
    }
    if count > 0 && cohort.start_of(Phase::Closed).is_none() {
        findings.push(finding(
            Severity::Warning,
            format!(
                "the cohort `{name}`, which takes {count} of the {all} accounts, is never closed"
            ),
        ));
    }
    findings
}

fn orphan(account: &AccountKey, exceptions: &Exceptions) -> Vec<Finding> {
    let extension = exceptions.extension.as_ref().map(|e| (&e.place, "extension"));
    let closing = exceptions.closing.as_ref().map(|c| (&c.place, "early closing"));
    let finding = |(place, what): (&Place, &str)| Finding {
        severity: Severity::Error,
        place: place.clone(),
        message: format!("no account is called {account}: correct or delete its {what}"),
    };
    extension.into_iter().chain(closing).map(finding).collect()
}
