//! Keyed digests under a key that lives and dies with the process.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::HashError;

/// HMAC-SHA256 (RFC 2104) under a random key. Whoever reads the process's tables, but not the
/// key, learns nothing of what was sealed.
#[derive(Clone)]
pub(crate) struct Seal {
    keyed: Hmac<Sha256>,
}

impl Seal {
    pub(crate) fn new() -> Result<Self, HashError> {
        let mut key = zeroize::Zeroizing::new([0_u8; 32]);
        getrandom::fill(key.as_mut_slice()).map_err(|_| HashError::NoRandomness)?;
        let keyed = Hmac::new_from_slice(key.as_slice()).map_err(|_| HashError::NoRandomness)?;
        Ok(Self { keyed })
    }

    /// The digest of `parts`. Each goes in with its length, so that no two lists run together
    /// into one text: a digest is never shared by two accounts.
    pub(crate) fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        let seal = Seal::new().unwrap();
        assert_eq!(seal.digest(&[b"ab", b"c"]), seal.digest(&[b"ab", b"c"]));
        assert_ne!(seal.digest(&[b"ab", b"c"]), seal.digest(&[b"a", b"bc"]));
        assert_ne!(seal.digest(&[b"ab", b""]), seal.digest(&[b"ab"]));
    }

    #[test]
    fn another_process_has_another_key() {
        let digest = |seal: &Seal| seal.digest(&[b"pop3", b"secret"]);
        assert_ne!(digest(&Seal::new().unwrap()), digest(&Seal::new().unwrap()));
    }
}
