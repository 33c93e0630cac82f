//! Reverse and forward paths of the envelope (RFC 5321 section 4.1.2).

use core::fmt;

use crate::{AddressError, Mailbox};

/// Where a message comes from: the argument of `MAIL FROM`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: a report, to which no report may be sent.
    Null,
    /// A mailbox.
    Mailbox(Mailbox),
}

impl ReversePath {
    /// Parses `<>`, `<mailbox>` or `<@route:mailbox>`; the route is dropped (RFC 5321
    /// appendix C).
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match within_brackets(text)? {
            "" => Ok(Self::Null),
            inner => Mailbox::parse(without_route(inner)?).map(Self::Mailbox),
        }
    }

    /// The mailbox, unless it is the null path.
    #[must_use]
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

/// Where a message goes: the argument of `RCPT TO`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<postmaster>` without a domain, which every host must take (RFC 5321 section 4.5.1).
    Postmaster,
    /// A mailbox.
    Mailbox(Mailbox),
}

impl ForwardPath {
    /// Parses `<postmaster>`, `<mailbox>` or `<@route:mailbox>`; the route is dropped.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let inner = within_brackets(text)?;
        if inner.eq_ignore_ascii_case("postmaster") {
            return Ok(Self::Postmaster);
        }
        Mailbox::parse(without_route(inner)?).map(Self::Mailbox)
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("<postmaster>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

fn within_brackets(text: &str) -> Result<&str, AddressError> {
    text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).ok_or(AddressError::BadBrackets)
}

fn without_route(inner: &str) -> Result<&str, AddressError> {
    if !inner.starts_with('@') {
        return Ok(inner);
    }
    inner.split_once(':').map(|(_, mailbox)| mailbox).ok_or(AddressError::BadLocalPart)
}
