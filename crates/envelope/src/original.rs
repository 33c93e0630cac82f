//! The recipient as the sender first named him.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use crate::xtext;

/// The recipient as the sender first named him: `ORCPT=type;address` (RFC 3461 section 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginalRecipient {
    kind: Box<str>,
    address: Box<str>,
}

impl OriginalRecipient {
    /// Octets of the value at most (RFC 3461 section 4.2).
    pub const OCTETS_MAX: usize = 500;

    /// From the value of `ORCPT=`: a type (an atom), `;`, and the address as xtext; with type
    /// `utf-8`, the address may be UTF-8 or hold `\x{…}` (RFC 6533 section 3), and is kept as it
    /// came.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (kind, encoded) = value.split_once(';').filter(|_| value.len() <= Self::OCTETS_MAX)?;
        let is_atom = |octet: u8| octet.is_ascii_alphanumeric() || b"-._/".contains(&octet);
        if kind.is_empty() || !kind.bytes().all(is_atom) || encoded.is_empty() {
            return None;
        }
        let address: Box<str> = if kind.eq_ignore_ascii_case("utf-8") {
            let plain = |c: char| !c.is_control() && c != ' ' && c != '=';
            encoded.chars().all(plain).then(|| encoded.into())?
        } else {
            let decoded = String::from_utf8(xtext::decode(encoded)?).ok()?;
            decoded.chars().all(|c| !c.is_control()).then(|| decoded.into())?
        };
        Some(Self { kind: kind.into(), address })
    }

    /// The type of the address, such as `rfc822`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The address, decoded: printable.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// The value of `ORCPT=`.
impl fmt::Display for OriginalRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind.eq_ignore_ascii_case("utf-8") {
            write!(f, "{};{}", self.kind, self.address)
        } else {
            write!(f, "{};{}", self.kind, xtext::encode(self.address.as_bytes()))
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_address_is_decoded_and_coded_again() {
        let original = OriginalRecipient::parse("rfc822;a+2Bb@example.org").unwrap();
        assert_eq!((original.kind(), original.address()), ("rfc822", "a+b@example.org"));
        assert_eq!(original.to_string(), "rfc822;a+2Bb@example.org");
        let utf8 = OriginalRecipient::parse("utf-8;jörg@example.org").unwrap();
        assert_eq!(utf8.to_string(), "utf-8;jörg@example.org");
    }

    #[test]
    fn nothing_can_be_smuggled_in_it() {
        for bad in ["", "rfc822", "rfc822;", ";a@b", "rfc 822;a", "rfc822;a+0D+0A", "rfc822;a=b"] {
            assert_eq!(OriginalRecipient::parse(bad), None, "{bad}");
        }
    }
}
