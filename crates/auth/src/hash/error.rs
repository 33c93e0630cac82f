//! What can be wrong with a stored hash or a new password.

use super::Scheme;

/// What is wrong with a hash or a password; never repeats either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// Neither `{SCHEME}` nor a known prefix.
    #[error(
        "no password scheme; expected {{ARGON2ID}}, {{SHA512-CRYPT}}, {{BLF-CRYPT}}, {{SSHA}} or \
         the like before the hash, or a hash beginning with $argon2id$, $6$, $5$, $2b$, $y$, \
         $pbkdf2-sha256$ or $1$"
    )]
    NoScheme,
    /// A scheme that cannot be verified here.
    #[error(
        "unknown password scheme {name:?}; expected ARGON2ID, ARGON2I, SHA512-CRYPT, \
         SHA256-CRYPT, BLF-CRYPT, YESCRYPT, PBKDF2, SCRAM-SHA-256, SCRAM-SHA-1, MD5-CRYPT, \
         SSHA512, SSHA256, SSHA, SMD5, CRYPT, PLAIN or a weak one (docs/auth.md)"
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
    /// A scheme that is only verified where the operator asked for it.
    #[error(
        "{scheme} hashes are weak and not verified unless auth.weak_schemes has \"{scheme}\" in \
         it; add it, and set auth.upgrade_to so that each of them goes with its next login"
    )]
    Weak {
        /// The scheme.
        scheme: Scheme,
    },
    /// A scheme that new hashes are not made in.
    #[error(
        "no new hashes are made in {scheme}; expected ARGON2ID, BLF-CRYPT, SHA512-CRYPT, \
         YESCRYPT, SCRAM-SHA-256 or SCRAM-SHA-1"
    )]
    NoTarget {
        /// The scheme.
        scheme: Scheme,
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
