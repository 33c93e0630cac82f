//! One cohort: whom it takes, and its dates in order.

use std::ops::Range;

use address::Domain;
use toml::Spanned;
use toml::value::Datetime;

use super::Resolver;
use crate::cohort::{Cohort, Lists, Selector, Start, Starts};
use crate::config::CohortConfig;
use crate::list_file;
use crate::pattern::Pattern;
use crate::phase::Phase;
use crate::share::Percent;

impl Resolver<'_> {
    /// `None` if it has a mistake that leaves nothing to go on with.
    pub(super) fn cohort(&mut self, written: &Spanned<CohortConfig>) -> Option<Cohort> {
        let (config, span) = (written.get_ref(), written.span());
        let name = self.name(config.name.as_ref(), span.clone());
        let selector = self.selector(config, span.clone());
        let starts = self.starts(config);
        let brownout = self.brownout(config);
        let place = match &config.name {
            Some(name) => self.source.place(&name.span()),
            None => self.source.place(&span),
        };
        Some(Cohort { name: name?, selector: selector?, starts, brownout, place })
    }

    fn selector(&mut self, config: &CohortConfig, whole: Range<usize>) -> Option<Selector> {
        let named = !config.domains.is_empty() || !config.addresses.is_empty();
        let some = named || config.list.is_some() || config.percent.is_some();
        match &config.rest {
            Some(rest) if !rest.get_ref() => {
                self.fault(rest.span(), "`rest = false` says nothing", "delete the line");
                None
            }
            Some(rest) if some => {
                self.fault(
                    rest.span(),
                    "`rest = true` stands beside another selection",
                    "the rest are all that no other cohort takes: give it its own cohort",
                );
                None
            }
            Some(_) => Some(Selector::Rest),
            None if some => self.lists(config).map(Selector::Some),
            None => {
                self.fault(
                    whole,
                    "the cohort takes nobody",
                    "give it `domains`, `addresses`, `list`, `percent` or `rest = true`",
                );
                None
            }
        }
    }

    fn lists(&mut self, config: &CohortConfig) -> Option<Lists> {
        let before = self.mistakes.len();
        let mut lists = Lists { described: described(config), ..Lists::default() };
        for written in &config.domains {
            match Domain::parse(written.get_ref()) {
                Ok(domain) => {
                    lists.domains.insert(domain.as_str().into());
                }
                Err(error) => self.fault(
                    written.span(),
                    format!("{:?} is no domain: {error}", written.get_ref()),
                    "write a domain such as \"north.example\", without @ or *",
                ),
            }
        }
        for written in &config.addresses {
            match Pattern::parse(written.get_ref()) {
                Some(pattern) => lists.patterns.push(pattern),
                None => self.fault(
                    written.span(),
                    format!("{:?} is no address pattern", written.get_ref()),
                    "write for example \"*@*.north.example\": 1 to 320 characters, no spaces",
                ),
            }
        }
        self.listed(config, &mut lists);
        if let Some(written) = &config.percent {
            lists.percent = Percent::new(*written.get_ref());
            if lists.percent.is_none() {
                self.fault(
                    written.span(),
                    format!("`percent` is {}, which is not a percentage", written.get_ref()),
                    "write a number above 0 and up to 100",
                );
            }
        }
        (self.mistakes.len() == before).then_some(lists)
    }

    fn listed(&mut self, config: &CohortConfig, lists: &mut Lists) {
        let Some(written) = &config.list else { return };
        let path = self.source.relative(written.get_ref());
        match list_file::read(&path, self.default_domain) {
            Ok(accounts) if accounts.is_empty() => self.fault(
                written.span(),
                format!("{} names no account", path.display()),
                "write one account a line, or delete the cohort",
            ),
            Ok(accounts) => lists.listed = accounts,
            Err(message) => self.fault(
                written.span(),
                message,
                "a list is a text file of at most 64 MiB with one account a line",
            ),
        }
    }

    fn starts(&mut self, config: &CohortConfig) -> Starts {
        let written = [
            (Phase::Notice, &config.notice),
            (Phase::Brownout, &config.brownout),
            (Phase::Closed, &config.closed),
        ];
        let mut starts: Vec<Start> = Vec::new();
        for (phase, date) in written {
            let Some(date) = date else { continue };
            let Some(at) = self.instant(date) else { continue };
            if let Some(before) = starts.last().filter(|before| at <= before.at).cloned() {
                self.out_of_order(phase, date, &before);
                continue;
            }
            starts.push(Start { phase, at, place: self.source.place(&date.span()) });
        }
        Starts(starts)
    }

    fn out_of_order(&mut self, phase: Phase, date: &Spanned<Datetime>, before: &Start) {
        let line = before.place.line;
        let earlier = before.phase;
        self.fault(
            date.span(),
            format!(
                "`{phase}` ({}) does not come after `{earlier}` ({}, line {line})",
                date.get_ref(),
                self.zone.describe(before.at),
            ),
            "phases come in the order notice, brownout, closed, each later than the one before",
        );
    }
}

/// The selection in words.
fn described(config: &CohortConfig) -> String {
    let list = |texts: &[Spanned<String>]| {
        texts.iter().map(|text| text.get_ref().as_str()).collect::<Vec<_>>().join(", ")
    };
    let mut parts = Vec::new();
    if !config.domains.is_empty() {
        parts.push(format!("domains {}", list(&config.domains)));
    }
    if !config.addresses.is_empty() {
        parts.push(format!("addresses {}", list(&config.addresses)));
    }
    if let Some(path) = &config.list {
        parts.push(format!("list {}", path.get_ref().display()));
    }
    let named = parts.join("; ");
    match &config.percent {
        None => named,
        Some(percent) if named.is_empty() => format!("{} % of all accounts", percent.get_ref()),
        Some(percent) => format!("{} % of {named}", percent.get_ref()),
    }
}
