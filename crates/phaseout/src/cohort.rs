//! Cohorts: groups of accounts that go through the phases together.

use std::collections::HashSet;
use std::sync::Arc;

use address::AccountKey;
use jiff::Timestamp;

use crate::brownout::Plan;
use crate::pattern::Pattern;
use crate::phase::Phase;
use crate::share::{self, Percent};
use crate::source::Place;

/// A group of accounts and the dates of its phases.
#[derive(Clone, Debug)]
pub struct Cohort {
    pub(crate) name: Arc<str>,
    pub(crate) selector: Selector,
    pub(crate) starts: Starts,
    pub(crate) brownout: Plan,
    pub(crate) place: Place,
}

/// Which accounts a cohort takes of those that no earlier cohort took.
#[derive(Clone, Debug)]
pub(crate) enum Selector {
    /// All that are left.
    Rest,
    /// Those that one of the lists names (or all, if there is no list), and of these the
    /// percentage (or all).
    Some(Lists),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Lists {
    pub(crate) domains: HashSet<Box<str>>,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) listed: HashSet<AccountKey>,
    pub(crate) percent: Option<Percent>,
    /// How the file says it, for people.
    pub(crate) described: String,
}

/// When the phases begin; `Open` always has begun. Ascending.
#[derive(Clone, Debug, Default)]
pub(crate) struct Starts(pub(crate) Vec<Start>);

#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) phase: Phase,
    pub(crate) at: Timestamp,
    pub(crate) place: Place,
}

impl Cohort {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Where it is written.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Which accounts it takes, for people.
    #[must_use]
    pub fn selects(&self) -> &str {
        match &self.selector {
            Selector::Rest => "all other accounts",
            Selector::Some(lists) => &lists.described,
        }
    }

    /// When `phase` begins; `None` if it never does, and for [`Phase::Open`].
    #[must_use]
    pub fn start_of(&self, phase: Phase) -> Option<Timestamp> {
        self.starts.0.iter().find(|start| start.phase == phase).map(|start| start.at)
    }

    pub(crate) fn takes(&self, account: &AccountKey) -> bool {
        let Selector::Some(lists) = &self.selector else { return true };
        lists.names(account)
            && lists.percent.is_none_or(|percent| share::selects(&self.name, percent, account))
    }
}

impl Lists {
    fn names(&self, account: &AccountKey) -> bool {
        if self.domains.is_empty() && self.patterns.is_empty() && self.listed.is_empty() {
            return true;
        }
        account.domain().is_some_and(|domain| self.domains.contains(domain))
            || self.listed.contains(account)
            || self.patterns.iter().any(|pattern| pattern.matches(account.as_str()))
    }
}

impl Starts {
    /// The start in force at `at`; `None` while open. Half-open: at its instant it is in force.
    pub(crate) fn in_force(&self, at: Timestamp) -> Option<&Start> {
        self.0.iter().rev().find(|start| start.at <= at)
    }

    /// The next start after `at`.
    pub(crate) fn next(&self, at: Timestamp) -> Option<&Start> {
        self.0.iter().find(|start| start.at > at)
    }

    pub(crate) fn phase(&self, at: Timestamp) -> Phase {
        self.in_force(at).map_or(Phase::Open, |start| start.phase)
    }
}
