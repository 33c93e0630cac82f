//! What a report about a message holds of it.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use crate::xtext;

/// How much of the message a report of a failure holds: `RET=` (RFC 3461 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// All of it.
    Full,
    /// Its header.
    Headers,
}

impl Ret {
    /// The value of `RET=`.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }

    /// From the value of `RET=`, in any case.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        [Self::Full, Self::Headers]
            .into_iter()
            .find(|ret| ret.keyword().eq_ignore_ascii_case(value))
    }
}

/// The sender's own name for this transmission: `ENVID=` (RFC 3461 section 4.4). Printable ASCII.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EnvelopeId(Box<str>);

impl EnvelopeId {
    /// Octets of the value at most, as it comes (RFC 3461 section 4.4).
    pub const OCTETS_MAX: usize = 100;

    /// From the value of `ENVID=`, which is xtext.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        if value.is_empty() || value.len() > Self::OCTETS_MAX {
            return None;
        }
        let decoded = String::from_utf8(xtext::decode(value)?).ok()?;
        let printable = decoded.bytes().all(|octet| matches!(octet, b' '..=b'~'));
        printable.then(|| Self(decoded.into()))
    }

    /// Decoded.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The value of `ENVID=`.
impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&xtext::encode(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn names_are_xtext() {
        let id = EnvelopeId::parse("QQ+2B314159+20").unwrap();
        assert_eq!(id.as_str(), "QQ+314159 ");
        assert_eq!(id.to_string(), "QQ+2B314159+20");
        for bad in ["", "a b", "a=b", "+0A", "+FF", "+2b"] {
            assert_eq!(EnvelopeId::parse(bad), None, "{bad}");
        }
        assert_eq!(EnvelopeId::parse(&"x".repeat(101)), None);
    }
}
