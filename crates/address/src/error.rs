//! What can be wrong with a name.

use core::fmt;

/// What is wrong with a name; never repeats the input, which may be hostile or secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// Nothing there.
    Empty,
    /// Longer than its RFC 5321 section 4.5.3.1 limit.
    TooLong {
        /// The limit in octets.
        limit: usize,
    },
    /// No `@` where one must stand.
    NoDomain,
    /// The local part is not a dot-string or quoted string (RFC 5321 section 4.1.2).
    BadLocalPart,
    /// The domain is not made of letter-digit-hyphen labels.
    BadDomain,
    /// The domain has one label where a fully qualified one must stand (RFC 6409 section 4.2).
    Unqualified,
    /// The address literal is not an IPv4 or IPv6 address.
    BadLiteral,
    /// The angle brackets of a path are missing or do not match.
    BadBrackets,
    /// A character that must not stand in an account name.
    BadAccount,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong { limit } => write!(f, "it is longer than {limit} octets"),
            Self::NoDomain => f.write_str("it has no @domain"),
            Self::BadLocalPart => f.write_str("the part before @ is malformed"),
            Self::BadDomain => f.write_str("the domain is malformed"),
            Self::Unqualified => f.write_str("the domain is not fully qualified"),
            Self::BadLiteral => f.write_str("the address literal is malformed"),
            Self::BadBrackets => f.write_str("it must stand between < and >"),
            Self::BadAccount => f.write_str("it holds a character no account name may hold"),
        }
    }
}

impl core::error::Error for AddressError {}
