//! All filters of the configuration, and the selection that a listener requires.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::{ConfigError, FilterConfig};
use crate::conversation::Conversation;
use crate::facts::Client;
use crate::milter::Milter;
use crate::policy::Policy;

/// All filters of the configuration. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    all: Arc<Vec<(String, Filter)>>,
    counters: Arc<Counters>,
}

/// One filter.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    Milter(Arc<Milter>),
    Policy(Arc<Policy>),
}

/// The filters that a listener requires, in its order. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub(crate) filters: Arc<[Filter]>,
    pub(crate) counters: Arc<Counters>,
}

/// A listener requires a filter that is not configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no filter {0:?}")]
pub struct UnknownFilter(pub String);

/// What filters did since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Messages that all filters let pass.
    pub passed: u64,
    /// Senders, recipients and messages that one refused.
    pub refused: u64,
    /// Messages that were held for review.
    pub held: u64,
    /// Messages that were dropped.
    pub discarded: u64,
    /// Messages that were changed.
    pub changed: u64,
    /// Questions that a filter could not be asked.
    pub failures: u64,
}

/// [`Statistics`] while they grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) passed: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) held: AtomicU64,
    pub(crate) discarded: AtomicU64,
    pub(crate) changed: AtomicU64,
    pub(crate) failures: AtomicU64,
}

impl Filters {
    /// The filters of `config`. Nothing is connected yet.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn new(config: &FilterConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let milters = config.milter.iter().filter_map(|milter| {
            Some((milter.name.clone(), Filter::Milter(Arc::new(Milter::new(milter)?))))
        });
        let policies = config.policy.iter().filter_map(|policy| {
            Some((policy.name.clone(), Filter::Policy(Arc::new(Policy::new(policy)?))))
        });
        let all = Arc::new(milters.chain(policies).collect());
        Ok(Self { all, counters: Arc::default() })
    }

    /// The filters called `names`, in this order.
    ///
    /// # Errors
    /// The first name that no filter has.
    pub fn for_listener(&self, names: &[String]) -> Result<Selection, UnknownFilter> {
        let find = |name: &String| {
            let found = self.all.iter().find(|(other, _)| other == name);
            found.map(|(_, filter)| filter.clone()).ok_or_else(|| UnknownFilter(name.clone()))
        };
        let filters = names.iter().map(find).collect::<Result<_, _>>()?;
        Ok(Selection { filters, counters: Arc::clone(&self.counters) })
    }

    /// What they did since the start.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        Statistics {
            passed: read(&counters.passed),
            refused: read(&counters.refused),
            held: read(&counters.held),
            discarded: read(&counters.discarded),
            changed: read(&counters.changed),
            failures: read(&counters.failures),
        }
    }
}

impl Selection {
    /// Whether there is nobody to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// A conversation about one transaction of `client`. Nothing is connected yet.
    #[must_use]
    pub fn begin(&self, client: Client) -> Conversation {
        Conversation::new(self.clone(), client)
    }
}
