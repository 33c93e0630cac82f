//! Rates in configuration: `"10/s"`, `"600/m"`, `"5000/h"`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// So many of something in a span of time: 1 to 1000000 in a second, a minute or an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    seconds: u32,
}

const UNITS: [(&str, u32); 3] = [("s", 1), ("m", 60), ("h", 3600)];

const EXPECTED: &str = "a rate such as \"10/s\", \"600/m\" or \"5000/h\", 1 to 1000000";

impl Rate {
    /// Reads `count/unit`.
    ///
    /// # Errors
    /// What was expected, in words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (count, unit) = text.trim().split_once('/').ok_or(EXPECTED)?;
        let count: u32 = count.trim().parse().map_err(|_| EXPECTED)?;
        let unit = unit.trim();
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(EXPECTED)?;
        match count {
            1..=1_000_000 => Ok(Self { count, seconds: *seconds }),
            _ => Err(EXPECTED),
        }
    }

    /// The time between two.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_secs(u64::from(self.seconds)) / self.count
    }

    /// How many may come at once after a rest: those of one second, at least one.
    #[must_use]
    pub fn burst(self) -> u32 {
        self.count.div_ceil(self.seconds)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, seconds)| *seconds == self.seconds);
        write!(f, "{}/{}", self.count, unit.map_or("s", |(name, _)| name))
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Rate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Rate, E> {
                Rate::parse(text).map_err(|expected| {
                    E::invalid_value(serde::de::Unexpected::Str(text), &expected)
                })
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}
