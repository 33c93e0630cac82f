//! From the schedule as it is written to the schedule that is obeyed.

mod cohort;
mod window;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use address::{AccountKey, Domain};
use jiff::Timestamp;
use toml::Spanned;
use toml::value::Datetime;

use crate::cohort::Cohort;
use crate::config::{EarlyClosingConfig, ExtensionConfig, ScheduleConfig};
use crate::exception::{EarlyClosing, Exceptions, Extension};
use crate::schedule::Schedule;
use crate::source::{Mistake, Mistakes, Source};
use crate::zone::Zone;

/// More would be a mistake, and every consult walks over them.
const COHORTS_MAX: usize = 256;
/// Characters of a reason.
const REASON_MAX: usize = 500;

/// See [`Schedule::resolve`].
pub(crate) fn schedule(
    config: &ScheduleConfig,
    source: &Source,
    default_domain: Option<&Domain>,
) -> Result<Schedule, Mistakes> {
    let mut resolver = Resolver { source, default_domain, zone: Zone::utc(), mistakes: Vec::new() };
    resolver.zone = resolver.zone_of(config.zone.as_ref());
    let cohorts = resolver.cohorts(config);
    let exceptions = resolver.exceptions(config);
    let Resolver { zone, mut mistakes, .. } = resolver;
    mistakes.sort_by_key(|mistake| mistake.place.as_ref().map(|place| (place.line, place.column)));
    Mistakes::check(mistakes)?;
    let cohorts = match cohorts.is_empty() {
        true => Schedule::open_for_ever(source).cohorts,
        false => cohorts,
    };
    Ok(Schedule { zone, cohorts, exceptions })
}

/// What resolving needs, and the mistakes found so far.
pub(crate) struct Resolver<'a> {
    source: &'a Source,
    default_domain: Option<&'a Domain>,
    zone: Zone,
    mistakes: Vec<Mistake>,
}

impl Resolver<'_> {
    fn fault(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let help = Some(help.into()).filter(|help| !help.is_empty());
        self.mistakes.push(self.source.mistake(Some(span), message, help));
    }

    fn zone_of(&mut self, written: Option<&Spanned<String>>) -> Zone {
        let Some(written) = written else { return Zone::utc() };
        Zone::named(written.get_ref()).unwrap_or_else(|suggestion| {
            let help = match suggestion {
                Some(name) => format!("did you mean \"{name}\"?"),
                None => "write a name of the IANA database, such as \"Asia/Tokyo\"".to_owned(),
            };
            self.fault(written.span(), format!("no zone is called {:?}", written.get_ref()), help);
            Zone::utc()
        })
    }

    fn instant(&mut self, written: &Spanned<Datetime>) -> Option<Timestamp> {
        match self.zone.resolve(written.get_ref()) {
            Ok(at) => Some(at),
            Err(problem) => {
                self.fault(written.span(), problem.message, problem.help);
                None
            }
        }
    }

    fn cohorts(&mut self, config: &ScheduleConfig) -> Vec<Cohort> {
        if let Some(extra) = config.cohort.get(COHORTS_MAX) {
            self.fault(extra.span(), format!("more than {COHORTS_MAX} cohorts"), "merge some");
            return Vec::new();
        }
        let cohorts: Vec<_> =
            config.cohort.iter().filter_map(|written| self.cohort(written)).collect();
        self.check_names(config);
        self.check_rest(config);
        self.check_domains(config);
        cohorts
    }

    fn check_names(&mut self, config: &ScheduleConfig) {
        let mut seen: HashMap<&str, Range<usize>> = HashMap::new();
        let names = config.cohort.iter().filter_map(|cohort| cohort.get_ref().name.as_ref());
        for name in names {
            if let Some(first) = seen.insert(name.get_ref(), name.span()) {
                let line = self.source.place(&first).line;
                self.fault(
                    name.span(),
                    format!("a cohort called {:?} exists already, in line {line}", name.get_ref()),
                    "give each cohort its own name",
                );
            }
        }
    }

    /// Exactly one cohort takes the rest, and it is the last one.
    fn check_rest(&mut self, config: &ScheduleConfig) {
        let rests: Vec<_> = config
            .cohort
            .iter()
            .filter_map(|cohort| cohort.get_ref().rest.as_ref())
            .filter(|rest| *rest.get_ref())
            .collect();
        if let Some(second) = rests.get(1) {
            let line = self.source.place(&rests[0].span()).line;
            self.fault(
                second.span(),
                format!("a second cohort takes the rest; the first does in line {line}"),
                "keep `rest = true` in the last cohort alone",
            );
            return;
        }
        let Some(last) = config.cohort.last() else { return };
        if rests.is_empty() {
            self.fault(
                last.span(),
                "no cohort takes the rest, so that some accounts would be in none",
                "add a last [[schedule.cohort]] with `rest = true`",
            );
        } else if last.get_ref().rest.as_ref().is_none_or(|rest| !rest.get_ref()) {
            self.fault(
                last.span(),
                "this cohort stands after the rest and can take nobody",
                "move it before the cohort with `rest = true`",
            );
        }
    }

    /// A domain that an earlier cohort takes whole leaves nothing for a later one.
    fn check_domains(&mut self, config: &ScheduleConfig) {
        let mut taken: HashMap<String, Range<usize>> = HashMap::new();
        for cohort in config.cohort.iter().map(Spanned::get_ref) {
            for domain in &cohort.domains {
                let name = domain.get_ref().to_lowercase();
                if let Some(first) = taken.get(&name) {
                    let line = self.source.place(first).line;
                    self.fault(
                        domain.span(),
                        format!("{name} belongs to an earlier cohort already, in line {line}"),
                        "the first cohort that matches takes an account: name the domain once",
                    );
                }
                if cohort.percent.is_none() {
                    taken.entry(name).or_insert_with(|| domain.span());
                }
            }
        }
    }

    fn exceptions(&mut self, config: &ScheduleConfig) -> HashMap<AccountKey, Exceptions> {
        let mut exceptions: HashMap<AccountKey, Exceptions> = HashMap::new();
        for written in &config.extension {
            let Some((account, extension)) = self.extension(written.get_ref()) else { continue };
            let slot = &mut exceptions.entry(account).or_default().extension;
            if let Some(first) = slot {
                self.twice(written.get_ref().account.span(), "an extension", first.place.line);
            } else {
                *slot = Some(extension);
            }
        }
        for written in &config.early_closing {
            let span = written.get_ref().account.span();
            let Some((account, closing)) = self.closing(written.get_ref()) else { continue };
            let slot = exceptions.entry(account).or_default();
            if let Some(first) = &slot.closing {
                self.twice(span, "an early closing", first.place.line);
                continue;
            }
            if let Some(extension) = slot.extension.as_ref().filter(|e| closing.from < e.until) {
                let line = extension.place.line;
                self.fault(
                    span,
                    format!("the account closes early while its extension in line {line} runs"),
                    "delete one of the two, or let the closing begin where the extension ends",
                );
                continue;
            }
            slot.closing = Some(closing);
        }
        exceptions
    }

    fn twice(&mut self, span: Range<usize>, what: &str, line: u32) {
        self.fault(
            span,
            format!("the account has {what} already, in line {line}"),
            "keep one of the two",
        );
    }

    fn extension(&mut self, written: &ExtensionConfig) -> Option<(AccountKey, Extension)> {
        let account = self.account(&written.account);
        let until = self.instant(&written.until);
        let reason = self.reason(&written.reason);
        let place = self.source.place(&written.until.span());
        Some((account?, Extension { until: until?, reason: reason?, place }))
    }

    fn closing(&mut self, written: &EarlyClosingConfig) -> Option<(AccountKey, EarlyClosing)> {
        let account = self.account(&written.account);
        let from = self.instant(&written.from);
        let reason = self.reason(&written.reason);
        let place = self.source.place(&written.from.span());
        Some((account?, EarlyClosing { from: from?, reason: reason?, place }))
    }

    fn account(&mut self, written: &Spanned<String>) -> Option<AccountKey> {
        match AccountKey::parse(written.get_ref(), self.default_domain) {
            Ok(account) => Some(account),
            Err(error) => {
                let message = format!("not an account name: {error}");
                self.fault(written.span(), message, "write the login name of one account");
                None
            }
        }
    }

    fn reason(&mut self, written: &Spanned<String>) -> Option<String> {
        let reason = written.get_ref().trim();
        if reason.is_empty() || reason.chars().count() > REASON_MAX {
            self.fault(
                written.span(),
                format!("`reason` must have 1 to {REASON_MAX} characters"),
                "say for those who read it later why the account is an exception",
            );
            return None;
        }
        Some(reason.to_owned())
    }

    fn name(&mut self, written: Option<&Spanned<String>>, whole: Range<usize>) -> Option<Arc<str>> {
        let Some(name) = written else {
            self.fault(whole, "the cohort has no `name`", "add a line such as name = \"north\"");
            return None;
        };
        let text = name.get_ref();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
            self.fault(
                name.span(),
                format!("{text:?} is no name for a cohort"),
                "use 1 to 64 lower-case letters, digits, `-` and `_`",
            );
            return None;
        }
        Some(text.as_str().into())
    }
}
