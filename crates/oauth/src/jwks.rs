//! An issuer's set of keys (RFC 7517 section 5).

use crate::algorithm::Algorithm;
use crate::json;
use crate::jws::Jws;
use crate::key::Key;

/// Octets of a set.
pub(crate) const JWKS_MAX: usize = 256 * 1024;
/// Keys of a set; the others are not looked at.
const KEYS_MAX: usize = 64;
/// Keys that one signature is tried with, where a token does not say which one it is.
const TRIED_MAX: usize = 8;

/// The keys that tokens may be signed with.
#[derive(Default)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
}

/// What a set says of a token's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    Right,
    Wrong,
    /// No key is the one that the token names, or it names none and it was none of these.
    UnknownKey,
}

impl KeySet {
    /// Reads a set. Keys that cannot be used are passed over (RFC 7517 section 5).
    ///
    /// # Errors
    /// What is wrong, if no key is left.
    pub(crate) fn parse(octets: &[u8], allowed: &[Algorithm]) -> Result<Self, &'static str> {
        if octets.len() > JWKS_MAX {
            return Err("it is longer than 256 KiB");
        }
        let object = json::object(octets).ok_or("it is no JSON object with unique names")?;
        let keys = object.get("keys").and_then(|keys| keys.list());
        let keys = keys.ok_or("it has no list called \"keys\"")?;
        let keys = keys.iter().filter_map(|jwk| Key::from_jwk(jwk.object()?, allowed));
        let keys: Vec<_> = keys.take(KEYS_MAX).collect();
        match keys.is_empty() {
            true => Err("it has no key for signatures that the configured algorithms can use"),
            false => Ok(Self { keys }),
        }
    }

    /// A secret that is shared with the issuer, as the only key.
    pub(crate) fn shared(secret: &[u8], allowed: &[Algorithm]) -> Option<Self> {
        Some(Self { keys: vec![Key::shared(secret, allowed)?] })
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether a token was signed with one of these keys, by an algorithm that is the key's own.
    pub(crate) fn check(&self, token: &Jws<'_>) -> Signed {
        let is_named = |key: &Key| key.id().is_some() && key.id() == token.key_id.as_deref();
        // A key without a name may be meant by any; a token that names none, any key.
        let may_be = |key: &&Key| {
            key.kind() == token.algorithm.kind()
                && (is_named(key) || key.id().is_none() || token.key_id.is_none())
        };
        let mut exists = false;
        for key in self.keys.iter().filter(may_be).take(TRIED_MAX) {
            exists |= is_named(key);
            if key.verify(token.algorithm, token.message, &token.signature) {
                return Signed::Right;
            }
        }
        if exists { Signed::Wrong } else { Signed::UnknownKey }
    }
}

#[cfg(test)]
mod tests;
