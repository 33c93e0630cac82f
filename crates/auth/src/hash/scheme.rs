//! The schemes of stored hashes, and how a field names one.

use std::fmt;

use super::HashError;

/// How a password is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Scheme {
    /// argon2id (RFC 9106): what new passwords get.
    Argon2id,
    /// argon2i (RFC 9106), as older installations of Dovecot wrote it.
    Argon2i,
    /// SHA-512 crypt, `$6$`.
    Sha512Crypt,
    /// SHA-256 crypt, `$5$`.
    Sha256Crypt,
    /// bcrypt, `$2a$`, `$2b$` and `$2y$`.
    BlfCrypt,
    /// The password itself: for tests and for the first minute of a migration.
    Plain,
}

impl Scheme {
    /// The scheme that `{name}` stands for in front of `text`.
    pub(crate) fn named(name: &str, text: &str) -> Result<Self, HashError> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("ARGON2ID") {
            Ok(Self::Argon2id)
        } else if is("ARGON2I") {
            Ok(Self::Argon2i)
        } else if is("SHA512-CRYPT") {
            Ok(Self::Sha512Crypt)
        } else if is("SHA256-CRYPT") {
            Ok(Self::Sha256Crypt)
        } else if is("BLF-CRYPT") {
            Ok(Self::BlfCrypt)
        } else if is("PLAIN") || is("CLEARTEXT") {
            Ok(Self::Plain)
        } else if is("CRYPT") {
            // crypt(3) tells its methods apart by their first characters.
            Self::of_prefix(text).ok_or(HashError::NoScheme)
        } else {
            let shown = name.chars().take(24).collect();
            Err(HashError::UnknownScheme { name: shown })
        }
    }

    /// The scheme that a hash names by its own first characters.
    pub(crate) fn of_prefix(text: &str) -> Option<Self> {
        let prefixes = [
            ("$argon2id$", Self::Argon2id),
            ("$argon2i$", Self::Argon2i),
            ("$6$", Self::Sha512Crypt),
            ("$5$", Self::Sha256Crypt),
            ("$2a$", Self::BlfCrypt),
            ("$2b$", Self::BlfCrypt),
            ("$2y$", Self::BlfCrypt),
        ];
        prefixes.iter().find(|(prefix, _)| text.starts_with(prefix)).map(|(_, scheme)| *scheme)
    }

    /// As a table of accounts names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Argon2id => "ARGON2ID",
            Self::Argon2i => "ARGON2I",
            Self::Sha512Crypt => "SHA512-CRYPT",
            Self::Sha256Crypt => "SHA256-CRYPT",
            Self::BlfCrypt => "BLF-CRYPT",
            Self::Plain => "PLAIN",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
