//! What can be wrong with a stored hash or a new password.

use super::Scheme;

/// What is wrong with a hash or a password; never repeats either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// Neither `{SCHEME}` nor a known prefix.
    #[error(
        "no password scheme; expected {{ARGON2ID}}, {{SHA512-CRYPT}}, {{SHA256-CRYPT}}, \
         {{BLF-CRYPT}} or {{PLAIN}} before the hash, or a hash beginning with $argon2id$, $6$, \
         $5$, $2a$, $2b$ or $2y$"
    )]
    NoScheme,
    /// A scheme that cannot be verified here.
    #[error(
        "unknown password scheme {name:?}; expected ARGON2ID, ARGON2I, SHA512-CRYPT, \
         SHA256-CRYPT, BLF-CRYPT, CRYPT or PLAIN"
    )]
    UnknownScheme {
        /// The name, cut to 24 characters.
        name: String,
    },
    /// The hash does not look like one of its scheme.
    #[error("malformed {scheme} hash; expected {expected}")]
    Malformed {
        /// The scheme.
        scheme: Scheme,
        /// What should stand there.
        expected: &'static str,
    },
    /// Verifying it would hold up everybody else.
    #[error("{scheme} hash asks for {what} {value}; the limit is {limit}")]
    TooCostly {
        /// The scheme.
        scheme: Scheme,
        /// The parameter.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The most that is verified.
        limit: u64,
    },
    /// An empty or endless password.
    #[error("a password has 1 to 1024 octets")]
    PasswordLength,
    /// A character that no protocol could carry.
    #[error("a password holds no NUL, CR or LF")]
    PasswordCharacter,
    /// The memory that the hash asks for cannot be had.
    #[error("not enough memory to compute the hash")]
    OutOfMemory,
    /// The computation broke off.
    #[error("the computation of the hash broke off")]
    Failed,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
}
