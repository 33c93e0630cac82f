//! Mail addresses as RFC 5321 writes them.

use alloc::boxed::Box;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use crate::{AddressError, Domain, Host};

/// A mail address: local part and host.
///
/// The local part keeps its spelling and its quotes, so that what goes out is what came in.
/// Two addresses are equal if their hosts are and their local parts differ at most in case:
/// that is what ownership at an Internet provider means, though RFC 5321 leaves it to the host.
#[derive(Clone, Debug)]
pub struct Mailbox {
    local: Box<str>,
    host: Host,
}

impl Mailbox {
    /// RFC 5321 section 4.5.3.1.1.
    pub const LOCAL_MAX: usize = 64;

    /// Parses `local@host`, without brackets.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (local, host) = split(text)?;
        check_local(local)?;
        Ok(Self { local: local.into(), host: Host::parse(host)? })
    }

    /// An address at `domain`.
    ///
    /// # Errors
    /// If `local` is malformed.
    pub fn new(local: &str, domain: Domain) -> Result<Self, AddressError> {
        check_local(local)?;
        Ok(Self { local: local.into(), host: Host::Domain(domain) })
    }

    /// Whether `local` can stand before the `@`: a dot-string or a quoted string.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check_local(local: &str) -> Result<(), AddressError> {
        check_local(local)
    }

    /// The part before the `@` as it was spelled, quotes included.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The part behind the `@`.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The domain, unless the host is an address literal.
    #[must_use]
    pub fn domain(&self) -> Option<&Domain> {
        self.host.domain()
    }

    /// Whether it holds only ASCII; otherwise it needs SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii() && self.domain().is_none_or(|domain| domain.as_str().is_ascii())
    }
}

/// Splits at the last `@` outside quotes.
fn split(text: &str) -> Result<(&str, &str), AddressError> {
    if text.is_empty() {
        return Err(AddressError::Empty);
    }
    let at = if text.starts_with('"') {
        closing_quote(text).ok_or(AddressError::BadLocalPart)? + 1
    } else {
        text.find('@').ok_or(AddressError::NoDomain)?
    };
    match text.get(at..).and_then(|rest| rest.strip_prefix('@')) {
        Some(host) => Ok((&text[..at], host)),
        None if at == text.len() => Err(AddressError::NoDomain),
        None => Err(AddressError::BadLocalPart),
    }
}

/// Position of the quote that closes the one at 0.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at),
            _ => {}
        }
    }
    None
}

fn check_local(local: &str) -> Result<(), AddressError> {
    if local.is_empty() {
        return Err(AddressError::BadLocalPart);
    }
    if local.len() > Mailbox::LOCAL_MAX {
        return Err(AddressError::TooLong { limit: Mailbox::LOCAL_MAX });
    }
    let valid = if local.starts_with('"') {
        closing_quote(local) == Some(local.len() - 1) && !local.chars().any(char::is_control)
    } else {
        local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
    };
    if valid { Ok(()) } else { Err(AddressError::BadLocalPart) }
}

fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
        || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.host)
    }
}

impl FromStr for Mailbox {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl PartialEq for Mailbox {
    fn eq(&self, other: &Self) -> bool {
        self.host == other.host && folded(&self.local).eq(folded(&other.local))
    }
}

impl Eq for Mailbox {}

impl Hash for Mailbox {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.host.hash(state);
        for c in folded(&self.local) {
            c.hash(state);
        }
    }
}

fn folded(local: &str) -> impl Iterator<Item = char> + '_ {
    local.chars().flat_map(char::to_lowercase)
}
