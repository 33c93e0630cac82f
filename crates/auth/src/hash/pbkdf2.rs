//! PBKDF2 (RFC 8018 section 5.2) with HMAC: Dovecot's `$1$salt$rounds$hex` (SHA-1), and
//! passlib's `$pbkdf2$`, `$pbkdf2-sha256$` and `$pbkdf2-sha512$` with rounds, salt and hash.

use ::pbkdf2::pbkdf2_hmac;
use base64::Engine;
use base64::alphabet::Alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::coding::{crypt64, hex, unhex};
use super::{HashError, Scheme, random};

/// About half a second of a core.
const ROUNDS_MAX: u32 = 2_000_000;
/// SHA-512 takes twice as long.
const ROUNDS_MAX_512: u32 = 1_000_000;
const SALT_MAX: usize = 128;
const OUTPUT_MAX: usize = 64;
const EXPECTED: &str = "$1$salt$rounds$ and 40 hexadecimal digits, or \
                        $pbkdf2-sha256$rounds$salt$hash";

/// passlib's base64: a dot for the plus sign, and no padding.
const ENGINE: Option<GeneralPurpose> = {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./";
    match Alphabet::new(alphabet) {
        Ok(alphabet) => Some(GeneralPurpose::new(
            &alphabet,
            GeneralPurposeConfig::new()
                .with_encode_padding(false)
                .with_decode_padding_mode(DecodePaddingMode::RequireNone),
        )),
        Err(_) => None,
    }
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Dovecot's.
    Dovecot,
    Sha1,
    Sha256,
    Sha512,
}

const PASSLIB: [(&str, Form); 3] = [
    ("$pbkdf2$", Form::Sha1),
    ("$pbkdf2-sha256$", Form::Sha256),
    ("$pbkdf2-sha512$", Form::Sha512),
];

/// A parsed hash.
pub(super) struct Stored {
    form: Form,
    rounds: u32,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Stored {
    pub(super) fn parse(text: &str) -> Result<Self, HashError> {
        let stored = match text.strip_prefix("$1$") {
            Some(rest) => Self::parse_dovecot(rest),
            None => Self::parse_passlib(text),
        };
        let stored = stored.ok_or(malformed())?;
        let limit = if stored.form == Form::Sha512 { ROUNDS_MAX_512 } else { ROUNDS_MAX };
        if stored.rounds > limit {
            return Err(HashError::TooCostly {
                scheme: Scheme::Pbkdf2,
                what: "rounds:",
                value: stored.rounds.into(),
                limit: limit.into(),
            });
        }
        Ok(stored)
    }

    fn parse_dovecot(rest: &str) -> Option<Self> {
        // The salt may hold anything but the last two dollar signs.
        let (rest, output) = rest.rsplit_once('$')?;
        let (salt, rounds) = rest.rsplit_once('$')?;
        let output = unhex(output).filter(|output| output.len() == 20)?;
        let salt = salt.as_bytes().to_vec();
        let stored = Self { form: Form::Dovecot, rounds: decimal(rounds)?, salt, output };
        (stored.salt.len() <= SALT_MAX).then_some(stored)
    }

    fn parse_passlib(text: &str) -> Option<Self> {
        let (prefix, form) = PASSLIB.into_iter().find(|(prefix, _)| text.starts_with(prefix))?;
        let mut fields = text.strip_prefix(prefix)?.split('$');
        let rounds = decimal(fields.next()?)?;
        let salt = ENGINE?.decode(fields.next()?).ok()?;
        let output = ENGINE?.decode(fields.next()?).ok()?;
        let whole = fields.next().is_none() && output.len() == form.length();
        (whole && salt.len() <= SALT_MAX).then_some(Self { form, rounds, salt, output })
    }

    pub(super) fn numbers(&self) -> [u32; 3] {
        [self.rounds, self.form as u32, 0]
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let mut computed = [0; OUTPUT_MAX];
        let computed = &mut computed[..self.output.len()];
        match self.form {
            Form::Dovecot | Form::Sha1 => {
                pbkdf2_hmac::<Sha1>(password, &self.salt, self.rounds, computed);
            }
            Form::Sha256 => pbkdf2_hmac::<Sha256>(password, &self.salt, self.rounds, computed),
            Form::Sha512 => pbkdf2_hmac::<Sha512>(password, &self.salt, self.rounds, computed),
        }
        computed.ct_eq(&self.output).into()
    }

    /// The same rounds and lengths around random octets.
    pub(super) fn decoy(&self) -> Result<String, HashError> {
        let (salt, output) = (random::<SALT_MAX>()?, random::<OUTPUT_MAX>()?);
        let output = &output[..self.output.len()];
        let rounds = self.rounds;
        if self.form == Form::Dovecot {
            let salt = crypt64(salt);
            return Ok(format!("$1${}${rounds}${}", &salt[..self.salt.len()], hex(output)));
        }
        let prefix = PASSLIB.iter().find(|(_, form)| *form == self.form).map_or("", |p| p.0);
        let encode = |octets: &[u8]| ENGINE.map(|engine| engine.encode(octets)).unwrap_or_default();
        Ok(format!("{prefix}{rounds}${}${}", encode(&salt[..self.salt.len()]), encode(output)))
    }
}

impl Form {
    /// Octets of the hash.
    fn length(self) -> usize {
        match self {
            Self::Dovecot | Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// From 1, without sign and leading zeros.
fn decimal(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if plain { text.parse().ok() } else { None }
}

fn malformed() -> HashError {
    HashError::Malformed { scheme: Scheme::Pbkdf2, expected: EXPECTED }
}
