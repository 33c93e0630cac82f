//! Reverse and forward paths of the envelope (RFC 5321 section 4.1.2).

use alloc::boxed::Box;
use core::fmt;

use crate::{AddressError, Mailbox};

/// Octets of a path, its brackets included and its route not (RFC 5321 section 4.5.3.1.3).
const PATH_MAX: usize = 256;

/// Where a message comes from: the argument of `MAIL FROM`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: a report, to which no report may be sent.
    Null,
    /// A mailbox.
    Mailbox(Mailbox),
    /// A well-formed local part without a domain: whoever takes it completes it before it goes
    /// any further, or refuses it (RFC 6409 section 4.2).
    Unqualified(Box<str>),
}

impl ReversePath {
    /// Parses `<>`, `<mailbox>`, `<local>` or `<@route:mailbox>`; the route is dropped (RFC 5321
    /// appendix C).
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match within_brackets(text)? {
            "" => Ok(Self::Null),
            inner => match parse_inner(inner)? {
                Inner::Mailbox(mailbox) => Ok(Self::Mailbox(mailbox)),
                Inner::Unqualified(local) => Ok(Self::Unqualified(local.into())),
            },
        }
    }

    /// The mailbox, if it is one.
    #[must_use]
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Null | Self::Unqualified(_) => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether it holds only ASCII; otherwise it needs SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Mailbox(mailbox) => mailbox.is_ascii(),
            Self::Unqualified(local) => local.is_ascii(),
        }
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
            Self::Unqualified(local) => write!(f, "<{local}>"),
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
    /// A well-formed local part without a domain, other than `postmaster`: as in
    /// [`ReversePath::Unqualified`].
    Unqualified(Box<str>),
}

impl ForwardPath {
    /// Parses `<postmaster>`, `<mailbox>`, `<local>` or `<@route:mailbox>`; the route is dropped.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let inner = within_brackets(text)?;
        if inner.eq_ignore_ascii_case("postmaster") {
            return Ok(Self::Postmaster);
        }
        match parse_inner(inner)? {
            Inner::Mailbox(mailbox) => Ok(Self::Mailbox(mailbox)),
            Inner::Unqualified(local) => Ok(Self::Unqualified(local.into())),
        }
    }

    /// The mailbox, if it is one.
    #[must_use]
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Postmaster | Self::Unqualified(_) => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether it holds only ASCII; otherwise it needs SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        match self {
            Self::Postmaster => true,
            Self::Mailbox(mailbox) => mailbox.is_ascii(),
            Self::Unqualified(local) => local.is_ascii(),
        }
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("<postmaster>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
            Self::Unqualified(local) => write!(f, "<{local}>"),
        }
    }
}

/// What stands between the brackets.
enum Inner<'a> {
    Mailbox(Mailbox),
    Unqualified(&'a str),
}

fn parse_inner(inner: &str) -> Result<Inner<'_>, AddressError> {
    let name = without_route(inner)?;
    if name.len() > PATH_MAX - 2 {
        return Err(AddressError::TooLong { limit: PATH_MAX });
    }
    match Mailbox::parse(name) {
        Ok(mailbox) => Ok(Inner::Mailbox(mailbox)),
        // The route belongs to a mailbox.
        Err(AddressError::NoDomain) if name.len() == inner.len() => {
            Mailbox::check_local(name).map(|()| Inner::Unqualified(name))
        }
        Err(error) => Err(error),
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
