//! The schedule: in which phase an account is at an instant.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use address::{AccountKey, Domain};
use jiff::Timestamp;

use crate::brownout::Brownout;
use crate::cohort::{Cohort, Selector, Starts};
use crate::config::ScheduleConfig;
use crate::exception::{Exception, Exceptions};
use crate::phase::Phase;
use crate::resolve;
use crate::source::{Mistakes, Place, Source};
use crate::zone::Zone;

/// A retirement: cohorts with their dates, and exceptions. Immutable; a reload makes a new one.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub(crate) zone: Zone,
    /// In the order in which they choose; the last takes the rest.
    pub(crate) cohorts: Vec<Cohort>,
    pub(crate) exceptions: HashMap<AccountKey, Exceptions>,
}

/// In which phase an account is, and why.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'s> {
    /// The account's cohort.
    pub cohort: &'s Cohort,
    /// The phase, exceptions considered.
    pub phase: Phase,
    /// Since when; `None`: since ever.
    pub since: Option<Timestamp>,
    /// The next change of phase, and to which.
    pub next: Option<(Phase, Timestamp)>,
    /// The exception in force, whether or not it changes the phase.
    pub exception: Option<Exception<'s>>,
    /// The brownout that refuses the account now.
    pub brownout: Option<Brownout>,
    /// The line of the file that decided.
    pub place: &'s Place,
}

impl Decision<'_> {
    /// Whether the access is honoured now.
    #[must_use]
    pub fn is_honoured(&self) -> bool {
        match self.phase {
            Phase::Open | Phase::Notice => true,
            Phase::Brownout => self.brownout.is_none(),
            Phase::Closed => false,
        }
    }
}

impl Schedule {
    /// A schedule without dates: one cohort, `everyone`, open for ever.
    #[must_use]
    pub fn open_for_ever(source: &Source) -> Self {
        let everyone = Cohort {
            name: "everyone".into(),
            selector: Selector::Rest,
            starts: Starts::default(),
            brownout: Default::default(),
            place: source.place(&(0..0)),
        };
        Self { zone: Zone::utc(), cohorts: vec![everyone], exceptions: HashMap::new() }
    }

    /// Makes a schedule of its section of the configuration file. Reads the list files;
    /// blocks. Account names without a domain get `default_domain`.
    ///
    /// # Errors
    /// Every mistake found, each with its place.
    pub fn resolve(
        config: &ScheduleConfig,
        source: &Source,
        default_domain: Option<&Domain>,
    ) -> Result<Self, Mistakes> {
        resolve::schedule(config, source, default_domain)
    }

    /// Reads a file that holds nothing but a schedule. Blocks.
    ///
    /// # Errors
    /// As [`Source::read`], [`Source::parse`] and [`Schedule::resolve`].
    pub fn load(path: &Path, default_domain: Option<&Domain>) -> Result<Self, Mistakes> {
        let source = Source::read(path)?;
        let config: ScheduleConfig = source.parse()?;
        Self::resolve(&config, &source, default_domain)
    }

    /// The zone of its dates.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The cohorts in the order in which they choose.
    #[must_use]
    pub fn cohorts(&self) -> &[Cohort] {
        &self.cohorts
    }

    /// The cohort of an account.
    #[must_use]
    pub fn cohort_of(&self, account: &AccountKey) -> &Cohort {
        let found = self.cohorts.iter().position(|cohort| cohort.takes(account));
        // The last cohort takes the rest: resolving a file makes sure of it.
        &self.cohorts[found.unwrap_or(self.cohorts.len() - 1)]
    }

    /// In which phase `account` is at `at`. Pure.
    #[must_use]
    pub fn phase_of(&self, account: &AccountKey, at: Timestamp) -> Decision<'_> {
        let cohort = self.cohort_of(account);
        match self.exceptions.get(account) {
            None => self.by_cohort(cohort, account, at),
            Some(exceptions) => self.by_exception(cohort, exceptions, account, at),
        }
    }

    fn by_cohort<'s>(
        &'s self,
        cohort: &'s Cohort,
        account: &AccountKey,
        at: Timestamp,
    ) -> Decision<'s> {
        let start = cohort.starts.in_force(at);
        let next = cohort.starts.next(at).map(|start| (start.phase, start.at));
        let phase = start.map_or(Phase::Open, |start| start.phase);
        Decision {
            cohort,
            phase,
            since: start.map(|start| start.at),
            next,
            exception: None,
            brownout: self.brownout_of(cohort, account, phase, at),
            place: start.map_or(&cohort.place, |start| &start.place),
        }
    }

    fn by_exception<'s>(
        &'s self,
        cohort: &'s Cohort,
        exceptions: &'s Exceptions,
        account: &AccountKey,
        at: Timestamp,
    ) -> Decision<'s> {
        let plain = self.by_cohort(cohort, account, at);
        let phase_at = |at| exceptions.apply(cohort.starts.phase(at), at);
        let phase = phase_at(at);
        let mut edges: Vec<_> = cohort.starts.0.iter().map(|start| start.at).collect();
        edges.extend(exceptions.edges());
        edges.sort_unstable();
        let next = edges.iter().find(|edge| **edge > at && phase_at(**edge) != phase);
        // Walking back as long as the phase is the same one.
        let mut since = None;
        for edge in edges.iter().rev().filter(|edge| **edge <= at) {
            if phase_at(*edge) != phase {
                break;
            }
            since = Some(*edge);
        }
        let exception = exceptions.in_force(at);
        let place = match exception {
            Some(Exception::EarlyClosing(closing)) if plain.phase != phase => &closing.place,
            Some(Exception::Extension(extension)) if plain.phase != phase => &extension.place,
            _ => plain.place,
        };
        Decision {
            phase,
            since,
            next: next.map(|edge| (phase_at(*edge), *edge)),
            exception,
            brownout: plain.brownout.filter(|_| phase == Phase::Brownout),
            place,
            cohort,
        }
    }

    fn brownout_of(
        &self,
        cohort: &Cohort,
        account: &AccountKey,
        phase: Phase,
        at: Timestamp,
    ) -> Option<Brownout> {
        if phase != Phase::Brownout {
            return None;
        }
        let begins = cohort.start_of(Phase::Brownout)?;
        let ends = cohort.start_of(Phase::Closed);
        let mut brownout = cohort.brownout.refusal(account, at, &self.zone, (begins, ends))?;
        // It does not outlast its phase: after that the reason is another one.
        if let Some(ends) = ends {
            brownout.until = brownout.until.min(ends);
        }
        Some(brownout)
    }

    /// The name of the cohort of an account, shared.
    #[must_use]
    pub fn cohort_name(&self, account: &AccountKey) -> Arc<str> {
        Arc::clone(&self.cohort_of(account).name)
    }
}
