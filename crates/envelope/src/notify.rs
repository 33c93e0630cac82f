//! When the sender wants to hear of a recipient.

use alloc::string::String;
use core::fmt;

/// When the sender wants to hear of a recipient: `NOTIFY=` (RFC 3461 section 4.1). Without it, and
/// that is the default, failures are reported, and delays as the server sees fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Notify {
    bits: u8,
}

const NEVER: u8 = 1;
const SUCCESS: u8 = 2;
const FAILURE: u8 = 4;
const DELAY: u8 = 8;

impl Notify {
    /// `NOTIFY` was not given.
    pub const UNSAID: Self = Self { bits: 0 };
    /// `NOTIFY=NEVER`: nothing is ever reported.
    pub const NEVER: Self = Self { bits: NEVER };

    /// From the value of `NOTIFY=`: `NEVER` alone, or a list of `SUCCESS`, `FAILURE`, `DELAY`
    /// separated by commas, in any case, none of them twice.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        if value.eq_ignore_ascii_case("NEVER") {
            return Some(Self::NEVER);
        }
        let mut bits = 0;
        for word in value.split(',') {
            let (_, bit) = WORDS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
            if bits & bit != 0 {
                return None;
            }
            bits |= bit;
        }
        Some(Self { bits })
    }

    /// Whether `NOTIFY` was given.
    #[must_use]
    pub const fn is_said(self) -> bool {
        self.bits != 0
    }

    /// Whether nothing is ever to be reported.
    #[must_use]
    pub const fn is_never(self) -> bool {
        self.bits == NEVER
    }

    /// Whether a delivery is to be reported.
    #[must_use]
    pub const fn on_success(self) -> bool {
        self.bits & SUCCESS != 0
    }

    /// Whether a failure is to be reported: also without `NOTIFY`.
    #[must_use]
    pub const fn on_failure(self) -> bool {
        self.bits == 0 || self.bits & FAILURE != 0
    }

    /// Whether a delay may be reported: also without `NOTIFY`.
    #[must_use]
    pub const fn on_delay(self) -> bool {
        self.bits == 0 || self.bits & DELAY != 0
    }

    /// As stored: one octet.
    #[must_use]
    pub const fn to_bits(self) -> u8 {
        self.bits
    }

    /// From what was stored; `None` for what [`to_bits`](Self::to_bits) never gives.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        let possible = bits == NEVER || bits & !(SUCCESS | FAILURE | DELAY) == 0;
        if possible { Some(Self { bits }) } else { None }
    }
}

const WORDS: [(&str, u8); 3] = [("SUCCESS", SUCCESS), ("FAILURE", FAILURE), ("DELAY", DELAY)];

/// The value of `NOTIFY=`; empty where it was not given.
impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() {
            return f.write_str("NEVER");
        }
        let mut list = String::new();
        for (name, _) in WORDS.into_iter().filter(|(_, bit)| self.bits & bit != 0) {
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(name);
        }
        f.write_str(&list)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn lists_are_read_and_written() {
        for (value, written) in
            [("never", "NEVER"), ("Failure,SUCCESS", "SUCCESS,FAILURE"), ("DELAY", "DELAY")]
        {
            let notify = Notify::parse(value).unwrap();
            assert_eq!(notify.to_string(), written);
            assert_eq!(Notify::from_bits(notify.to_bits()), Some(notify));
        }
        for bad in ["", "NEVER,FAILURE", "DELAY,DELAY", "SUCCESS,", ",DELAY", "SOMETIMES"] {
            assert_eq!(Notify::parse(bad), None, "{bad}");
        }
        assert_eq!(Notify::from_bits(NEVER | FAILURE), None);
        assert_eq!(Notify::from_bits(16), None);
    }

    #[test]
    fn silence_is_heard_of_failures() {
        let unsaid = Notify::default();
        assert!(unsaid.on_failure() && unsaid.on_delay() && !unsaid.on_success());
        assert!(!Notify::NEVER.on_failure() && !Notify::NEVER.on_delay());
        let success = Notify::parse("SUCCESS").unwrap();
        assert!(success.on_success() && !success.on_failure() && !success.on_delay());
    }
}
