//! A limit's figure as configuration writes it: a number, or a number with what happens at it.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Action;

/// `200`, or `{ most = 200, action = "hold" }`. 0: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// The most that is allowed; 0: any number.
    pub most: u64,
    /// What happens beyond it; `None`: what the table says.
    pub action: Option<Action>,
}

/// The same in octets: `"2GiB"`, or `{ most = "2GiB", action = "hold" }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OctetCeiling(pub Ceiling);

/// More is out of the counters' reach.
const COUNT_MAX: u64 = 1_000_000_000;
/// The same for octets, which are counted in KiB.
const OCTETS_MAX: u64 = 1 << 40;

const COUNT: &str = "a number from 0 to 1000000000, or { most = 200, action = \"hold\" }";
const OCTETS: &str = "octets such as \"2GiB\" (at most 1TiB), or { most = \"2GiB\", action = \
                      \"hold\" }";

struct Figure(u64);
struct Octets(u64);

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ceiling = deserializer.deserialize_any(Reader { octets: false, nested: true })?;
        Ok(Self(ceiling.most))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ceiling = deserializer.deserialize_any(Reader { octets: true, nested: true })?;
        Ok(Self(ceiling.most))
    }
}

/// Reads either form.
struct Reader {
    octets: bool,
    /// Whether it stands behind `most =`: then it is a figure alone.
    nested: bool,
}

impl<'de> Visitor<'de> for Reader {
    type Value = Ceiling;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.octets { OCTETS } else { COUNT })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Ceiling, E> {
        let most = u64::try_from(value).ok().filter(|most| self.bears(*most));
        let wrong = || E::invalid_value(serde::de::Unexpected::Signed(value), &self);
        most.map(|most| Ceiling { most, action: None }).ok_or_else(wrong)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Ceiling, E> {
        self.visit_i64(i64::try_from(value).unwrap_or(-1))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Ceiling, E> {
        let most = size(value).filter(|most| self.octets && self.bears(*most));
        let wrong = || E::invalid_value(serde::de::Unexpected::Str(value), &self);
        most.map(|most| Ceiling { most, action: None }).ok_or_else(wrong)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ceiling, A::Error> {
        if self.nested {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self));
        }
        let (mut most, mut action) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "most" if self.octets => most = Some(map.next_value::<Octets>()?.0),
                "most" => most = Some(map.next_value::<Figure>()?.0),
                "action" => action = Some(map.next_value::<Action>()?),
                _ => return Err(A::Error::unknown_field(&key, &["most", "action"])),
            }
        }
        let most = most.ok_or_else(|| A::Error::missing_field("most"))?;
        Ok(Ceiling { most, action })
    }
}

impl Reader {
    fn bears(&self, most: u64) -> bool {
        most <= if self.octets { OCTETS_MAX } else { COUNT_MAX }
    }
}

impl<'de> Deserialize<'de> for Ceiling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader { octets: false, nested: false })
    }
}

impl<'de> Deserialize<'de> for OctetCeiling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader { octets: true, nested: false }).map(Self)
    }
}

/// Octets with a unit that is a power of 1024, such as `512KiB` or `2G`.
fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}
