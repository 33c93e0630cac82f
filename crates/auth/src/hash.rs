//! Stored password hashes: which scheme, what it costs, and whether a password fits.

mod argon2id;
mod blf_crypt;
mod coding;
mod cram_md5;
mod des_crypt;
mod digest;
mod error;
mod md5_crypt;
mod parsed;
mod pbkdf2;
mod recipe;
mod scheme;
mod scram;
mod sha_crypt;
#[cfg(test)]
mod tests;
mod weak;
mod workspace;
mod yescrypt;

use std::borrow::Cow;
use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use coding::Coding;
use parsed::Parsed;

pub use argon2id::Argon2Params;
pub use cram_md5::CramMd5Secret;
pub use error::HashError;
pub use recipe::HashRecipe;
pub use scheme::Scheme;
pub use scram::{ScramHash, ScramKeys, saslprep};
pub use weak::WeakSchemes;
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
    /// case and with `.b64` or `.hex` behind it where that is how the hash is written, or a
    /// hash that names its own scheme by its first characters (`$argon2id$`, `$6$`, `$5$`,
    /// `$2b$`, `$y$`, `$pbkdf2-sha256$`, `$1$` and the like).
    ///
    /// # Errors
    /// If the scheme is missing or unknown, the hash malformed, or so costly that one login
    /// could hold up all others.
    pub fn parse(field: &str) -> Result<Self, HashError> {
        let (scheme, coding, text) = match field.strip_prefix('{') {
            Some(rest) => {
                let (name, text) = rest.split_once('}').ok_or(HashError::NoScheme)?;
                let (scheme, coding) = Scheme::named(name, text)?;
                (scheme, coding, text)
            }
            None => (Scheme::of_prefix(field).ok_or(HashError::NoScheme)?, None, field),
        };
        if text.len() > TEXT_MAX {
            return Err(HashError::Malformed { scheme, expected: "at most 1024 characters" });
        }
        let stored = match normal(scheme, coding, text)? {
            Cow::Borrowed(text) => Self { scheme, text: text.into() },
            Cow::Owned(text) => Self { scheme, text: text.into_boxed_str() },
        };
        stored.parsed()?;
        Ok(stored)
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether hashes of its scheme are verified in this house.
    ///
    /// # Errors
    /// [`HashError::Weak`] if it is a weak one that `allowed` does not have.
    pub fn permitted(&self, allowed: &WeakSchemes) -> Result<(), HashError> {
        let scheme = self.scheme;
        if allowed.allow(scheme) { Ok(()) } else { Err(HashError::Weak { scheme }) }
    }

    /// As it is written into a table of accounts: `{SCHEME}hash`.
    #[must_use]
    pub fn to_field(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{{{}}}{}", self.scheme, self.text))
    }

    /// Whether both are one record, however each was written: `$6$...` and
    /// `{SHA512-CRYPT}$6$...` are. What a compare-and-swap compares.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.text == other.text
    }

    /// Whether `password` is the right one. Takes from a microsecond to two seconds of a
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
        self.parsed()?.verify(workspace, password)
    }

    /// The password itself, where it is stored so.
    pub(crate) fn plain(&self) -> Option<&[u8]> {
        (self.scheme == Scheme::Plain).then_some(self.text.as_bytes())
    }

    /// The keys of SCRAM with this hash, where they are what is stored. From `{PLAIN}` they can
    /// be derived, see [`ScramKeys::derive`].
    #[must_use]
    pub fn scram(&self, hash: ScramHash) -> Option<ScramKeys> {
        if self.scheme != hash.scheme() {
            return None;
        }
        ScramKeys::parse(self.scheme, &self.text).ok()
    }

    /// What CRAM-MD5 needs, where that or the password itself is stored.
    #[must_use]
    pub fn cram_md5(&self) -> Option<CramMd5Secret> {
        match self.scheme {
            Scheme::CramMd5 => CramMd5Secret::parse(&self.text).ok(),
            Scheme::Plain => Some(CramMd5Secret::of(self.text.as_bytes())),
            _ => None,
        }
    }

    /// Whether verifying it is a comparison, or so short a computation that a queue for it
    /// would be longer.
    pub(crate) fn is_instant(&self) -> bool {
        matches!(
            self.scheme,
            Scheme::Plain
                | Scheme::CramMd5
                | Scheme::Md5
                | Scheme::Smd5
                | Scheme::Sha
                | Scheme::Ssha
                | Scheme::Sha256
                | Scheme::Ssha256
                | Scheme::Sha512
                | Scheme::Ssha512
        )
    }

    /// KiB that verifying takes, where that is more than a few.
    pub(crate) fn memory_kib(&self) -> usize {
        self.parsed().map_or(0, |parsed| parsed.memory_kib())
    }

    pub(crate) fn cost_class(&self) -> Result<CostClass, HashError> {
        Ok(CostClass { scheme: self.scheme, numbers: self.parsed()?.numbers() })
    }

    /// A hash of nobody's password that costs exactly as much as this one.
    pub(crate) fn decoy(&self) -> Result<Self, HashError> {
        let text = self.parsed()?.decoy()?;
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

    fn parsed(&self) -> Result<Parsed<'_>, HashError> {
        Parsed::of(self.scheme, &self.text)
    }
}

/// A hash in the one way in which it is kept, however it was written.
fn normal(scheme: Scheme, coding: Option<Coding>, text: &str) -> Result<Cow<'_, str>, HashError> {
    match scheme {
        Scheme::Ssha512
        | Scheme::Ssha256
        | Scheme::Ssha
        | Scheme::Smd5
        | Scheme::Sha512
        | Scheme::Sha256
        | Scheme::Sha
        | Scheme::Md5 => digest::normalise(scheme, text, coding).map(Cow::Owned),
        Scheme::CramMd5 if coding == Some(Coding::Base64) => {
            let expected = "base64 of 32 octets";
            let octets = Coding::Base64.decode(text);
            octets
                .map(|octets| Cow::Owned(coding::hex(&octets)))
                .ok_or(HashError::Malformed { scheme, expected })
        }
        Scheme::CramMd5 => Ok(Cow::Owned(text.to_ascii_lowercase())),
        _ => {
            let Some(coding) = coding else { return Ok(Cow::Borrowed(text)) };
            let expected = "what the name of the scheme says: base64 or hexadecimal digits";
            let decoded = coding.decode(text).and_then(|octets| String::from_utf8(octets).ok());
            decoded.map(Cow::Owned).ok_or(HashError::Malformed { scheme, expected })
        }
    }
}

/// Hashes a new password with argon2id and a fresh salt (RFC 9106). Blocks for some 20 ms at
/// the default cost. For other schemes see [`HashRecipe`].
///
/// # Errors
/// If the password is empty, longer than [`PASSWORD_MAX`] or holds NUL, CR or LF; or if the
/// system has neither memory nor random bytes to give.
pub fn hash_new(password: &[u8], cost: &Argon2Params) -> Result<StoredHash, HashError> {
    HashRecipe::new(Scheme::Argon2id, *cost)?.make(password)
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
