//! Domains as routes name them: one, all below one, or all.

use std::collections::HashMap;
use std::fmt;

use address::{AddressError, Domain, Host};

/// Which domains are meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// This one: `example.org`.
    Exact(Domain),
    /// All below it, and not itself: `*.example.org`.
    Below(Domain),
    /// All, and address literals: `*`.
    Any,
}

impl Pattern {
    /// Reads one of the three forms.
    ///
    /// # Errors
    /// What is wrong with the domain.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match text.strip_prefix("*.") {
            _ if text == "*" => Ok(Self::Any),
            Some(domain) => Domain::parse(domain).map(Self::Below),
            None => Domain::parse(text).map(Self::Exact),
        }
    }

    /// Whether every domain that `other` means is meant here too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Below(_) | Self::Exact(_), Self::Any) | (Self::Exact(_), Self::Below(_)) => {
                false
            }
            (Self::Below(above), Self::Exact(domain)) => domain != above && domain.is_within(above),
            (Self::Below(above), Self::Below(domain)) => domain.is_within(above),
            (Self::Exact(domain), Self::Exact(other)) => domain == other,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(domain) => f.write_str(domain.as_str()),
            Self::Below(domain) => write!(f, "*.{}", domain.as_str()),
            Self::Any => f.write_str("*"),
        }
    }
}

/// Places in a list, found by domain: the time of a look-up does not grow with their number.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    exact: HashMap<Box<str>, Vec<usize>>,
    below: HashMap<Box<str>, Vec<usize>>,
    any: Vec<usize>,
}

impl Index {
    /// Adds `place`, which must not be smaller than those before it.
    pub(super) fn insert(&mut self, pattern: &Pattern, place: usize) {
        let places = match pattern {
            Pattern::Exact(domain) => self.exact.entry(domain.as_str().into()).or_default(),
            Pattern::Below(domain) => self.below.entry(domain.as_str().into()).or_default(),
            Pattern::Any => &mut self.any,
        };
        places.push(place);
    }

    /// The smallest place that means `host` and of which `suits` is true. With `exact_only`, a
    /// place must name the domain itself.
    pub(super) fn first(
        &self,
        host: &Host,
        exact_only: bool,
        suits: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let first = |places: &Vec<usize>| places.iter().copied().find(|&place| suits(place));
        let domain = host.domain().map(Domain::as_str);
        let exact = domain.and_then(|domain| self.exact.get(domain)).and_then(first);
        if exact_only {
            return exact;
        }
        let mut best = exact;
        let mut take = |found: Option<usize>| {
            best = [best, found].into_iter().flatten().min();
        };
        take(first(&self.any));
        let mut rest = domain;
        while let Some((_, above)) = rest.and_then(|domain| domain.split_once('.'))
            && !self.below.is_empty()
        {
            take(self.below.get(above).and_then(first));
            rest = Some(above);
        }
        best
    }

    /// Whether any place means `host`.
    pub(super) fn has(&self, host: &Host) -> bool {
        self.first(host, false, |_| true).is_some()
    }
}
