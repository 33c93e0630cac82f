//! The table of routes: the first that takes a recipient is his.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use address::{AccountKey, Domain, Mailbox, ReversePath};

use super::pattern::{Index, Pattern};
use crate::config::{ConfigError, Deliver, HopSettings, MX, NEXT_HOP, RouteConfig};

/// Routes that may be given.
const ROUTES_MAX: usize = 10_000;
/// Hops that one route may name.
const STOPS_MAX: usize = 32;

/// Which mail goes where.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    list: Vec<Route>,
    index: Index,
    warnings: Vec<String>,
}

#[derive(Clone, Debug)]
struct Route {
    number: usize,
    patterns: Vec<Pattern>,
    from: From,
    course: Course,
}

/// Whose mail a route takes.
#[derive(Clone, Debug, Default)]
struct From {
    domains: Option<(Vec<Pattern>, Index)>,
    accounts: Option<HashSet<AccountKey>>,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Course {
    /// To these, in order of preference; those of one group share the load.
    Hops(Arc<[Vec<Stop>]>),
    /// Back to the sender, with this text.
    Refuse(Arc<str>),
    /// Nowhere, and nobody is told.
    Discard,
}

/// A hop of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A hop, by its place in [`crate::Settings::hops`].
    Hop(usize),
    /// The mail exchangers of the recipient's domain.
    Mx,
}

/// What is asked of the table.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// To whom.
    pub recipient: &'a Mailbox,
    /// Whether his domain is one of those that have Maildirs here.
    pub is_local: bool,
    /// From whom, as the envelope says.
    pub sender: &'a ReversePath,
    /// The account that submitted it, if one did.
    pub account: Option<&'a AccountKey>,
}

impl From {
    fn takes(&self, question: &Question<'_>) -> bool {
        let by_domain = self.domains.as_ref().is_none_or(|(_, index)| {
            question.sender.mailbox().is_some_and(|sender| index.has(sender.host()))
        });
        let by_account = self.accounts.as_ref().is_none_or(|accounts| {
            question.account.is_some_and(|account| accounts.contains(account))
        });
        by_domain && by_account
    }

    /// Whether all mail of `other` is taken here too.
    fn covers(&self, other: &Self) -> bool {
        let domains = match (&self.domains, &other.domains) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((here, _)), Some((there, _))) => {
                there.iter().all(|wanted| here.iter().any(|pattern| pattern.covers(wanted)))
            }
        };
        let accounts = match (&self.accounts, &other.accounts) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(here), Some(there)) => there.is_subset(here),
        };
        domains && accounts
    }
}

impl Routes {
    /// Where mail goes, and by the route of which number; `None`: no route takes it.
    #[must_use]
    pub fn find(&self, question: &Question<'_>) -> Option<(usize, &Course)> {
        let takes = |place: usize| self.list[place].from.takes(question);
        let place = self.index.first(question.recipient.host(), question.is_local, takes)?;
        let route = self.list.get(place)?;
        Some((route.number, &route.course))
    }

    /// How many there are, with that to the next hop, which is the last.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether some route leads to `stop`.
    pub(crate) fn lead_to(&self, stop: Stop) -> bool {
        self.list.iter().any(|route| route.course.has(stop))
    }

    /// Where each route leads, by its number.
    pub(crate) fn courses(&self) -> impl Iterator<Item = &Course> {
        self.list.iter().map(|route| &route.course)
    }

    /// What is allowed and probably not meant.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// From the configuration. Behind the routes comes the next hop, if there is one among
    /// `hops`, for all that is not taken before.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub(crate) fn resolve(
        sections: &[RouteConfig],
        hops: &[HopSettings],
        local_domains: &[Domain],
    ) -> Result<Self, ConfigError> {
        if sections.len() > ROUTES_MAX {
            let expected = format!("at most {ROUTES_MAX} routes");
            return Err(ConfigError::new("route", sections.len(), expected));
        }
        let names: HashMap<&str, usize> =
            hops.iter().enumerate().map(|(place, hop)| (&*hop.name, place)).collect();
        let mut routes = Self::default();
        for (number, section) in sections.iter().enumerate() {
            routes.push(Route {
                number,
                patterns: patterns(number, "domains", &section.domains)?,
                from: from(number, section)?,
                course: course(number, section, &names)?,
            })?;
        }
        if let Some(&place) = names.get(NEXT_HOP) {
            let course = Course::Hops([vec![Stop::Hop(place)]].into());
            let (patterns, from) = (vec![Pattern::Any], From::default());
            routes.push(Route { number: sections.len(), patterns, from, course })?;
        }
        routes.warn(hops, sections.len(), local_domains);
        Ok(routes)
    }

    /// Adds a route, unless one before it names the same domain for the same senders.
    fn push(&mut self, route: Route) -> Result<(), ConfigError> {
        let place = self.list.len();
        for (at, pattern) in route.patterns.iter().enumerate() {
            let again = route.patterns[..at].contains(pattern);
            let before = self.list.iter().find(|other| {
                let same = other.from.covers(&route.from) && route.from.covers(&other.from);
                same && other.patterns.contains(pattern)
            });
            // A route for all beside the next hop is a warning, not a mistake.
            let named = !matches!(pattern, Pattern::Any);
            if again || (before.is_some() && named) {
                let key = format!("route[{}].domains", route.number);
                let where_else = before.map_or(route.number, |other| other.number);
                let expected = format!(
                    "each domain once for the same senders, but it is in route[{where_else}] \
                     already: remove one of the two"
                );
                return Err(ConfigError::new(key, format_args!("\"{pattern}\""), expected));
            }
            self.index.insert(pattern, place);
        }
        self.list.push(route);
        Ok(())
    }

    fn warn(&mut self, hops: &[HopSettings], sections: usize, local_domains: &[Domain]) {
        let mut warnings = Vec::new();
        for (place, route) in self.list.iter().enumerate() {
            let covered: Vec<_> =
                route.patterns.iter().map(|p| self.covering(place, p, local_domains)).collect();
            let Some(first) = covered.first().copied().flatten() else { continue };
            if covered.contains(&None) {
                continue;
            }
            let name = match route.number == sections {
                true => "relay.next_hop".to_owned(),
                false => format!("relay.route[{}]", route.number),
            };
            // Named by a route, the next hop has its use.
            if route.number < sections || !self.uses(place, &route.course) {
                warnings.push(format!(
                    "{name} gets no mail: relay.route[{first}] before it takes all of it"
                ));
            }
        }
        for (place, hop) in hops.iter().enumerate() {
            let stop = Stop::Hop(place);
            if !self.lead_to(stop) {
                let name = &hop.name;
                warnings.push(format!("relay.{}: no route leads to the hop {name:?}", hop.key));
            }
        }
        self.warnings = warnings;
    }

    /// The number of a route before `place` that takes all mail to `pattern` from its senders.
    fn covering(&self, place: usize, pattern: &Pattern, local: &[Domain]) -> Option<usize> {
        let by_name = matches!(pattern, Pattern::Exact(domain) if local.contains(domain));
        let route = self.list.get(place)?;
        let covers = |other: &&Route| {
            let takes = |p: &Pattern| if by_name { p == pattern } else { p.covers(pattern) };
            other.from.covers(&route.from) && other.patterns.iter().any(takes)
        };
        self.list.get(..place)?.iter().find(covers).map(|other| other.number)
    }

    /// Whether a route other than that at `place` leads to one of the hops of `course`.
    fn uses(&self, place: usize, course: &Course) -> bool {
        let Course::Hops(groups) = course else { return false };
        let others = self.list.iter().enumerate().filter(|(other, _)| *other != place);
        let mut courses = others.map(|(_, route)| &route.course);
        courses.any(|other| groups.iter().flatten().any(|&stop| other.has(stop)))
    }
}

impl Course {
    fn has(&self, stop: Stop) -> bool {
        matches!(self, Self::Hops(groups) if groups.iter().flatten().any(|&other| other == stop))
    }
}

fn patterns(number: usize, key: &str, texts: &[String]) -> Result<Vec<Pattern>, ConfigError> {
    let expected = "domains such as \"example.org\", \"*.example.org\" or \"*\"";
    if texts.is_empty() {
        return Err(ConfigError::new(format!("route[{number}].{key}"), "[]", expected));
    }
    let parse = |text: &String| {
        Pattern::parse(text).map_err(|error| {
            let expected = format!("{expected}, but {error}");
            let key = format!("route[{number}].{key}");
            ConfigError::new(key, format_args!("{text:?}"), expected)
        })
    };
    texts.iter().map(parse).collect()
}

fn from(number: usize, section: &RouteConfig) -> Result<From, ConfigError> {
    let domains = match section.sender_domains.is_empty() {
        true => None,
        false => {
            let patterns = patterns(number, "sender_domains", &section.sender_domains)?;
            let mut index = Index::default();
            for pattern in &patterns {
                index.insert(pattern, 0);
            }
            Some((patterns, index))
        }
    };
    let parse = |text: &String| {
        AccountKey::parse(text, None).map_err(|error| {
            let expected = format!("names of accounts, but {error}");
            let key = format!("route[{number}].accounts");
            ConfigError::new(key, format_args!("{text:?}"), expected)
        })
    };
    let accounts = match section.accounts.is_empty() {
        true => None,
        false => Some(section.accounts.iter().map(parse).collect::<Result<_, _>>()?),
    };
    Ok(From { domains, accounts })
}

fn course(
    number: usize,
    section: &RouteConfig,
    names: &HashMap<&str, usize>,
) -> Result<Course, ConfigError> {
    let key = |key: &str| format!("route[{number}].{key}");
    if section.deliver != Deliver::Hops && !section.hops.0.is_empty() {
        let expected = "none beside deliver = \"refuse\" or \"discard\"";
        return Err(ConfigError::new(key("hops"), "hops", expected));
    }
    if section.deliver != Deliver::Refuse && section.text.is_some() {
        let expected = "deliver = \"refuse\" beside it";
        return Err(ConfigError::new(key("text"), "a text", expected));
    }
    match section.deliver {
        Deliver::Hops => stops(&key("hops"), &section.hops.0, names),
        Deliver::Discard => Ok(Course::Discard),
        Deliver::Refuse => {
            let text = section.text.as_deref().unwrap_or("mail to this address is not taken here");
            if text.is_empty() || text.len() > 400 || text.chars().any(char::is_control) {
                let expected = "one line of 1 to 400 octets";
                return Err(ConfigError::new(key("text"), format_args!("{text:?}"), expected));
            }
            Ok(Course::Refuse(text.into()))
        }
    }
}

fn stops(
    key: &str,
    groups: &[Vec<String>],
    names: &HashMap<&str, usize>,
) -> Result<Course, ConfigError> {
    let known = || {
        let mut known: Vec<_> = names.keys().copied().chain([MX]).collect();
        known.sort_unstable();
        known.join(", ")
    };
    if groups.is_empty() || groups.iter().any(Vec::is_empty) {
        let expected = format!("at least one hop in each list, of: {}", known());
        return Err(ConfigError::new(key, "an empty list", expected));
    }
    if groups.iter().map(Vec::len).sum::<usize>() > STOPS_MAX {
        let expected = format!("at most {STOPS_MAX} hops in a route");
        return Err(ConfigError::new(key, "more", expected));
    }
    let mut seen = HashSet::new();
    let mut course = Vec::with_capacity(groups.len());
    for group in groups {
        let mut stops = Vec::with_capacity(group.len());
        for name in group {
            if !seen.insert(name.as_str()) {
                let expected = "each hop once in a route";
                return Err(ConfigError::new(key, format_args!("{name:?}"), expected));
            }
            stops.push(match names.get(name.as_str()) {
                Some(&place) => Stop::Hop(place),
                None if name == MX => Stop::Mx,
                None => {
                    let expected = format!(
                        "the name of a [[relay.hop]], of: {}; is its section missing?",
                        known()
                    );
                    return Err(ConfigError::new(key, format_args!("{name:?}"), expected));
                }
            });
        }
        course.push(stops);
    }
    Ok(Course::Hops(course.into()))
}
