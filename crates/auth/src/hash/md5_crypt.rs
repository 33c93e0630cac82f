//! MD5 crypt, `$1$`, after Poul-Henning Kamp's crypt(3) of FreeBSD: a thousand rounds of MD5.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use super::coding::{ALPHABET, crypt64};
use super::{HashError, Scheme, random};

const ROUNDS: u32 = 1000;
const SALT_MAX: usize = 8;
const ENCODED: usize = 22;
/// In which order the octets of the digest are encoded.
const ORDER: [usize; 16] = [12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11];

/// A parsed hash.
pub(super) struct Stored<'a> {
    salt: &'a str,
    encoded: &'a str,
}

impl<'a> Stored<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, HashError> {
        let expected = "$1$, a salt of at most 8 characters, $ and 22 characters";
        let malformed = HashError::Malformed { scheme: Scheme::Md5Crypt, expected };
        let parts = text.strip_prefix("$1$").and_then(|rest| rest.split_once('$'));
        let Some((salt, encoded)) = parts else { return Err(malformed) };
        let valid = salt.len() <= SALT_MAX
            && salt.bytes().all(|byte| byte.is_ascii_graphic())
            && encoded.len() == ENCODED
            && encoded.bytes().all(|byte| ALPHABET.contains(&byte));
        if valid { Ok(Self { salt, encoded }) } else { Err(malformed) }
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let digest = compute(password, self.salt.as_bytes());
        let computed = crypt64(ORDER.iter().map(|at| digest[*at]));
        computed.as_bytes().ct_eq(self.encoded.as_bytes()).into()
    }

    /// The same lengths with random characters.
    pub(super) fn decoy(&self) -> Result<String, HashError> {
        let (salt, encoded) = (crypt64(random::<6>()?), crypt64(random::<16>()?));
        Ok(format!("$1${}${encoded}", &salt[..self.salt.len()]))
    }
}

fn compute(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let digest = |parts: &[&[u8]]| -> [u8; 16] {
        let mut md5 = Md5::new();
        parts.iter().for_each(|part| md5.update(part));
        md5.finalize().into()
    };
    let alternate = digest(&[password, salt, password]);
    let mut first = Md5::new().chain_update(password).chain_update(b"$1$").chain_update(salt);
    for chunk in password.chunks(alternate.len()) {
        first.update(&alternate[..chunk.len()]);
    }
    // A zero, or the first character, for each bit of the length: a slip of the first
    // implementation that all others keep.
    let mut length = password.len();
    while length > 0 {
        first.update(if length & 1 == 1 { &[0] } else { &password[..1] });
        length >>= 1;
    }
    let mut result: [u8; 16] = first.finalize().into();
    for round in 0..ROUNDS {
        let odd = round % 2 == 1;
        let begin = if odd { password } else { &result };
        let salt = if round % 3 == 0 { &[] } else { salt };
        let again = if round % 7 == 0 { &[] } else { password };
        let end = if odd { &result } else { password };
        result = digest(&[begin, salt, again, end]);
    }
    result
}
