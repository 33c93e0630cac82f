//! The keys of SCRAM (RFC 5802 section 3, RFC 7677) in Dovecot's format:
//! `iterations,salt,StoredKey,ServerKey`, all but the first in base64.

use std::borrow::Cow;
use std::fmt;

use ::pbkdf2::pbkdf2_hmac;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::coding::{from_base64, to_base64};
use super::{HashError, Scheme, random};

/// About half a second of a core, and more of a client's.
const ITERATIONS_MAX: u32 = 1_000_000;
const SALT_MAX: usize = 64;
/// What RFC 5802 recommends at least is 8 bits fewer.
const SALT_LEN: usize = 16;
const KEY_MAX: usize = 32;
const EXPECTED: &str = "iterations,salt,StoredKey,ServerKey with the last three in base64";

/// The hash function of a SCRAM mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScramHash {
    /// SCRAM-SHA-1 (RFC 5802).
    Sha1,
    /// SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 7677).
    Sha256,
}

impl ScramHash {
    /// Octets of a digest, and so of a key: 20 or 32.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => KEY_MAX,
        }
    }

    /// The scheme in which its keys are stored.
    #[must_use]
    pub fn scheme(self) -> Scheme {
        match self {
            Self::Sha1 => Scheme::ScramSha1,
            Self::Sha256 => Scheme::ScramSha256,
        }
    }

    /// The hash whose keys this scheme stores.
    pub(super) fn of(scheme: Scheme) -> Self {
        if scheme == Scheme::ScramSha1 { Self::Sha1 } else { Self::Sha256 }
    }
}

/// What a server keeps for SCRAM. A login needs the client's proof beside it; but with it a
/// stranger can act as this server, and try passwords. Prints nothing of itself; overwritten
/// when dropped.
#[derive(Clone)]
pub struct ScramKeys {
    hash: ScramHash,
    iterations: u32,
    salt: Vec<u8>,
    stored_key: [u8; KEY_MAX],
    server_key: [u8; KEY_MAX],
}

impl ScramKeys {
    /// Derives the keys of `password` as it is: whoever follows RFC 5802 prepares it by
    /// [`saslprep`] before. Costs PBKDF2.
    #[must_use]
    pub fn derive(hash: ScramHash, password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let mut salted = Zeroizing::new([0; KEY_MAX]);
        let salted = &mut salted[..hash.length()];
        let (mut stored_key, mut server_key) = ([0; KEY_MAX], [0; KEY_MAX]);
        match hash {
            ScramHash::Sha1 => {
                pbkdf2_hmac::<Sha1>(password, salt, iterations, salted);
                let client_key = Zeroizing::new(hmac_sha1(salted, b"Client Key"));
                stored_key[..20].copy_from_slice(&Sha1::digest(*client_key));
                server_key[..20].copy_from_slice(&hmac_sha1(salted, b"Server Key"));
            }
            ScramHash::Sha256 => {
                pbkdf2_hmac::<Sha256>(password, salt, iterations, salted);
                let client_key = Zeroizing::new(hmac_sha256(salted, b"Client Key"));
                stored_key = Sha256::digest(*client_key).into();
                server_key = hmac_sha256(salted, b"Server Key");
            }
        }
        Self { hash, iterations, salt: salt.to_vec(), stored_key, server_key }
    }

    /// Reads Dovecot's format.
    pub(super) fn parse(scheme: Scheme, text: &str) -> Result<Self, HashError> {
        let malformed = || HashError::Malformed { scheme, expected: EXPECTED };
        let hash = ScramHash::of(scheme);
        let mut fields = text.split(',');
        let mut next = || fields.next().ok_or_else(malformed);
        let iterations = next()?;
        let digits = iterations.bytes().all(|byte| byte.is_ascii_digit());
        let iterations = iterations.parse().ok().filter(|n| digits && *n > 0);
        let iterations: u32 = iterations.ok_or_else(malformed)?;
        let mut octets = || from_base64(next()?).ok_or_else(malformed);
        let (salt, stored, server) = (octets()?, octets()?, octets()?);
        let lengths = [stored.len(), server.len()] == [hash.length(); 2];
        if fields.next().is_some() || !lengths || !(1..=SALT_MAX).contains(&salt.len()) {
            return Err(malformed());
        }
        if iterations > ITERATIONS_MAX {
            let (value, limit) = (iterations.into(), ITERATIONS_MAX.into());
            return Err(HashError::TooCostly { scheme, what: "iterations:", value, limit });
        }
        let (mut stored_key, mut server_key) = ([0; KEY_MAX], [0; KEY_MAX]);
        stored_key[..stored.len()].copy_from_slice(&stored);
        server_key[..server.len()].copy_from_slice(&server);
        Ok(Self { hash, iterations, salt, stored_key, server_key })
    }

    pub(super) fn to_text(&self) -> String {
        let [salt, stored, server] =
            [&self.salt[..], self.stored_key(), self.server_key()].map(to_base64);
        format!("{},{salt},{stored},{server}", self.iterations)
    }

    /// The hash function.
    #[must_use]
    pub fn hash(&self) -> ScramHash {
        self.hash
    }

    /// Rounds of PBKDF2 that the client has to compute: the `i=` of the server's first message.
    #[must_use]
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// The salt: the `s=` of the server's first message, before base64.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// `StoredKey`, by which the client's proof is checked.
    #[must_use]
    pub fn stored_key(&self) -> &[u8] {
        &self.stored_key[..self.hash.length()]
    }

    /// `ServerKey`, by which this server shows that it has the record.
    #[must_use]
    pub fn server_key(&self) -> &[u8] {
        &self.server_key[..self.hash.length()]
    }

    /// Whether they are the keys of `password`: prepared as RFC 5802 has it, or as it is, for
    /// servers have stored both.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let prepared = saslprep(password);
        if let Some(prepared) = &prepared
            && self.are_of(prepared)
        {
            return true;
        }
        let differs = prepared.is_none_or(|prepared| *prepared != *password);
        differs && self.are_of(password)
    }

    fn are_of(&self, password: &[u8]) -> bool {
        let computed = Self::derive(self.hash, password, &self.salt, self.iterations);
        let stored = computed.stored_key.ct_eq(&self.stored_key);
        (stored & computed.server_key.ct_eq(&self.server_key)).into()
    }

    /// The same iterations and lengths around random octets.
    pub(super) fn decoy(&self) -> Result<Self, HashError> {
        let mut decoy = Self {
            salt: random::<SALT_MAX>()?[..self.salt.len()].to_vec(),
            stored_key: random()?,
            server_key: random()?,
            ..self.clone()
        };
        decoy.stored_key[self.hash.length()..].fill(0);
        decoy.server_key[self.hash.length()..].fill(0);
        Ok(decoy)
    }
}

/// New keys with a random salt.
pub(super) fn hash(scheme: Scheme, password: &[u8], iterations: u32) -> Result<String, HashError> {
    let prepared = saslprep(password);
    let password = prepared.as_deref().map_or(password, |prepared| &prepared[..]);
    let salt = random::<SALT_LEN>()?;
    Ok(ScramKeys::derive(ScramHash::of(scheme), password, &salt, iterations).to_text())
}

/// The password as SASLprep (RFC 4013) has it, unassigned code points allowed; none if that
/// cannot be: no UTF-8, a prohibited character, or nothing left.
#[must_use]
pub fn saslprep(password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(password).ok()?;
    let prepared = match stringprep::saslprep(text).ok()? {
        Cow::Borrowed(same) => same.as_bytes().to_vec(),
        Cow::Owned(prepared) => prepared.into_bytes(),
    };
    (!prepared.is_empty()).then(|| Zeroizing::new(prepared))
}

fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    // An HMAC takes keys of any length.
    Hmac::<Sha1>::new_from_slice(key)
        .map(|mac| mac.chain_update(message).finalize().into_bytes().into())
        .unwrap_or_default()
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    Hmac::<Sha256>::new_from_slice(key)
        .map(|mac| mac.chain_update(message).finalize().into_bytes().into())
        .unwrap_or_default()
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys(..)")
    }
}

impl Drop for ScramKeys {
    fn drop(&mut self) {
        self.stored_key.zeroize();
        self.server_key.zeroize();
    }
}
