//! How new hashes are made: a scheme, and what it shall cost.

use zeroize::Zeroizing;

use super::{
    Argon2Params, HashError, Parsed, Scheme, StoredHash, Workspace, argon2id, blf_crypt,
    check_password, scram, sha_crypt, yescrypt,
};

/// How new hashes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashRecipe {
    scheme: Scheme,
    cost: Cost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cost {
    Argon2(Argon2Params),
    /// bcrypt's cost, the rounds of SHA-512 crypt, the logarithm of yescrypt's blocks, the
    /// iterations of SCRAM.
    Number(u32),
}

impl HashRecipe {
    /// The house's cost for `scheme`: 10 to 60 ms of a core. ARGON2ID at `argon2`; BLF-CRYPT at
    /// 10; SHA512-CRYPT with 50000 rounds; YESCRYPT with 16 MiB; SCRAM with 15000 iterations,
    /// which each client has to compute as well (RFC 7677 section 4).
    ///
    /// # Errors
    /// If no new hashes are made in this scheme.
    pub fn new(scheme: Scheme, argon2: Argon2Params) -> Result<Self, HashError> {
        let cost = match scheme {
            Scheme::Argon2id => Cost::Argon2(argon2),
            Scheme::BlfCrypt => Cost::Number(10),
            Scheme::Sha512Crypt => Cost::Number(50_000),
            Scheme::Yescrypt => Cost::Number(yescrypt::BLOCKS_LOG2_DEFAULT),
            Scheme::ScramSha256 | Scheme::ScramSha1 => Cost::Number(15_000),
            _ => return Err(HashError::NoTarget { scheme }),
        };
        Ok(Self { scheme, cost })
    }

    /// The same at another cost: bcrypt's from 4 to 15, rounds of SHA-512 crypt from 1000 to
    /// 2000000, iterations of SCRAM from 4096 to 1000000; for yescrypt the logarithm of its
    /// blocks of 4 KiB, from 8 to 16. That of argon2id stays as it is.
    ///
    /// # Errors
    /// If the number is out of its range.
    pub fn with_rounds(mut self, rounds: u32) -> Result<Self, HashError> {
        let (range, expected) = match self.scheme {
            Scheme::BlfCrypt => (4..=15, "a cost from 4 to 15"),
            Scheme::Sha512Crypt => (1000..=2_000_000, "rounds from 1000 to 2000000"),
            Scheme::Yescrypt => (8..=16, "the logarithm of 4 KiB blocks, from 8 to 16"),
            Scheme::ScramSha256 | Scheme::ScramSha1 => {
                (4096..=1_000_000, "iterations from 4096 to 1000000")
            }
            scheme => {
                let expected = "the cost in auth.argon2_memory_kib and auth.argon2_passes";
                return Err(HashError::Malformed { scheme, expected });
            }
        };
        if !range.contains(&rounds) {
            return Err(HashError::Malformed { scheme: self.scheme, expected });
        }
        self.cost = Cost::Number(rounds);
        Ok(self)
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Hashes a new password with a fresh salt. Blocks for as long as the recipe costs.
    ///
    /// # Errors
    /// If the password is empty, longer than [`super::PASSWORD_MAX`] or holds NUL, CR or LF; or
    /// if the system has neither memory nor random bytes to give.
    pub fn make(&self, password: &[u8]) -> Result<StoredHash, HashError> {
        self.make_in(&mut Workspace::new(), password)
    }

    /// As [`Self::make`], in memory that is used again.
    pub(crate) fn make_in(
        &self,
        workspace: &mut Workspace,
        password: &[u8],
    ) -> Result<StoredHash, HashError> {
        check_password(password)?;
        let text = match (self.scheme, self.cost) {
            (_, Cost::Argon2(params)) => argon2id::hash(workspace, password, &params)?,
            (Scheme::BlfCrypt, Cost::Number(cost)) => blf_crypt::hash(password, cost)?,
            (Scheme::Sha512Crypt, Cost::Number(rounds)) => sha_crypt::hash(password, rounds)?,
            (Scheme::Yescrypt, Cost::Number(log2)) => yescrypt::hash(password, log2)?,
            (scheme, Cost::Number(iterations)) => scram::hash(scheme, password, iterations)?,
        };
        let text = Zeroizing::new(text);
        Ok(StoredHash { scheme: self.scheme, text: text.as_str().into() })
    }

    /// Whether a hash of it is one of the whole password: bcrypt reads 72 octets.
    pub(crate) fn keeps(&self, password: &[u8]) -> bool {
        self.scheme != Scheme::BlfCrypt || password.len() <= 72
    }

    /// Whether `hash` is of this scheme and costs no less.
    #[must_use]
    pub fn is_met_by(&self, hash: &StoredHash) -> bool {
        if hash.scheme != self.scheme {
            return false;
        }
        let Ok(parsed) = Parsed::of(hash.scheme, &hash.text) else { return false };
        match (parsed, self.cost) {
            (Parsed::Argon2(phc), Cost::Argon2(wanted)) => {
                let work = |p: &Argon2Params| u64::from(p.memory_kib()) * u64::from(p.passes());
                let has = phc.params();
                has.memory_kib() >= wanted.memory_kib() && work(&has) >= work(&wanted)
            }
            (Parsed::Yescrypt(has), Cost::Number(log2)) => {
                has.memory_kib() >= yescrypt::memory_kib(log2)
            }
            (parsed, Cost::Number(wanted)) => parsed.numbers()[0] >= wanted,
            (_, Cost::Argon2(_)) => false,
        }
    }
}
