//! One digest over password and salt: `{SSHA}` and its kin (RFC 2307, Dovecot, OpenLDAP), and
//! the same without salt.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::coding::{Coding, from_base64, to_base64, unhex};
use super::{HashError, Scheme, random};

const SALT_MAX: usize = 64;

/// A parsed hash.
pub(super) struct Stored {
    scheme: Scheme,
    /// The digest, and the salt behind it.
    octets: Vec<u8>,
}

impl Stored {
    /// Reads what [`normalise`] made.
    pub(super) fn parse(scheme: Scheme, text: &str) -> Result<Self, HashError> {
        let octets = from_base64(text).ok_or(malformed(scheme))?;
        Self::of(scheme, octets)
    }

    fn of(scheme: Scheme, octets: Vec<u8>) -> Result<Self, HashError> {
        let length = length(scheme);
        let fits = if is_salted(scheme) {
            (length + 1..=length + SALT_MAX).contains(&octets.len())
        } else {
            octets.len() == length
        };
        if fits { Ok(Self { scheme, octets }) } else { Err(malformed(scheme)) }
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let Some((stored, salt)) = self.octets.split_at_checked(length(self.scheme)) else {
            return false;
        };
        match self.scheme {
            Scheme::Md5 | Scheme::Smd5 => same::<Md5>(password, salt, stored),
            Scheme::Sha | Scheme::Ssha => same::<Sha1>(password, salt, stored),
            Scheme::Sha256 | Scheme::Ssha256 => same::<Sha256>(password, salt, stored),
            _ => same::<Sha512>(password, salt, stored),
        }
    }

    /// As many random octets.
    pub(super) fn decoy(&self) -> Result<String, HashError> {
        let octets: [u8; 64 + SALT_MAX] = random()?;
        Ok(to_base64(&octets[..self.octets.len()]))
    }
}

/// The hash in base64, however it was written: as `coding` says, or else in base64, or in
/// hexadecimal digits where there are just as many of them as a digest without salt has.
pub(super) fn normalise(
    scheme: Scheme,
    text: &str,
    coding: Option<Coding>,
) -> Result<String, HashError> {
    let digits = !is_salted(scheme) && text.len() == 2 * length(scheme);
    let octets = match coding {
        Some(coding) => coding.decode(text),
        None if digits => unhex(text),
        None => Coding::Base64.decode(text),
    };
    let stored = Stored::of(scheme, octets.ok_or(malformed(scheme))?)?;
    Ok(to_base64(&stored.octets))
}

fn same<D: Digest>(password: &[u8], salt: &[u8], stored: &[u8]) -> bool {
    let computed = D::new().chain_update(password).chain_update(salt).finalize();
    computed.as_slice().ct_eq(stored).into()
}

/// Octets of the digest.
fn length(scheme: Scheme) -> usize {
    match scheme {
        Scheme::Md5 | Scheme::Smd5 => 16,
        Scheme::Sha | Scheme::Ssha => 20,
        Scheme::Sha256 | Scheme::Ssha256 => 32,
        _ => 64,
    }
}

fn is_salted(scheme: Scheme) -> bool {
    matches!(scheme, Scheme::Smd5 | Scheme::Ssha | Scheme::Ssha256 | Scheme::Ssha512)
}

fn malformed(scheme: Scheme) -> HashError {
    let expected = if is_salted(scheme) {
        "base64 of the digest and a salt of 1 to 64 octets (or hexadecimal digits behind \
         {SCHEME.hex})"
    } else {
        "base64 or hexadecimal digits of the digest"
    };
    HashError::Malformed { scheme, expected }
}
