//! A hash taken apart, whatever its scheme: what it costs, whether a password fits, and a decoy
//! like it.

use subtle::ConstantTimeEq;

use super::{
    CramMd5Secret, HashError, Scheme, ScramKeys, Workspace, argon2id, blf_crypt, des_crypt, digest,
    md5_crypt, pbkdf2, sha_crypt, yescrypt,
};

pub(super) enum Parsed<'a> {
    Argon2(argon2id::Phc),
    ShaCrypt(sha_crypt::Stored<'a>),
    BlfCrypt(blf_crypt::Stored),
    Yescrypt(yescrypt::Stored<'a>),
    Pbkdf2(pbkdf2::Stored),
    Scram(ScramKeys),
    Md5Crypt(md5_crypt::Stored<'a>),
    Digest(digest::Stored),
    DesCrypt(des_crypt::Stored<'a>),
    CramMd5(CramMd5Secret),
    Plain(&'a str),
}

impl<'a> Parsed<'a> {
    pub(super) fn of(scheme: Scheme, text: &'a str) -> Result<Self, HashError> {
        Ok(match scheme {
            Scheme::Argon2id | Scheme::Argon2i => Self::Argon2(argon2id::Phc::parse(scheme, text)?),
            Scheme::Sha512Crypt | Scheme::Sha256Crypt => {
                Self::ShaCrypt(sha_crypt::Stored::parse(scheme, text)?)
            }
            Scheme::BlfCrypt => Self::BlfCrypt(blf_crypt::Stored::parse(text)?),
            Scheme::Yescrypt => Self::Yescrypt(yescrypt::Stored::parse(text)?),
            Scheme::Pbkdf2 => Self::Pbkdf2(pbkdf2::Stored::parse(text)?),
            Scheme::ScramSha256 | Scheme::ScramSha1 => Self::Scram(ScramKeys::parse(scheme, text)?),
            Scheme::Md5Crypt => Self::Md5Crypt(md5_crypt::Stored::parse(text)?),
            Scheme::Ssha512
            | Scheme::Ssha256
            | Scheme::Ssha
            | Scheme::Smd5
            | Scheme::Sha512
            | Scheme::Sha256
            | Scheme::Sha
            | Scheme::Md5 => Self::Digest(digest::Stored::parse(scheme, text)?),
            Scheme::DesCrypt => Self::DesCrypt(des_crypt::Stored::parse(text)?),
            Scheme::CramMd5 => Self::CramMd5(CramMd5Secret::parse(text)?),
            Scheme::Plain if text.is_empty() => {
                return Err(HashError::Malformed { scheme, expected: "a password behind {PLAIN}" });
            }
            Scheme::Plain => Self::Plain(text),
        })
    }

    /// What two hashes of one scheme must have in common to take the same time.
    pub(super) fn numbers(&self) -> [u32; 3] {
        match self {
            Self::Argon2(phc) => phc.params().numbers(),
            Self::ShaCrypt(stored) => [stored.rounds(), 0, 0],
            Self::BlfCrypt(stored) => [stored.cost(), 0, 0],
            Self::Yescrypt(stored) => stored.numbers(),
            Self::Pbkdf2(stored) => stored.numbers(),
            Self::Scram(keys) => [keys.iterations(), 0, 0],
            Self::Md5Crypt(_)
            | Self::Digest(_)
            | Self::DesCrypt(_)
            | Self::CramMd5(_)
            | Self::Plain(_) => [0; 3],
        }
    }

    /// KiB that verifying takes, where that is more than a few.
    pub(super) fn memory_kib(&self) -> usize {
        match self {
            Self::Argon2(phc) => usize::try_from(phc.params().memory_kib()).unwrap_or(usize::MAX),
            Self::Yescrypt(stored) => usize::try_from(stored.memory_kib()).unwrap_or(usize::MAX),
            _ => 0,
        }
    }

    pub(super) fn verify(
        &self,
        workspace: &mut Workspace,
        password: &[u8],
    ) -> Result<bool, HashError> {
        Ok(match self {
            Self::Argon2(phc) => phc.verify(workspace, password)?,
            Self::ShaCrypt(stored) => stored.verify(password)?,
            Self::BlfCrypt(stored) => stored.verify(password),
            Self::Yescrypt(stored) => stored.verify(password)?,
            Self::Pbkdf2(stored) => stored.verify(password),
            Self::Scram(keys) => keys.verify(password),
            Self::Md5Crypt(stored) => stored.verify(password),
            Self::Digest(stored) => stored.verify(password),
            Self::DesCrypt(stored) => stored.verify(password),
            Self::CramMd5(secret) => secret.verify(password),
            Self::Plain(text) => text.as_bytes().ct_eq(password).into(),
        })
    }

    /// The text of a hash of nobody's password that costs as much.
    pub(super) fn decoy(&self) -> Result<String, HashError> {
        match self {
            Self::Argon2(phc) => phc.decoy(),
            Self::ShaCrypt(stored) => stored.decoy(),
            Self::BlfCrypt(stored) => stored.decoy(),
            Self::Yescrypt(stored) => stored.decoy(),
            Self::Pbkdf2(stored) => stored.decoy(),
            Self::Scram(keys) => Ok(keys.decoy()?.to_text()),
            Self::Md5Crypt(stored) => stored.decoy(),
            Self::Digest(stored) => stored.decoy(),
            Self::DesCrypt(_) => des_crypt::Stored::decoy(),
            Self::CramMd5(_) => Ok(CramMd5Secret::decoy()?.to_text()),
            // An octet that no password may hold, so that nothing equals it.
            Self::Plain(_) => Ok("\0".repeat(16)),
        }
    }
}
