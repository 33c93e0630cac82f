//! CRAM-MD5 (RFC 2195): a keyed digest over a challenge.

use alloc::string::String;

use subtle::ConstantTimeEq;

use crate::{Failure, SaslError};

/// The challenge, and whether the client has it.
#[derive(Debug)]
pub(crate) struct CramMd5 {
    pub(crate) challenge: String,
    pub(crate) sent: bool,
}

impl CramMd5 {
    /// The name, a space, and the digest in 32 lower-case hexadecimal digits. A name may hold
    /// spaces.
    pub(crate) fn take(self, message: &[u8]) -> Result<DigestCheck, Failure> {
        // Before the challenge there is nothing to answer (RFC 4954 section 4).
        let place = message.iter().rposition(|&octet| octet == b' ').filter(|_| self.sent);
        let Some((name, digits)) = place.map(|at| (&message[..at], &message[at + 1..])) else {
            return Err(Failure::nobodys(SaslError::Malformed));
        };
        let failed = |error| Failure::of(error, name);
        let login = crate::plain::name(name).map_err(failed)?;
        let digest = unhex(digits).ok_or_else(|| failed(SaslError::Malformed))?;
        Ok(DigestCheck { login, challenge: self.challenge, digest })
    }
}

/// A digest to be compared with what the account's secret makes of the challenge.
#[derive(Debug)]
pub struct DigestCheck {
    login: String,
    challenge: String,
    digest: [u8; 16],
}

impl DigestCheck {
    /// The login name as the client spelled it.
    #[must_use]
    pub fn login(&self) -> &str {
        &self.login
    }

    /// What was sent: the message that HMAC-MD5 (RFC 2104) digests, keyed with the password.
    #[must_use]
    pub fn challenge(&self) -> &[u8] {
        self.challenge.as_bytes()
    }

    /// Whether the client's digest is this one; in constant time.
    #[must_use]
    pub fn is(&self, digest: &[u8; 16]) -> bool {
        self.digest.ct_eq(digest).into()
    }
}

fn unhex(digits: &[u8]) -> Option<[u8; 16]> {
    let digits: &[u8; 32] = digits.try_into().ok()?;
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut octets = [0; 16];
    for (octet, pair) in octets.iter_mut().zip(digits.as_chunks::<2>().0) {
        *octet = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(octets)
}
