//! Domains and address literals.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use core::str::FromStr;

use crate::AddressError;

/// A fully qualified domain name in lower case, without the final dot.
///
/// Labels outside ASCII (RFC 6531) are kept as they came, lower-cased.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Box<str>);

impl Domain {
    /// RFC 5321 section 4.5.3.1.2.
    pub const LENGTH_MAX: usize = 255;

    /// Parses and normalises.
    ///
    /// # Errors
    /// The first thing that is wrong; a single label is [`AddressError::Unqualified`], except
    /// `localhost`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.len() > Self::LENGTH_MAX {
            return Err(AddressError::TooLong { limit: Self::LENGTH_MAX });
        }
        if !text.split('.').all(is_label) {
            return Err(AddressError::BadDomain);
        }
        let lower = text.to_lowercase();
        if !lower.contains('.') && lower != "localhost" {
            return Err(AddressError::Unqualified);
        }
        Ok(Self(lower.into_boxed_str()))
    }

    /// The normalised text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `parent` or lies below it.
    #[must_use]
    pub fn is_within(&self, parent: &Self) -> bool {
        self.0.strip_suffix(&*parent.0).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_' || is_u_char(c))
}

fn is_u_char(c: char) -> bool {
    !c.is_ascii() && c.is_alphanumeric()
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Domain {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

/// What stands behind the `@`: a domain, or an address literal (RFC 5321 section 4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A domain.
    Domain(Domain),
    /// `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    Literal(IpAddr),
}

impl Host {
    /// Parses either form.
    ///
    /// # Errors
    /// As [`Domain::parse`], or [`AddressError::BadLiteral`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let Some(literal) = text.strip_prefix('[') else {
            return Domain::parse(text).map(Self::Domain);
        };
        let literal = literal.strip_suffix(']').ok_or(AddressError::BadLiteral)?;
        let v6 = literal.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:"));
        let address = match v6 {
            Some(_) => Ipv6Addr::from_str(&literal[5..]).map(IpAddr::V6),
            None => literal.parse::<core::net::Ipv4Addr>().map(IpAddr::V4),
        };
        address.map(Self::Literal).map_err(|_| AddressError::BadLiteral)
    }

    /// The domain, if it is one.
    #[must_use]
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::Literal(_) => None,
        }
    }

    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Domain(domain) => domain.to_string(),
            Self::Literal(IpAddr::V4(address)) => format!("[{address}]"),
            Self::Literal(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}
