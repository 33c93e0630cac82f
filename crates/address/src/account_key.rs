//! The key of an account: a login name, normalised once.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use precis_profiles::UsernameCaseMapped;
use precis_profiles::precis_core::profile::PrecisFastInvocation;

use crate::{AddressError, Domain};

/// A login name in its one spelling: lower case, domain completed, nothing in it that could
/// be a path. Outside ASCII the name itself is as RFC 8265 section 3.3 has it
/// (`UsernameCaseMapped`: width, case and normal form), and its domain is in A-labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountKey(Arc<str>);

impl AccountKey {
    /// A generous bound: local part, `@` and domain.
    pub const LENGTH_MAX: usize = 320;

    /// Normalises what a client typed. Space around it is dropped; a name without `@` gets
    /// `default_domain`, if there is one.
    ///
    /// # Errors
    /// If it is empty, too long, or holds a control character, a slash, a backslash, a space,
    /// a colon, or begins with a dot: such a name is nobody's, and must not reach a path, a
    /// file of accounts or a log. Outside ASCII, if RFC 8265 has no place for it among names.
    pub fn parse(login: &str, default_domain: Option<&Domain>) -> Result<Self, AddressError> {
        let login = login.trim_matches(' ');
        if login.is_empty() {
            return Err(AddressError::Empty);
        }
        if login.len() > Self::LENGTH_MAX {
            return Err(AddressError::TooLong { limit: Self::LENGTH_MAX });
        }
        if login.starts_with('.') || !login.chars().all(is_allowed) {
            return Err(AddressError::BadAccount);
        }
        let mut key =
            if login.is_ascii() { login.to_ascii_lowercase() } else { one_spelling(login)? };
        match (key.split_once('@'), default_domain) {
            (Some((local, domain)), _) if local.is_empty() || domain.is_empty() => {
                return Err(AddressError::BadAccount);
            }
            (Some((_, domain)), _) if domain.contains('@') || domain.starts_with('.') => {
                return Err(AddressError::BadAccount);
            }
            (None, Some(domain)) => key = format!("{key}@{domain}"),
            _ => {}
        }
        // Other spellings can be longer, and mappings can make what was refused above.
        if key.len() > Self::LENGTH_MAX {
            return Err(AddressError::TooLong { limit: Self::LENGTH_MAX });
        }
        if key.starts_with('.') || !key.chars().all(is_allowed) {
            return Err(AddressError::BadAccount);
        }
        Ok(Self(key.into()))
    }

    /// The normalised name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain part, if the name has one.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.0.split_once('@').map(|(_, domain)| domain)
    }
}

/// The one spelling of a name outside ASCII.
fn one_spelling(login: &str) -> Result<String, AddressError> {
    let (name, domain) = match login.split_once('@') {
        Some((name, domain)) => (name, Some(domain)),
        None => (login, None),
    };
    if name.is_empty() {
        return Err(AddressError::BadAccount);
    }
    let name = UsernameCaseMapped::enforce(name).map_err(|_| AddressError::BadAccount)?;
    let Some(domain) = domain else { return Ok(name.into_owned()) };
    let domain = match domain.is_ascii() {
        true => Cow::Owned(domain.to_ascii_lowercase()),
        false => idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::URL)
            .map_err(|_| AddressError::BadAccount)?,
    };
    Ok(format!("{name}@{domain}"))
}

fn is_allowed(c: char) -> bool {
    !c.is_control() && !c.is_whitespace() && !matches!(c, '/' | '\\' | ':')
}

impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
