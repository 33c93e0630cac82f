//! Brownouts: refusals for a while, so that people notice before it hurts.

use address::AccountKey;
use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use serde::Serialize;

use crate::share::{self, HOUR, Percent};
use crate::source::Place;
use crate::zone::Zone;

/// Minutes of a day.
pub(crate) const DAY: u16 = 24 * 60;

/// A brownout that refuses an account now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Brownout {
    /// When it ends for this account (half-open: at that instant it is over), unless another
    /// follows at once.
    pub until: Timestamp,
    /// What makes it so.
    pub cause: Cause,
}

/// What makes a brownout refuse.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// A weekly window.
    Window,
    /// A share of hours, in percent, as it stands in this hour.
    Share(f64),
}

/// A weekly window, in the schedule's zone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Window {
    /// Bit 0 is Monday.
    pub(crate) days: u8,
    /// First minute of the day.
    pub(crate) from: u16,
    /// Minute of the day at which it is over; up to [`DAY`].
    pub(crate) to: u16,
    pub(crate) place: Place,
}

/// A share of hours that may rise towards the end of the phase.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Share {
    pub(crate) start: Percent,
    pub(crate) end: Percent,
    pub(crate) place: Place,
}

/// What a cohort's brownout refuses.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) windows: Vec<Window>,
    pub(crate) share: Option<Share>,
}

impl Window {
    /// Whether the clocks show a time within the window.
    fn holds(&self, civil: DateTime) -> bool {
        let day = 1u8 << civil.weekday().to_monday_zero_offset();
        let minute = minute_of(civil.time());
        self.days & day != 0 && self.from <= minute && minute < self.to
    }

    fn end(&self, civil: DateTime, zone: &Zone) -> Option<Timestamp> {
        let (date, minute) = match self.to {
            DAY.. => (civil.date().tomorrow().ok()?, 0),
            minute => (civil.date(), minute),
        };
        let (hour, minute) = ((minute / 60) as i8, (minute % 60) as i8);
        zone.instant(date.at(hour, minute, 0, 0))
    }

    /// Whether some time lies in both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.days & other.days != 0 && self.from < other.to && other.from < self.to
    }
}

fn minute_of(time: Time) -> u16 {
    time.hour().cast_unsigned() as u16 * 60 + time.minute().cast_unsigned() as u16
}

impl Plan {
    /// The brownout that refuses the account at `at`. `begins` and `ends`: those of the phase.
    pub(crate) fn refusal(
        &self,
        account: &AccountKey,
        at: Timestamp,
        zone: &Zone,
        (begins, ends): (Timestamp, Option<Timestamp>),
    ) -> Option<Brownout> {
        if !self.windows.is_empty() {
            let civil = zone.civil(at);
            if let Some(window) = self.windows.iter().find(|window| window.holds(civil)) {
                let until = window.end(civil, zone).unwrap_or(at);
                return Some(Brownout { until, cause: Cause::Window });
            }
        }
        let share = self.share.as_ref()?;
        let hour = share::hour_of(at);
        let percent = share.in_hour(hour, begins, ends);
        let until = Timestamp::from_second((hour + 1) * HOUR).ok()?;
        share::refuses(account, hour, percent)
            .then_some(Brownout { until, cause: Cause::Share(percent.get()) })
    }
}

impl Share {
    /// The share in the hour, constant within it.
    pub(crate) fn in_hour(&self, hour: i64, begins: Timestamp, ends: Option<Timestamp>) -> Percent {
        let (first, last) = (begins.as_second(), ends.map(Timestamp::as_second));
        match last {
            Some(last) => self.start.towards(self.end, hour * HOUR - first, last - first),
            None => self.start,
        }
    }
}
