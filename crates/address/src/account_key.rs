//! The key of an account: a login name, normalised once.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use crate::{AddressError, Domain};

/// A login name in its one spelling: lower case, domain completed, nothing in it that could
/// be a path.
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
    /// file of accounts or a log.
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
        let mut key: String = login.to_lowercase();
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

fn is_allowed(c: char) -> bool {
    !c.is_control() && !c.is_whitespace() && !matches!(c, '/' | '\\' | ':')
}

impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
