//! A decision step by step, and the schedule at a glance.

use std::sync::Arc;

use address::AccountKey;
use jiff::Timestamp;
use serde::Serialize;

use crate::brownout::Cause;
use crate::cohort::{Cohort, Selector};
use crate::exception::Exception;
use crate::phase::Phase;
use crate::schedule::{Decision, Schedule};
use crate::source::Place;

/// When a phase begins.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseStart {
    /// The phase.
    pub phase: Phase,
    /// The instant, RFC 3339 with the zone's offset.
    pub at: String,
}

/// A cohort at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct CohortOverview {
    /// Its name.
    pub name: Arc<str>,
    /// Which accounts it takes.
    pub selects: String,
    /// Its phase at the instant asked for.
    pub phase: Phase,
    /// All its dates.
    pub starts: Vec<PhaseStart>,
    /// What its brownout refuses, if it has one.
    pub brownout: Option<String>,
    /// Where it is written.
    pub place: Place,
}

/// One step of a decision.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What was looked at and what came of it.
    pub text: String,
    /// The line that says so.
    pub place: Option<Place>,
}

/// Why an account is in a phase at an instant.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The account.
    pub account: String,
    /// The instant, RFC 3339 with the zone's offset.
    pub at: String,
    /// The zone of the schedule.
    pub zone: String,
    /// The account's cohort.
    pub cohort: Arc<str>,
    /// Its phase, exceptions considered.
    pub phase: Phase,
    /// Whether the access is honoured now.
    pub honoured: bool,
    /// Since when the phase holds; `None`: since ever.
    pub since: Option<String>,
    /// The next change, if there is one.
    pub next: Option<PhaseStart>,
    /// The way there.
    pub steps: Vec<Step>,
}

impl Schedule {
    /// Every cohort with its phase at `at`.
    #[must_use]
    pub fn overview(&self, at: Timestamp) -> Vec<CohortOverview> {
        let glance = |cohort: &Cohort| CohortOverview {
            name: Arc::clone(&cohort.name),
            selects: cohort.selects().to_owned(),
            phase: cohort.starts.phase(at),
            starts: cohort
                .starts
                .0
                .iter()
                .map(|start| self.phase_start(start.phase, start.at))
                .collect(),
            brownout: self.brownout_in_words(cohort),
            place: cohort.place.clone(),
        };
        self.cohorts.iter().map(glance).collect()
    }

    /// How [`Schedule::phase_of`] comes to its decision.
    #[must_use]
    pub fn explain(&self, account: &AccountKey, at: Timestamp) -> Explanation {
        let decision = self.phase_of(account, at);
        let mut steps = self.cohort_steps(account);
        steps.extend(self.date_steps(decision.cohort, at));
        steps.extend(self.exception_steps(account, at));
        steps.extend(self.brownout_step(&decision));
        steps.push(Step { text: conclusion(&decision), place: Some(decision.place.clone()) });
        Explanation {
            account: account.to_string(),
            at: self.zone.rfc3339(at),
            zone: self.zone.to_string(),
            cohort: Arc::clone(&decision.cohort.name),
            phase: decision.phase,
            honoured: decision.is_honoured(),
            since: decision.since.map(|since| self.zone.rfc3339(since)),
            next: decision.next.map(|(phase, at)| self.phase_start(phase, at)),
            steps,
        }
    }

    fn phase_start(&self, phase: Phase, at: Timestamp) -> PhaseStart {
        PhaseStart { phase, at: self.zone.rfc3339(at) }
    }

    fn cohort_steps(&self, account: &AccountKey) -> Vec<Step> {
        let mut steps = Vec::new();
        for cohort in &self.cohorts {
            let takes = cohort.takes(account);
            let verb = if takes { "takes" } else { "does not take" };
            steps.push(Step {
                text: format!("cohort `{}` ({}) {verb} {account}", cohort.name, cohort.selects()),
                place: Some(cohort.place.clone()),
            });
            if takes {
                break;
            }
        }
        steps
    }

    fn date_steps(&self, cohort: &Cohort, at: Timestamp) -> Vec<Step> {
        if cohort.starts.0.is_empty() {
            let text = format!("cohort `{}` has no dates: it is open for ever", cohort.name);
            return vec![Step { text, place: Some(cohort.place.clone()) }];
        }
        let step = |start: &crate::cohort::Start| {
            let tense = if start.at <= at { "has begun on" } else { "begins on" };
            let text = format!("{} {tense} {}", start.phase, self.zone.describe(start.at));
            Step { text, place: Some(start.place.clone()) }
        };
        cohort.starts.0.iter().map(step).collect()
    }

    fn exception_steps(&self, account: &AccountKey, at: Timestamp) -> Vec<Step> {
        let Some(exceptions) = self.exceptions.get(account) else { return Vec::new() };
        let extension = exceptions.extension.as_ref().map(|extension| {
            let tense = if at < extension.until { "runs until" } else { "ended on" };
            let until = self.zone.describe(extension.until);
            let text = format!("its extension {tense} {until}: {}", extension.reason);
            Step { text, place: Some(extension.place.clone()) }
        });
        let closing = exceptions.closing.as_ref().map(|closing| {
            let tense = if closing.from <= at { "closed on" } else { "closes on" };
            let from = self.zone.describe(closing.from);
            let text = format!("it {tense} {from} by itself: {}", closing.reason);
            Step { text, place: Some(closing.place.clone()) }
        });
        extension.into_iter().chain(closing).collect()
    }

    fn brownout_step(&self, decision: &Decision<'_>) -> Option<Step> {
        if decision.phase != Phase::Brownout {
            return None;
        }
        let text = match decision.brownout {
            None => "no brownout refuses it at this instant".to_owned(),
            Some(brownout) => {
                let until = self.zone.describe(brownout.until);
                match brownout.cause {
                    Cause::Window => format!("a brownout window refuses it until {until}"),
                    Cause::Share(share) => {
                        format!("this hour is among its refused {share:.1} %, until {until}")
                    }
                }
            }
        };
        Some(Step { text, place: Some(decision.place.clone()) })
    }

    fn brownout_in_words(&self, cohort: &Cohort) -> Option<String> {
        const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        cohort.start_of(Phase::Brownout)?;
        let mut parts = Vec::new();
        for window in &cohort.brownout.windows {
            let days: Vec<_> = DAYS
                .iter()
                .enumerate()
                .filter(|(n, _)| window.days & (1 << n) != 0)
                .map(|(_, day)| *day)
                .collect();
            let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            parts.push(format!("{} {}-{}", days.join(","), clock(window.from), clock(window.to)));
        }
        if let Some(share) = &cohort.brownout.share {
            let (start, end) = (share.start.get(), share.end.get());
            parts.push(match start == end {
                true => format!("{start} % of hours"),
                false => format!("{start} % of hours rising to {end} %"),
            });
        }
        Some(parts.join("; "))
    }
}

fn conclusion(decision: &Decision<'_>) -> String {
    let phase = decision.phase;
    let verdict = if decision.is_honoured() { "honoured" } else { "refused" };
    match decision.exception {
        Some(Exception::Extension(_)) => format!("{phase} with its extension: {verdict}"),
        Some(Exception::EarlyClosing(_)) => format!("{phase} by its early closing: {verdict}"),
        None => format!("{phase}: {verdict}"),
    }
}

impl Cohort {
    /// Whether it takes all that no other cohort takes.
    #[must_use]
    pub fn is_rest(&self) -> bool {
        matches!(self.selector, Selector::Rest)
    }
}
