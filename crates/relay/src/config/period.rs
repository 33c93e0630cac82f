//! Periods in configuration: `"90s"`, `"15m"`, `"4h"`, `"5d"`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A span of time as configuration writes it; whole seconds. A day is 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

/// Longest first, as they are written.
const UNITS: [(char, u64); 4] = [('d', 24 * 60 * 60), ('h', 60 * 60), ('m', 60), ('s', 1)];

const EXPECTED: &str = "a period such as \"90s\", \"15m\", \"4h\", \"5d\" or \"1h30m\"";

impl Period {
    /// So many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// As a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Reads one or more numbers, each with a unit.
    ///
    /// # Errors
    /// What was expected, in words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut seconds: u64 = 0;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(EXPECTED);
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(EXPECTED)?;
            let (number, behind) = rest.split_at(digits);
            let unit = behind.chars().next().ok_or(EXPECTED)?;
            let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(EXPECTED)?;
            let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*factor));
            seconds = part.and_then(|part| seconds.checked_add(part)).ok_or(EXPECTED)?;
            rest = behind[unit.len_utf8()..].trim_start();
        }
        Ok(Self::from_secs(seconds))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut seconds = self.0.as_secs();
        if seconds == 0 {
            return f.write_str("0s");
        }
        for (name, factor) in UNITS {
            if seconds >= factor {
                write!(f, "{}{name}", seconds / factor)?;
                seconds %= factor;
            }
        }
        Ok(())
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Period;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Period, E> {
                Period::parse(text).map_err(|expected| {
                    E::invalid_value(serde::de::Unexpected::Str(text), &expected)
                })
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}
