//! Exceptions for single accounts: more time, or less.

use jiff::Timestamp;

use crate::phase::Phase;
use crate::source::Place;

/// More time for one account: until then it is honoured whatever its cohort's phase.
#[derive(Clone, Debug)]
pub struct Extension {
    /// When it is over (half-open: at that instant the cohort's phase counts again).
    pub until: Timestamp,
    /// Why, for those who read the file later.
    pub reason: String,
    /// Where it is written.
    pub place: Place,
}

/// Less time for one account: from then on it is closed.
#[derive(Clone, Debug)]
pub struct EarlyClosing {
    /// When it closes.
    pub from: Timestamp,
    /// Why.
    pub reason: String,
    /// Where it is written.
    pub place: Place,
}

/// An exception in force.
#[derive(Clone, Copy, Debug)]
pub enum Exception<'s> {
    /// More time.
    Extension(&'s Extension),
    /// Less time.
    EarlyClosing(&'s EarlyClosing),
}

/// The exceptions of one account. They do not overlap: the file is refused otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exceptions {
    pub(crate) extension: Option<Extension>,
    pub(crate) closing: Option<EarlyClosing>,
}

impl Exceptions {
    pub(crate) fn in_force(&self, at: Timestamp) -> Option<Exception<'_>> {
        let closing = self.closing.as_ref().filter(|closing| closing.from <= at);
        let extension = self.extension.as_ref().filter(|extension| at < extension.until);
        closing.map(Exception::EarlyClosing).or(extension.map(Exception::Extension))
    }

    /// The phase of an account whose cohort is in `phase` at `at`.
    pub(crate) fn apply(&self, phase: Phase, at: Timestamp) -> Phase {
        match self.in_force(at) {
            Some(Exception::EarlyClosing(_)) => Phase::Closed,
            Some(Exception::Extension(_)) => phase.min(Phase::Notice),
            None => phase,
        }
    }

    /// The instants at which they change something.
    pub(crate) fn edges(&self) -> impl Iterator<Item = Timestamp> + '_ {
        let until = self.extension.as_ref().map(|extension| extension.until);
        until.into_iter().chain(self.closing.as_ref().map(|closing| closing.from))
    }
}
