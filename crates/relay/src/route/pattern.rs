//! Domains as routes name them: one, all below one, or all.

use std::collections::HashMap;
use std::fmt;

use address::{AddressError, Domain, Host};
use auth::domain_in_ascii;

/// Which domains are meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// This one: `example.org`.
    Exact(Domain),
    /// All below it, and not itself: `*.example.org`, `*.jp`. In lower case.
    Below(Box<str>),
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
            // What is below may be below a single label, which is no domain by itself.
            Some(domain) => Domain::parse(&format!("x.{domain}")).map(|below| {
                let above = below.as_str().split_once('.').map_or("", |(_, above)| above);
                Self::Below(above.into())
            }),
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
            (Self::Below(above), Self::Exact(domain)) => is_below(domain.as_str(), above),
            (Self::Below(above), Self::Below(domain)) => domain == above || is_below(domain, above),
            (Self::Exact(domain), Self::Exact(other)) => domain == other,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(domain) => f.write_str(domain.as_str()),
            Self::Below(above) => write!(f, "*.{above}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// Whether `domain` lies below `above`.
fn is_below(domain: &str, above: &str) -> bool {
    domain.strip_suffix(above).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// A domain as the index knows it: in A-labels.
fn key(domain: &str) -> Box<str> {
    domain_in_ascii(domain).into_owned().into()
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
            Pattern::Exact(domain) => self.exact.entry(key(domain.as_str())).or_default(),
            Pattern::Below(above) => self.below.entry(key(above)).or_default(),
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
        let ascii = host.domain().map(|domain| domain_in_ascii(domain.as_str()));
        let domain = ascii.as_deref();
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
