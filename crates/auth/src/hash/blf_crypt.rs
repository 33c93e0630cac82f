//! bcrypt: `$2a$`, `$2b$` and `$2y$`, which differ only in bugs that no hash here has.

use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use subtle::ConstantTimeEq;

use super::{HashError, Scheme, random};

/// Two seconds of a core; the next step would be four.
const COST_MAX: u32 = 15;
/// bcrypt reads no more of a password, its NUL included.
const KEY_MAX: usize = 72;

/// Old writers left rubbish in the unused last bits of the salt.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// A parsed hash.
pub(super) struct Stored {
    cost: u32,
    salt: [u8; 16],
    output: [u8; 23],
}

impl Stored {
    pub(super) fn parse(text: &str) -> Result<Self, HashError> {
        let scheme = Scheme::BlfCrypt;
        let expected = "$2b$, two digits, $ and 53 characters";
        let malformed = || HashError::Malformed { scheme, expected };
        if !text.is_ascii() || text.len() != 60 || Scheme::of_prefix(text) != Some(scheme) {
            return Err(malformed());
        }
        let (cost, encoded) = text[4..].split_once('$').ok_or_else(malformed)?;
        if cost.len() != 2 || !cost.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        let cost: u32 = cost.parse().map_err(|_| malformed())?;
        if cost > COST_MAX {
            let (value, limit) = (cost.into(), COST_MAX.into());
            return Err(HashError::TooCostly { scheme, what: "cost", value, limit });
        }
        if cost < 4 {
            return Err(HashError::Malformed { scheme, expected: "a cost from 04 to 15" });
        }
        let (salt, output) = encoded.split_at_checked(22).ok_or_else(malformed)?;
        Ok(Self {
            cost,
            salt: decode(salt).ok_or_else(malformed)?,
            output: decode(output).ok_or_else(malformed)?,
        })
    }

    pub(super) fn cost(&self) -> u32 {
        self.cost
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        compute(self.cost, self.salt, password).ct_eq(&self.output).into()
    }

    /// The same cost around random octets.
    pub(super) fn decoy(&self) -> Result<String, HashError> {
        let salt = ENGINE.encode(random::<16>()?);
        let output = ENGINE.encode(random::<23>()?);
        Ok(format!("$2b${:02}${salt}{output}", self.cost))
    }
}

/// A new hash at `cost`, from 4 to [`COST_MAX`].
pub(super) fn hash(password: &[u8], cost: u32) -> Result<String, HashError> {
    let salt = random::<16>()?;
    let output = compute(cost, salt, password);
    Ok(format!("$2b${cost:02}${}{}", ENGINE.encode(salt), ENGINE.encode(output)))
}

fn compute(cost: u32, salt: [u8; 16], password: &[u8]) -> [u8; 23] {
    let mut key = zeroize::Zeroizing::new([0; KEY_MAX]);
    let taken = password.len().min(KEY_MAX);
    key[..taken].copy_from_slice(&password[..taken]);
    let with_nul = (taken + 1).min(KEY_MAX);
    let computed = bcrypt::bcrypt(cost, salt, &key[..with_nul]);
    std::array::from_fn(|at| computed[at])
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    ENGINE.decode(text).ok()?.try_into().ok()
}
