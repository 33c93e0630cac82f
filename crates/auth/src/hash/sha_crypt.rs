//! SHA-256 and SHA-512 crypt, after Ulrich Drepper's "Unix crypt using SHA-256 and SHA-512".

use ::sha_crypt::{Params, sha256_crypt, sha512_crypt};
use subtle::ConstantTimeEq;

use super::coding::{ALPHABET, crypt64};
use super::{HashError, Scheme, random};

/// About half a second of a core; installations in the field go to 656000.
const ROUNDS_MAX: u32 = 2_000_000;
const ROUNDS_DEFAULT: u32 = 5_000;
/// crypt(3) itself raises anything below to this.
const ROUNDS_MIN: u32 = 1_000;
const SALT_MAX: usize = 16;

/// In which order the octets of the digest are encoded.
const ORDER_256: [usize; 32] = [
    20, 10, 0, 11, 1, 21, 2, 22, 12, 23, 13, 3, 14, 4, 24, 5, 25, 15, 26, 16, 6, 17, 7, 27, 8, 28,
    18, 29, 19, 9, 30, 31,
];
const ORDER_512: [usize; 64] = [
    42, 21, 0, 1, 43, 22, 23, 2, 44, 45, 24, 3, 4, 46, 25, 26, 5, 47, 48, 27, 6, 7, 49, 28, 29, 8,
    50, 51, 30, 9, 10, 52, 31, 32, 11, 53, 54, 33, 12, 13, 55, 34, 35, 14, 56, 57, 36, 15, 16, 58,
    37, 38, 17, 59, 60, 39, 18, 19, 61, 40, 41, 20, 62, 63,
];

/// A parsed hash.
pub(super) struct Stored<'a> {
    scheme: Scheme,
    rounds: u32,
    /// Whether the hash states its rounds.
    explicit: bool,
    salt: &'a str,
    encoded: &'a str,
}

impl<'a> Stored<'a> {
    pub(super) fn parse(scheme: Scheme, text: &'a str) -> Result<Self, HashError> {
        let (prefix, length, expected) = match scheme {
            Scheme::Sha256Crypt => ("$5$", 43, "$5$salt$ and 43 characters"),
            _ => ("$6$", 86, "$6$salt$ and 86 characters"),
        };
        let malformed = || HashError::Malformed { scheme, expected };
        let rest = text.strip_prefix(prefix).ok_or_else(malformed)?;
        let (rounds, explicit, rest) = match rest.strip_prefix("rounds=") {
            None => (ROUNDS_DEFAULT, false, rest),
            Some(rest) => {
                let (number, rest) = rest.split_once('$').ok_or_else(malformed)?;
                (parse_rounds(scheme, number)?, true, rest)
            }
        };
        let (salt, encoded) = rest.split_once('$').ok_or_else(malformed)?;
        let valid = encoded.len() == length
            && encoded.bytes().all(|byte| ALPHABET.contains(&byte))
            && salt.len() <= SALT_MAX
            && salt.bytes().all(|byte| byte.is_ascii_graphic());
        if !valid {
            return Err(malformed());
        }
        Ok(Self { scheme, rounds, explicit, salt, encoded })
    }

    pub(super) fn rounds(&self) -> u32 {
        self.rounds
    }

    pub(super) fn verify(&self, password: &[u8]) -> Result<bool, HashError> {
        let computed = compute(self.scheme, self.rounds, self.salt, password)?;
        Ok(computed.as_bytes().ct_eq(self.encoded.as_bytes()).into())
    }

    /// The same rounds and lengths around random characters.
    pub(super) fn decoy(&self) -> Result<String, HashError> {
        let random: [u8; SALT_MAX + 86] = random()?;
        let mut characters = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)]));
        let mut text = String::with_capacity(128);
        text.push_str(if self.scheme == Scheme::Sha256Crypt { "$5$" } else { "$6$" });
        if self.explicit {
            text.push_str(&format!("rounds={}$", self.rounds));
        }
        text.extend(characters.by_ref().take(self.salt.len()));
        text.push('$');
        text.extend(characters.take(self.encoded.len()));
        Ok(text)
    }
}

/// A new SHA-512 crypt hash; `rounds` as [`parse_rounds`] bounds them.
pub(super) fn hash(password: &[u8], rounds: u32) -> Result<String, HashError> {
    let salt = crypt64(random::<12>()?);
    let encoded = compute(Scheme::Sha512Crypt, rounds, &salt, password)?;
    Ok(format!("$6$rounds={rounds}${salt}${encoded}"))
}

fn compute(scheme: Scheme, rounds: u32, salt: &str, password: &[u8]) -> Result<String, HashError> {
    let expected = "rounds from 1000 to 2000000";
    let params = Params::new(rounds).map_err(|_| HashError::Malformed { scheme, expected })?;
    Ok(if scheme == Scheme::Sha256Crypt {
        let digest = sha256_crypt(password, salt.as_bytes(), params);
        crypt64(ORDER_256.iter().map(|at| digest[*at]))
    } else {
        let digest = sha512_crypt(password, salt.as_bytes(), params);
        crypt64(ORDER_512.iter().map(|at| digest[*at]))
    })
}

fn parse_rounds(scheme: Scheme, number: &str) -> Result<u32, HashError> {
    let digits = number.bytes().all(|byte| byte.is_ascii_digit()) && number.len() <= 9;
    let rounds: u32 = number.parse().ok().filter(|_| digits).unwrap_or(0);
    if rounds < ROUNDS_MIN {
        let expected = "rounds from 1000 to 2000000";
        return Err(HashError::Malformed { scheme, expected });
    }
    if rounds > ROUNDS_MAX {
        let (value, limit) = (rounds.into(), ROUNDS_MAX.into());
        return Err(HashError::TooCostly { scheme, what: "rounds:", value, limit });
    }
    Ok(rounds)
}
