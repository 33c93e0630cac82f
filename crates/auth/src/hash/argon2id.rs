//! argon2id and argon2i (RFC 9106) in the PHC string format.

use std::fmt::Write;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq;

use super::{HashError, Scheme, Workspace, random};

/// Most memory that one hash may ask for: 256 MiB.
const MEMORY_MAX_KIB: u32 = 256 * 1024;
/// Most memory times passes: about half a second of a core.
const WORK_MAX_KIB: u64 = 1024 * 1024;
const LANES_MAX: u32 = 16;
const SALT_LEN: usize = 16;
const SALT_MAX: usize = 64;
const OUTPUT_LEN: usize = 32;
const OUTPUT_MIN: usize = 16;
const OUTPUT_MAX: usize = 64;

/// The cost of an argon2 hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Params {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Default for Argon2Params {
    /// 19 MiB, 2 passes, 1 lane: the least that OWASP's password storage cheat sheet asks for,
    /// and 12 ms of a core.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

impl Argon2Params {
    /// `memory_kib` from 8 times `lanes` to 262144; `passes` at least 1, and memory times
    /// passes at most 1 GiB; `lanes` from 1 to 16.
    ///
    /// # Errors
    /// If a number is out of its range.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, HashError> {
        Self { memory_kib, passes, lanes }.checked(Scheme::Argon2id)
    }

    fn checked(self, scheme: Scheme) -> Result<Self, HashError> {
        let work = u64::from(self.memory_kib) * u64::from(self.passes);
        let too_costly =
            |what, value: u64, limit: u64| HashError::TooCostly { scheme, what, value, limit };
        if self.memory_kib > MEMORY_MAX_KIB {
            let (value, limit) = (self.memory_kib.into(), MEMORY_MAX_KIB.into());
            return Err(too_costly("KiB of memory:", value, limit));
        }
        if work > WORK_MAX_KIB {
            return Err(too_costly("KiB of memory times passes:", work, WORK_MAX_KIB));
        }
        if self.lanes > LANES_MAX {
            return Err(too_costly("lanes:", self.lanes.into(), LANES_MAX.into()));
        }
        if self.passes == 0 || self.lanes == 0 || self.memory_kib < 8 * self.lanes {
            let expected = "at least 1 pass, 1 lane and 8 KiB of memory for each lane";
            return Err(HashError::Malformed { scheme, expected });
        }
        Ok(self)
    }

    /// Memory in KiB.
    #[must_use]
    pub fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    #[must_use]
    pub fn passes(&self) -> u32 {
        self.passes
    }

    pub(super) fn numbers(self) -> [u32; 3] {
        [self.memory_kib, self.passes, self.lanes]
    }
}

/// A parsed PHC string.
pub(super) struct Phc {
    scheme: Scheme,
    version: Version,
    params: Argon2Params,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Phc {
    pub(super) fn parse(scheme: Scheme, text: &str) -> Result<Self, HashError> {
        let expected = "$argon2id$v=19$m=19456,t=2,p=1$salt$hash";
        let malformed = || HashError::Malformed { scheme, expected };
        let name = if scheme == Scheme::Argon2i { "$argon2i$" } else { "$argon2id$" };
        let rest = text.strip_prefix(name).ok_or_else(malformed)?;
        let (version, rest) = match rest.strip_prefix("v=") {
            Some(rest) => rest.split_once('$').ok_or_else(malformed)?,
            None => ("16", rest),
        };
        let version = match version {
            "19" => Version::V0x13,
            "16" => Version::V0x10,
            _ => return Err(malformed()),
        };
        let mut fields = rest.split('$');
        let mut next = || fields.next().ok_or_else(malformed);
        let (costs, salt, output) = (next()?, next()?, next()?);
        if fields.next().is_some() {
            return Err(malformed());
        }
        let mut costs = costs.split(',');
        let mut cost = |key: &str| {
            let value = costs.next().and_then(|pair| pair.strip_prefix(key));
            value.and_then(decimal).ok_or_else(malformed)
        };
        let params =
            Argon2Params { memory_kib: cost("m=")?, passes: cost("t=")?, lanes: cost("p=")? };
        if costs.next().is_some() {
            return Err(malformed());
        }
        let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| malformed())?;
        let output = STANDARD_NO_PAD.decode(output).map_err(|_| malformed())?;
        if !(8..=SALT_MAX).contains(&salt.len()) {
            return Err(HashError::Malformed { scheme, expected: "a salt of 8 to 64 octets" });
        }
        if !(OUTPUT_MIN..=OUTPUT_MAX).contains(&output.len()) {
            return Err(HashError::Malformed { scheme, expected: "a hash of 16 to 64 octets" });
        }
        Ok(Self { scheme, version, params: params.checked(scheme)?, salt, output })
    }

    pub(super) fn params(&self) -> Argon2Params {
        self.params
    }

    pub(super) fn verify(
        &self,
        workspace: &mut Workspace,
        password: &[u8],
    ) -> Result<bool, HashError> {
        let mut computed = [0; OUTPUT_MAX];
        let computed = &mut computed[..self.output.len()];
        self.compute(workspace, password, computed)?;
        Ok(computed.ct_eq(&self.output).into())
    }

    fn compute(
        &self,
        workspace: &mut Workspace,
        password: &[u8],
        output: &mut [u8],
    ) -> Result<(), HashError> {
        let algorithm = match self.scheme {
            Scheme::Argon2i => Algorithm::Argon2i,
            _ => Algorithm::Argon2id,
        };
        let Argon2Params { memory_kib, passes, lanes } = self.params;
        let broken = |_| HashError::Malformed {
            scheme: self.scheme,
            expected: "parameters that argon2 accepts",
        };
        let params = Params::new(memory_kib, passes, lanes, Some(output.len())).map_err(broken)?;
        let blocks = workspace.blocks(params.block_count())?;
        Argon2::new(algorithm, self.version, params)
            .hash_password_into_with_memory(password, &self.salt, output, blocks)
            .map_err(broken)
    }

    /// The same parameters and lengths around random octets.
    pub(super) fn decoy(&self) -> Result<String, HashError> {
        let salt: [u8; SALT_MAX] = random()?;
        let output: [u8; OUTPUT_MAX] = random()?;
        let decoy = Self {
            salt: salt[..self.salt.len()].to_vec(),
            output: output[..self.output.len()].to_vec(),
            scheme: self.scheme,
            version: self.version,
            params: self.params,
        };
        Ok(decoy.to_text())
    }

    fn to_text(&self) -> String {
        let name = if self.scheme == Scheme::Argon2i { "argon2i" } else { "argon2id" };
        let version = match self.version {
            Version::V0x13 => "v=19$",
            Version::V0x10 => "",
        };
        let Argon2Params { memory_kib, passes, lanes } = self.params;
        let mut text = String::with_capacity(128);
        // Writing to a String cannot fail.
        let _ = write!(text, "${name}${version}m={memory_kib},t={passes},p={lanes}$");
        STANDARD_NO_PAD.encode_string(&self.salt, &mut text);
        text.push('$');
        STANDARD_NO_PAD.encode_string(&self.output, &mut text);
        text
    }
}

/// A new argon2id hash with a random salt.
pub(super) fn hash(
    workspace: &mut Workspace,
    password: &[u8],
    params: &Argon2Params,
) -> Result<String, HashError> {
    let mut phc = Phc {
        scheme: Scheme::Argon2id,
        version: Version::V0x13,
        params: *params,
        salt: random::<SALT_LEN>()?.to_vec(),
        output: Vec::new(),
    };
    let mut output = vec![0; OUTPUT_LEN];
    phc.compute(workspace, password, &mut output)?;
    phc.output = output;
    Ok(phc.to_text())
}

/// An argon2id hash of nobody's password.
pub(super) fn decoy(params: &Argon2Params) -> Result<String, HashError> {
    let phc = Phc {
        scheme: Scheme::Argon2id,
        version: Version::V0x13,
        params: *params,
        salt: random::<SALT_LEN>()?.to_vec(),
        output: random::<OUTPUT_LEN>()?.to_vec(),
    };
    Ok(phc.to_text())
}

/// A decimal number without sign or leading zero, as PHC strings have it.
fn decimal(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if plain { text.parse().ok() } else { None }
}
