//! Dates of RFC 3339, as FUTURERELEASE writes them.

use core::fmt;

/// Unix seconds of the end of the year 9999, the last that the form can write.
const LAST: i64 = 253_402_300_799;

const SECONDS_A_DAY: i64 = 86_400;

/// Unix seconds of a date-time of RFC 3339 section 5.6, such as `2026-11-24T20:45:00Z` or
/// `2026-11-24T21:45:00.5+01:00`; a fraction is dropped, a leap second is the one before it.
/// `None` for what is not one, or lies before 1970.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let octets = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = octets.get(from..to)?;
        digits.iter().all(u8::is_ascii_digit).then_some(())?;
        Some(digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    };
    let is = |at: usize, octet: u8| octets.get(at).is_some_and(|o| o.eq_ignore_ascii_case(&octet));
    let separated = is(4, b'-') && is(7, b'-') && is(10, b'T') && is(13, b':') && is(16, b':');
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let valid = separated
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !valid {
        return None;
    }
    let mut at = 19;
    if is(at, b'.') {
        let digits = octets.iter().skip(20).take_while(|octet| octet.is_ascii_digit()).count();
        at = 20 + digits;
        (digits > 0).then_some(())?;
    }
    let offset = match octets.get(at)? {
        b'Z' | b'z' if octets.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if octets.len() == at + 6 && is(at + 3, b':') => {
            let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
            (hours < 24 && minutes < 60).then_some(())?;
            let seconds = hours * 3600 + minutes * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let day_seconds = hour * 3600 + minute * 60 + second.min(59);
    let time = days_before(year, month) + day - 1;
    let time = time * SECONDS_A_DAY + day_seconds - offset;
    (0..=LAST).contains(&time).then_some(time)
}

/// Writes `unix` seconds as `2026-11-24T20:45:00Z`; what lies outside the years 1970 to 9999 is
/// moved to their edge.
pub(crate) fn write(unix: i64, out: &mut impl fmt::Write) -> fmt::Result {
    let unix = unix.clamp(0, LAST);
    let (days, seconds) = (unix / SECONDS_A_DAY, unix % SECONDS_A_DAY);
    // Not beyond the year, and at most one below it.
    let mut year = 1970 + days / 366;
    while days_before(year + 1, 1) <= days {
        year += 1;
    }
    let month = (1..=12).rev().find(|&month| days_before(year, month) <= days).unwrap_or(1);
    let day = days - days_before(year, month) + 1;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + is_leap(year) as i64,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1 January 1970 to the first of `month` of `year`; negative before.
const fn days_before(year: i64, month: i64) -> i64 {
    let past = year - 1;
    let leap_days = past / 4 - past / 100 + past / 400;
    let mut days = 365 * (year - 1970) + leap_days - 477;
    let mut earlier = 1;
    while earlier < month {
        days += days_in(year, earlier);
        earlier += 1;
    }
    days
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    fn written(unix: i64) -> String {
        let mut text = String::new();
        write(unix, &mut text).unwrap();
        text
    }

    #[test]
    fn what_is_written_is_read() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_553_100, "2026-11-24T20:45:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (LAST, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(parse(text), Some(unix), "{text}");
            assert_eq!(written(unix), text);
        }
        // Each day of 40 years, and the edges of more.
        for day in 0..15_000 {
            let unix = day * SECONDS_A_DAY * 5 + day;
            assert_eq!(parse(&written(unix)), Some(unix));
        }
        assert_eq!(written(i64::MIN), "1970-01-01T00:00:00Z");
        assert_eq!(written(i64::MAX), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn zones_fractions_and_leap_seconds() {
        assert_eq!(parse("1970-01-01T02:00:00+02:00"), Some(0));
        assert_eq!(parse("1969-12-31T23:59:59-00:30"), Some(1799));
        assert_eq!(parse("1970-01-01t00:00:01.999z"), Some(1));
        assert_eq!(parse("2016-12-31T23:59:60Z"), parse("2016-12-31T23:59:59Z"));
    }

    #[test]
    fn what_is_none() {
        for bad in [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01 00:00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-02-29T00:00:00Z",
            "1970-01-00T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "1970-01-01T00:00:61Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00Zx",
            "1970-01-01T00:00:00+0100",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00+01:00x",
            "1969-12-31T23:59:59Z",
            "+970-01-01T00:00:00Z",
            "1970-01-01T00:00:00é",
            "19700101T000000Z",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
