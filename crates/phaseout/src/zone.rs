//! The named zone in which dates are written.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use toml::value::{Datetime, Offset};

use crate::suggest::nearest;

/// A named zone of the IANA database.
#[derive(Clone, Debug)]
pub struct Zone {
    name: Arc<str>,
    rules: TimeZone,
}

/// Why a written date is not an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DateProblem {
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Zone {
    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".into(), rules: TimeZone::UTC }
    }

    /// The zone of that name, such as `Asia/Tokyo`.
    ///
    /// # Errors
    /// The likeliest name, if there is one, when the database has no such zone.
    pub fn named(name: &str) -> Result<Self, Option<String>> {
        match TimeZone::get(name) {
            Ok(rules) if !rules.is_unknown() => {
                let name = rules.iana_name().unwrap_or(name).into();
                Ok(Self { name, rules })
            }
            _ => {
                let names: Vec<_> = jiff::tz::db().available().collect();
                Err(nearest(name, names.iter().map(|name| name.as_str())).map(str::to_owned))
            }
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the clocks there show.
    #[must_use]
    pub fn civil(&self, at: Timestamp) -> DateTime {
        self.rules.to_datetime(at)
    }

    /// The instant at which the clocks there show `civil`; inside a gap as much later as
    /// the clock is put forward, in a repeated hour the first of the two.
    #[must_use]
    pub fn instant(&self, civil: DateTime) -> Option<Timestamp> {
        self.rules.to_ambiguous_timestamp(civil).compatible().ok()
    }

    /// The instant that a date of the configuration means: with a time that instant, without
    /// one the beginning of the day.
    pub(crate) fn resolve(&self, written: &Datetime) -> Result<Timestamp, DateProblem> {
        let problem = |message: String, help: &str| DateProblem { message, help: help.to_owned() };
        let Some(date) = written.date else {
            return Err(problem(
                format!("{written} is a time without a date"),
                "write a date such as 2027-03-10, or a date and a time such as 2027-03-10T09:00:00",
            ));
        };
        let year = i16::try_from(date.year).unwrap_or(i16::MAX);
        let day =
            Date::new(year, date.month.cast_signed(), date.day.cast_signed()).map_err(|_| {
                problem(format!("{written} is not in the calendar"), "correct the date")
            })?;
        let time = match written.time {
            None => Time::midnight(),
            Some(time) => civil_time(time).ok_or_else(|| {
                problem(format!("{written} has no such time of day"), "write 00:00:00 to 23:59:59")
            })?,
        };
        let civil = day.to_datetime(time);
        let outside = || problem(format!("{written} is out of range"), "write a nearer date");
        if let Some(offset) = written.offset {
            let minutes = match offset {
                Offset::Z => 0,
                Offset::Custom { minutes } => i32::from(minutes),
            };
            let fixed = jiff::tz::Offset::from_seconds(minutes * 60).map_err(|_| outside())?;
            return fixed.to_timestamp(civil).map_err(|_| outside());
        }
        let found = self.rules.to_ambiguous_timestamp(civil);
        match found.offset() {
            // A day may begin after midnight where the clock is put forward at midnight.
            _ if written.time.is_none() => found.compatible().map_err(|_| outside()),
            AmbiguousOffset::Unambiguous { .. } => found.compatible().map_err(|_| outside()),
            AmbiguousOffset::Gap { .. } => Err(problem(
                format!("{civil} does not exist in {self}: the clock is put forward over it"),
                "choose a time before or after the change",
            )),
            AmbiguousOffset::Fold { before, after } => Err(problem(
                format!("{civil} comes twice in {self}: the clock is put back over it"),
                &format!("say which, by offset: {civil}{before}:00 or {civil}{after}:00"),
            )),
        }
    }

    /// The instant for people: `2027-03-10 (Asia/Tokyo)` at the beginning of a day, otherwise
    /// with the time.
    #[must_use]
    pub fn describe(&self, at: Timestamp) -> String {
        let civil = self.civil(at);
        if civil.time() == Time::midnight() {
            format!("{} ({self})", civil.date())
        } else {
            format!("{} ({self})", civil.strftime("%Y-%m-%d %H:%M"))
        }
    }

    /// The instant for machines: RFC 3339 with the zone's offset.
    #[must_use]
    pub fn rfc3339(&self, at: Timestamp) -> String {
        at.display_with_offset(self.rules.to_offset(at)).to_string()
    }
}

fn civil_time(time: toml::value::Time) -> Option<Time> {
    let second = time.second.unwrap_or(0).cast_signed();
    let nanosecond = i32::try_from(time.nanosecond.unwrap_or(0)).ok()?;
    Time::new(time.hour.cast_signed(), time.minute.cast_signed(), second, nanosecond).ok()
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(zone: &str, date: &str) -> Result<String, String> {
        let zone = Zone::named(zone).unwrap();
        zone.resolve(&date.parse().unwrap())
            .map(|at| at.to_string())
            .map_err(|problem| format!("{} / {}", problem.message, problem.help))
    }

    #[test]
    fn dates_are_days_of_the_zone() {
        assert_eq!(resolve("Asia/Tokyo", "2027-03-10").unwrap(), "2027-03-09T15:00:00Z");
        assert_eq!(resolve("Asia/Tokyo", "2027-03-10T09:00:00").unwrap(), "2027-03-10T00:00:00Z");
        assert_eq!(resolve("UTC", "2027-03-10T09:00:00+09:00").unwrap(), "2027-03-10T00:00:00Z");
        // Cairo's summer time begins at midnight: the day begins at one.
        assert_eq!(resolve("Africa/Cairo", "2026-04-24").unwrap(), "2026-04-23T22:00:00Z");
    }

    #[test]
    fn a_time_that_does_not_exist_or_comes_twice_is_a_mistake() {
        let gap = resolve("Europe/Berlin", "2027-03-28T02:30:00").unwrap_err();
        assert!(gap.starts_with("2027-03-28T02:30:00 does not exist in Europe/Berlin"), "{gap}");
        let fold = resolve("Europe/Berlin", "2027-10-31T02:30:00").unwrap_err();
        assert!(fold.contains("comes twice"), "{fold}");
        assert!(fold.contains("2027-10-31T02:30:00+02:00 or 2027-10-31T02:30:00+01:00"), "{fold}");
        for offset in ["+02:00", "+01:00"] {
            assert!(resolve("Europe/Berlin", &format!("2027-10-31T02:30:00{offset}")).is_ok());
        }
        assert!(resolve("UTC", "09:00:00").unwrap_err().contains("without a date"));
    }

    #[test]
    fn an_unknown_zone_brings_a_suggestion() {
        assert_eq!(Zone::named("Asia/Tokio").unwrap_err().as_deref(), Some("Asia/Tokyo"));
        assert_eq!(Zone::named("JST-9").unwrap_err(), None);
        assert!(Zone::named("Etc/Unknown").is_err());
        assert_eq!(Zone::named("asia/tokyo").unwrap().name(), "Asia/Tokyo");
    }

    #[test]
    fn descriptions() {
        let zone = Zone::named("Asia/Tokyo").unwrap();
        assert_eq!(
            zone.describe("2027-03-09T15:00:00Z".parse().unwrap()),
            "2027-03-10 (Asia/Tokyo)"
        );
        let later = "2027-03-09T15:30:00Z".parse().unwrap();
        assert_eq!(zone.describe(later), "2027-03-10 00:30 (Asia/Tokyo)");
        assert_eq!(zone.rfc3339(later), "2027-03-10T00:30:00+09:00");
    }
}
