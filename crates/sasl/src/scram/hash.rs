//! The hash functions of SCRAM.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The longest digest.
pub(super) const LENGTH_MAX: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScramHash {
    Sha1,
    Sha256,
}

impl ScramHash {
    /// Octets of a digest.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => LENGTH_MAX,
        }
    }

    /// `H` (RFC 5802 section 2.2), with zeros behind it.
    pub(super) fn digest(self, octets: &[u8]) -> [u8; LENGTH_MAX] {
        match self {
            Self::Sha1 => padded(&Sha1::digest(octets)),
            Self::Sha256 => Sha256::digest(octets).into(),
        }
    }

    /// `HMAC` (RFC 5802 section 2.2), with zeros behind it.
    pub(super) fn hmac(self, key: &[u8], octets: &[u8]) -> [u8; LENGTH_MAX] {
        // An HMAC takes keys of any length.
        let signature = match self {
            Self::Sha1 => Hmac::<Sha1>::new_from_slice(key)
                .map(|mac| padded(&mac.chain_update(octets).finalize().into_bytes())),
            Self::Sha256 => Hmac::<Sha256>::new_from_slice(key)
                .map(|mac| mac.chain_update(octets).finalize().into_bytes().into()),
        };
        signature.unwrap_or_default()
    }
}

fn padded(digest: &[u8]) -> [u8; LENGTH_MAX] {
    let mut padded = [0; LENGTH_MAX];
    for (place, octet) in padded.iter_mut().zip(digest) {
        *place = *octet;
    }
    padded
}
