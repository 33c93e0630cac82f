//! Brownouts: weekly windows and shares of hours.

use std::ops::Range;

use toml::Spanned;

use super::Resolver;
use crate::brownout::{DAY, Plan, Share, Window};
use crate::config::{CohortConfig, WindowConfig};
use crate::share::Percent;
use crate::suggest::nearest;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Resolver<'_> {
    pub(super) fn brownout(&mut self, config: &CohortConfig) -> Plan {
        let windows = self.windows(&config.brownout_windows);
        let share = config.brownout_share.as_ref().and_then(|written| self.share(config, written));
        let means = !config.brownout_windows.is_empty() || config.brownout_share.is_some();
        match &config.brownout {
            Some(date) if !means => self.fault(
                date.span(),
                "a brownout begins but refuses nothing",
                "add `brownout_windows` or `brownout_share`, or delete `brownout`",
            ),
            None if means => {
                let span = match (&config.brownout_share, config.brownout_windows.first()) {
                    (Some(share), _) => share.span(),
                    (None, Some(window)) => window.span(),
                    (None, None) => 0..0,
                };
                self.fault(
                    span,
                    "this says what a brownout refuses, but no brownout begins",
                    "add `brownout` with a date, or delete this",
                );
            }
            _ => {}
        }
        Plan { windows, share }
    }

    fn windows(&mut self, written: &[Spanned<WindowConfig>]) -> Vec<Window> {
        let mut windows: Vec<Window> = Vec::new();
        for config in written {
            let Some(window) = self.window(config) else { continue };
            if let Some(other) = windows.iter().find(|other| other.overlaps(&window)) {
                let line = other.place.line;
                self.fault(
                    config.span(),
                    format!("this window overlaps the one in line {line}"),
                    "merge the two, or shorten one",
                );
                continue;
            }
            windows.push(window);
        }
        windows
    }

    fn window(&mut self, written: &Spanned<WindowConfig>) -> Option<Window> {
        let config = written.get_ref();
        if config.days.is_empty() {
            self.fault(written.span(), "the window has no days", "add days = [\"tue\"]");
            return None;
        }
        let before = self.mistakes.len();
        let days = config.days.iter().fold(0, |days, day| days | self.day(day));
        let from = self.minute(&config.from)?;
        let to = self.minute(&config.to)?;
        if to <= from {
            self.fault(
                config.to.span(),
                format!("the window ends at {} before it begins", config.to.get_ref()),
                "a window lies within one day: write two, the first up to 24:00",
            );
            return None;
        }
        let place = self.source.place(&written.span());
        (self.mistakes.len() == before).then_some(Window { days, from, to, place })
    }

    fn day(&mut self, written: &Spanned<String>) -> u8 {
        let name = written.get_ref().as_str();
        if let Some(day) = DAYS.iter().position(|day| *day == name) {
            return 1 << day;
        }
        let help = match nearest(name, DAYS) {
            Some(day) => format!("did you mean \"{day}\"?"),
            None => "write mon, tue, wed, thu, fri, sat or sun".to_owned(),
        };
        self.fault(written.span(), format!("{name:?} is no day of the week"), help);
        0
    }

    /// `HH:MM` as a minute of the day.
    fn minute(&mut self, written: &Spanned<String>) -> Option<u16> {
        let minute = parse_minute(written.get_ref());
        if minute.is_none() {
            self.fault(
                written.span(),
                format!("{:?} is no time of day", written.get_ref()),
                "write HH:MM, from 00:00 to 24:00",
            );
        }
        minute
    }

    fn share(&mut self, config: &CohortConfig, written: &Spanned<Vec<f64>>) -> Option<Share> {
        let (start, end) = match written.get_ref().as_slice() {
            [one] => (*one, *one),
            [start, end] => (*start, *end),
            _ => {
                self.fault(
                    written.span(),
                    "`brownout_share` must have one number, or two",
                    "write for example [10], or [5, 50] for a share that rises",
                );
                return None;
            }
        };
        let (Some(start), Some(end)) = (Percent::new(start), Percent::new(end)) else {
            self.not_a_percentage(written.span());
            return None;
        };
        if end < start {
            self.fault(
                written.span(),
                "`brownout_share` falls, but a retirement only gets stricter",
                "write the smaller share first",
            );
            return None;
        }
        if start != end && config.closed.is_none() {
            self.fault(
                written.span(),
                "`brownout_share` rises towards `closed`, but the cohort is never closed",
                "add `closed` with a date, or write one number",
            );
            return None;
        }
        Some(Share { start, end, place: self.source.place(&written.span()) })
    }

    fn not_a_percentage(&mut self, span: Range<usize>) {
        self.fault(
            span,
            "`brownout_share` holds a number that is not a percentage",
            "write numbers above 0 and up to 100",
        );
    }
}

fn parse_minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two = |digits: &str| digits.len() == 2 && digits.bytes().all(|d| d.is_ascii_digit());
    if !two(hour) || !two(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY).then_some(total)
}
