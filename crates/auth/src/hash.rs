//! Stored password hashes: which scheme, what it costs, and whether a password fits.

mod argon2id;
mod blf_crypt;
mod error;
mod scheme;
mod sha_crypt;
#[cfg(test)]
mod tests;
mod workspace;

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

pub use argon2id::Argon2Params;
pub use error::HashError;
pub use scheme::Scheme;
pub(crate) use workspace::Workspace;

/// Longest password in octets, stored or offered. SHA-crypt's work grows with the square of
/// the length, so a limit there must be.
pub const PASSWORD_MAX: usize = 1024;

/// Longest stored hash in octets; real ones have at most some 150.
const TEXT_MAX: usize = 1024;

/// A stored hash, known to be well-formed and affordable. Prints nothing of itself.
pub struct StoredHash {
    scheme: Scheme,
    /// Without the `{SCHEME}`.
    text: Box<str>,
}

/// What a hash costs to verify; two hashes of one class take the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CostClass {
    scheme: Scheme,
    /// Memory, passes and lanes; or rounds; or the logarithm of the rounds.
    numbers: [u32; 3],
}

impl StoredHash {
    /// Reads the password field of an account: Dovecot's `{SCHEME}hash`, the scheme in any
    /// case, or a hash that names its own scheme by its first characters (`$argon2id$`, `$6$`,
    /// `$5$`, `$2a$`, `$2b$`, `$2y$`).
    ///
    /// # Errors
    /// If the scheme is missing or unknown, the hash malformed, or so costly that one login
    /// could hold up all others.
    pub fn parse(field: &str) -> Result<Self, HashError> {
        let (scheme, text) = match field.strip_prefix('{') {
            Some(rest) => {
                let (name, text) = rest.split_once('}').ok_or(HashError::NoScheme)?;
                (Scheme::named(name, text)?, text)
            }
            None => (Scheme::of_prefix(field).ok_or(HashError::NoScheme)?, field),
        };
        if text.len() > TEXT_MAX {
            return Err(HashError::Malformed { scheme, expected: "at most 1024 characters" });
        }
        let stored = Self { scheme, text: text.into() };
        stored.cost_class()?;
        Ok(stored)
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// As it is written into a table of accounts: `{SCHEME}hash`.
    #[must_use]
    pub fn to_field(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{{{}}}{}", self.scheme, self.text))
    }

    /// Whether `password` is the right one. Takes from a millisecond to half a second of a
    /// core; sessions go through [`crate::Authenticator`], which bounds how many run.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        self.verify_in(&mut Workspace::new(), password).unwrap_or(false)
    }

    /// As [`Self::verify`], in memory that is used again.
    ///
    /// # Errors
    /// If the memory that the hash asks for cannot be had.
    pub(crate) fn verify_in(
        &self,
        workspace: &mut Workspace,
        password: &[u8],
    ) -> Result<bool, HashError> {
        if check_password(password).is_err() {
            return Ok(false);
        }
        match self.scheme {
            Scheme::Argon2id | Scheme::Argon2i => {
                argon2id::Phc::parse(self.scheme, &self.text)?.verify(workspace, password)
            }
            Scheme::Sha512Crypt | Scheme::Sha256Crypt => {
                sha_crypt::Stored::parse(self.scheme, &self.text)?.verify(password)
            }
            Scheme::BlfCrypt => Ok(blf_crypt::Stored::parse(&self.text)?.verify(password)),
            Scheme::Plain => Ok(bool::from(self.text.as_bytes().ct_eq(password))),
        }
    }

    /// The password itself, where it is stored so.
    pub(crate) fn plain(&self) -> Option<&[u8]> {
        (self.scheme == Scheme::Plain).then_some(self.text.as_bytes())
    }

    /// Whether verifying it is a comparison and no work.
    pub(crate) fn is_instant(&self) -> bool {
        self.scheme == Scheme::Plain
    }

    pub(crate) fn cost_class(&self) -> Result<CostClass, HashError> {
        let numbers = match self.scheme {
            Scheme::Argon2id | Scheme::Argon2i => {
                argon2id::Phc::parse(self.scheme, &self.text)?.params().numbers()
            }
            Scheme::Sha512Crypt | Scheme::Sha256Crypt => {
                [sha_crypt::Stored::parse(self.scheme, &self.text)?.rounds(), 0, 0]
            }
            Scheme::BlfCrypt => [blf_crypt::Stored::parse(&self.text)?.cost(), 0, 0],
            Scheme::Plain => {
                if self.text.is_empty() {
                    let expected = "a password behind {PLAIN}";
                    return Err(HashError::Malformed { scheme: self.scheme, expected });
                }
                [0; 3]
            }
        };
        Ok(CostClass { scheme: self.scheme, numbers })
    }

    /// A hash of nobody's password that costs exactly as much as this one.
    pub(crate) fn decoy(&self) -> Result<Self, HashError> {
        let text = match self.scheme {
            Scheme::Argon2id | Scheme::Argon2i => {
                argon2id::Phc::parse(self.scheme, &self.text)?.decoy()?
            }
            Scheme::Sha512Crypt | Scheme::Sha256Crypt => {
                sha_crypt::Stored::parse(self.scheme, &self.text)?.decoy()?
            }
            Scheme::BlfCrypt => blf_crypt::Stored::parse(&self.text)?.decoy()?,
            // A byte that no password may hold, so that nothing equals it.
            Scheme::Plain => "\0".repeat(16),
        };
        Ok(Self { scheme: self.scheme, text: text.into() })
    }

    /// A hash of nobody's password at the cost of `params`.
    pub(crate) fn nobody(params: &Argon2Params) -> Result<Self, HashError> {
        let text = argon2id::decoy(params)?;
        Ok(Self { scheme: Scheme::Argon2id, text: text.into() })
    }

    /// The text that identifies the record in keyed digests.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// Hashes a new password with argon2id and a fresh salt (RFC 9106). Blocks for some 20 ms at
/// the default cost.
///
/// # Errors
/// If the password is empty, longer than [`PASSWORD_MAX`] or holds NUL, CR or LF; or if the
/// system has neither memory nor random bytes to give.
pub fn hash_new(password: &[u8], cost: &Argon2Params) -> Result<StoredHash, HashError> {
    check_password(password)?;
    let text = argon2id::hash(&mut Workspace::new(), password, cost)?;
    Ok(StoredHash { scheme: Scheme::Argon2id, text: text.into() })
}

/// What no password may be: empty, endless, or cut in two by the protocols and by crypt(3).
pub(crate) fn check_password(password: &[u8]) -> Result<(), HashError> {
    if password.is_empty() || password.len() > PASSWORD_MAX {
        return Err(HashError::PasswordLength);
    }
    if password.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
        return Err(HashError::PasswordCharacter);
    }
    Ok(())
}

fn random<const N: usize>() -> Result<[u8; N], HashError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| HashError::NoRandomness)?;
    Ok(bytes)
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredHash(..)")
    }
}

impl Clone for StoredHash {
    fn clone(&self) -> Self {
        Self { scheme: self.scheme, text: self.text.clone() }
    }
}

impl Drop for StoredHash {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}
