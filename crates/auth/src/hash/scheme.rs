//! The schemes of stored hashes, and how a field names one.

use std::fmt;

use super::HashError;
use super::coding::Coding;

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
    /// yescrypt, `$y$`: today's crypt(3) of Debian and Fedora.
    Yescrypt,
    /// PBKDF2 (RFC 8018), Dovecot's `$1$salt$rounds$hex` or passlib's `$pbkdf2-sha256$`.
    Pbkdf2,
    /// The keys of SCRAM-SHA-256 (RFC 7677).
    ScramSha256,
    /// The keys of SCRAM-SHA-1 (RFC 5802).
    ScramSha1,
    /// MD5 crypt, `$1$`.
    Md5Crypt,
    /// SHA-512 over password and salt, once.
    Ssha512,
    /// SHA-256 over password and salt, once.
    Ssha256,
    /// SHA-1 over password and salt, once (RFC 2307).
    Ssha,
    /// MD5 over password and salt, once.
    Smd5,
    /// SHA-512 over the password alone.
    Sha512,
    /// SHA-256 over the password alone.
    Sha256,
    /// SHA-1 over the password alone (RFC 2307).
    Sha,
    /// MD5 over the password alone (RFC 2307).
    Md5,
    /// DES crypt, 13 characters: eight characters of the password count.
    DesCrypt,
    /// What CRAM-MD5 (RFC 2195) computes with: as good as the password itself there.
    CramMd5,
    /// The password itself: for tests and for the first minute of a migration.
    Plain,
}

/// Every name that a field may have, the one that is written first.
const NAMES: &[(&str, Scheme)] = &[
    ("ARGON2ID", Scheme::Argon2id),
    ("ARGON2I", Scheme::Argon2i),
    ("SHA512-CRYPT", Scheme::Sha512Crypt),
    ("SHA256-CRYPT", Scheme::Sha256Crypt),
    ("BLF-CRYPT", Scheme::BlfCrypt),
    ("YESCRYPT", Scheme::Yescrypt),
    ("PBKDF2", Scheme::Pbkdf2),
    ("SCRAM-SHA-256", Scheme::ScramSha256),
    ("SCRAM-SHA-1", Scheme::ScramSha1),
    ("MD5-CRYPT", Scheme::Md5Crypt),
    ("SSHA512", Scheme::Ssha512),
    ("SSHA256", Scheme::Ssha256),
    ("SSHA", Scheme::Ssha),
    ("SMD5", Scheme::Smd5),
    ("SHA512", Scheme::Sha512),
    ("SHA256", Scheme::Sha256),
    ("SHA", Scheme::Sha),
    ("SHA1", Scheme::Sha),
    ("LDAP-MD5", Scheme::Md5),
    ("PLAIN-MD5", Scheme::Md5),
    ("MD5RAW", Scheme::Md5),
    ("CRYPT", Scheme::DesCrypt),
    ("DES-CRYPT", Scheme::DesCrypt),
    ("CRAM-MD5", Scheme::CramMd5),
    ("HMAC-MD5", Scheme::CramMd5),
    ("PLAIN", Scheme::Plain),
    ("CLEARTEXT", Scheme::Plain),
    ("CLEAR", Scheme::Plain),
];

/// The first characters by which a hash names its own scheme.
const PREFIXES: &[(&str, Scheme)] = &[
    ("$argon2id$", Scheme::Argon2id),
    ("$argon2i$", Scheme::Argon2i),
    ("$6$", Scheme::Sha512Crypt),
    ("$5$", Scheme::Sha256Crypt),
    ("$2a$", Scheme::BlfCrypt),
    ("$2b$", Scheme::BlfCrypt),
    ("$2y$", Scheme::BlfCrypt),
    ("$y$", Scheme::Yescrypt),
    ("$pbkdf2$", Scheme::Pbkdf2),
    ("$pbkdf2-sha256$", Scheme::Pbkdf2),
    ("$pbkdf2-sha512$", Scheme::Pbkdf2),
    ("$1$", Scheme::Md5Crypt),
];

impl Scheme {
    /// The scheme that `{name}` stands for in front of `text`, and how `text` is encoded if the
    /// name says (`{SSHA.hex}`).
    pub(super) fn named(name: &str, text: &str) -> Result<(Self, Option<Coding>), HashError> {
        let (bare, coding) = match name.rsplit_once('.') {
            Some((bare, coding)) => match Coding::named(coding) {
                Some(coding) => (bare, Some(coding)),
                None => return Err(unknown(name)),
            },
            None => (name, None),
        };
        // `{MD5}` is MD5-CRYPT to Dovecot, and a plain digest to LDAP and Courier. crypt(3)
        // tells its methods apart by their first characters, DES having none.
        let scheme = if bare.eq_ignore_ascii_case("MD5") {
            if text.starts_with("$1$") { Self::Md5Crypt } else { Self::Md5 }
        } else {
            Self::by_name(bare).ok_or_else(|| unknown(name))?
        };
        if scheme == Self::DesCrypt && text.starts_with('$') {
            return Self::of_prefix(text).map(|scheme| (scheme, coding)).ok_or(HashError::NoScheme);
        }
        Ok((scheme, coding))
    }

    /// The scheme with this name, in any case: what a table of accounts, the configuration and
    /// commands call it.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, scheme)| *scheme)
    }

    /// The scheme that a hash names by its own first characters.
    pub(crate) fn of_prefix(text: &str) -> Option<Self> {
        PREFIXES.iter().find(|(prefix, _)| text.starts_with(prefix)).map(|(_, scheme)| *scheme)
    }

    /// As a table of accounts names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(_, scheme)| *scheme == self).map_or("", |(name, _)| name)
    }

    /// Whether `auth.weak_schemes` must name it before it is verified: whoever reads such a
    /// hash has the password, or all that a login needs, within minutes.
    #[must_use]
    pub fn is_weak(self) -> bool {
        matches!(
            self,
            Self::Sha512 | Self::Sha256 | Self::Sha | Self::Md5 | Self::DesCrypt | Self::CramMd5
        )
    }

    /// Every scheme.
    pub fn every() -> impl Iterator<Item = Self> {
        let first = |at: usize, scheme: Self| NAMES.iter().position(|n| n.1 == scheme) == Some(at);
        NAMES.iter().enumerate().filter(move |(at, n)| first(*at, n.1)).map(|(_, n)| n.1)
    }
}

fn unknown(name: &str) -> HashError {
    HashError::UnknownScheme { name: name.chars().take(24).collect() }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
