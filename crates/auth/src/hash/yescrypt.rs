//! yescrypt, `$y$`, as libxcrypt writes it.

use ::yescrypt::{Mode, Params};
use subtle::ConstantTimeEq;

use super::coding::{crypt64, from_crypt64, value64};
use super::{HashError, Scheme, random};

/// Most memory that one hash may ask for: 256 MiB.
const MEMORY_MAX_KIB: u64 = 256 * 1024;
/// Most memory times one more than the extra time: about half a second of a core.
const WORK_MAX_KIB: u64 = 512 * 1024;
const BLOCK_MAX: u32 = 256;
const LANES_MAX: u32 = 16;
const SALT_MAX: usize = 64;
const SALT_LEN: usize = 16;
const OUTPUT: usize = 32;
/// The only flavour that crypt(3) writes: read and write, with the larger S-boxes.
const FLAVOUR: u32 = 47;
/// What crypt(3) takes by default: 4096 blocks of 4 KiB, so 16 MiB.
pub(super) const BLOCKS_LOG2_DEFAULT: u32 = 12;
const BLOCK_DEFAULT: u32 = 32;

const EXPECTED: &str = "$y$, parameters such as j9T, $, a salt, $ and 43 characters";

/// A parsed hash.
pub(super) struct Stored<'a> {
    cost: Cost,
    salt_text: &'a str,
    salt: Vec<u8>,
    output: [u8; OUTPUT],
}

/// What a hash costs.
#[derive(Clone, Copy)]
struct Cost {
    /// Logarithm of the number of blocks, N.
    blocks_log2: u32,
    /// Size of a block in 128 octets, r.
    block: u32,
    /// Lanes, p.
    lanes: u32,
    /// Extra time, t.
    time: u32,
}

impl<'a> Stored<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, HashError> {
        let mut fields = text.strip_prefix("$y$").ok_or_else(malformed)?.split('$');
        let mut next = || fields.next().ok_or_else(malformed);
        let (cost, salt_text, output) = (next()?, next()?, next()?);
        if fields.next().is_some() {
            return Err(malformed());
        }
        let cost = Cost::parse(cost)?;
        let salt = from_crypt64(salt_text).ok_or_else(malformed)?;
        if salt.len() > SALT_MAX {
            return Err(malformed());
        }
        let output = from_crypt64(output).and_then(|octets| octets.try_into().ok());
        Ok(Self { cost, salt_text, salt, output: output.ok_or_else(malformed)? })
    }

    pub(super) fn numbers(&self) -> [u32; 3] {
        let Cost { blocks_log2, block, lanes, time } = self.cost;
        [blocks_log2, block, lanes << 8 | time]
    }

    pub(super) fn memory_kib(&self) -> u64 {
        self.cost.memory_kib()
    }

    pub(super) fn verify(&self, password: &[u8]) -> Result<bool, HashError> {
        let computed = self.cost.compute(&self.salt, password)?;
        Ok(computed.ct_eq(&self.output).into())
    }

    /// The same cost and lengths around random octets.
    pub(super) fn decoy(&self) -> Result<String, HashError> {
        let (salt, output) = (random::<SALT_MAX>()?, random::<OUTPUT>()?);
        let salt = crypt64(salt[..self.salt.len()].iter().copied());
        debug_assert_eq!(salt.len(), self.salt_text.len());
        Ok(text(&self.cost, &salt, &output))
    }
}

/// A new hash of `2^blocks_log2` blocks of 4 KiB.
pub(super) fn hash(password: &[u8], blocks_log2: u32) -> Result<String, HashError> {
    let cost = Cost { blocks_log2, block: BLOCK_DEFAULT, lanes: 1, time: 0 }.checked()?;
    let salt = random::<SALT_LEN>()?;
    let output = cost.compute(&salt, password)?;
    Ok(text(&cost, &crypt64(salt), &output))
}

/// What [`Stored::memory_kib`] of a new hash will be.
pub(super) fn memory_kib(blocks_log2: u32) -> u64 {
    Cost { blocks_log2, block: BLOCK_DEFAULT, lanes: 1, time: 0 }.memory_kib()
}

fn text(cost: &Cost, salt: &str, output: &[u8; OUTPUT]) -> String {
    format!("$y${}${salt}${}", cost.to_text(), crypt64(*output))
}

impl Cost {
    fn parse(text: &str) -> Result<Self, HashError> {
        let mut digits = text.bytes();
        let mut number = |least| read_number(&mut digits, least).ok_or_else(malformed);
        if number(0)? != FLAVOUR {
            let expected = "parameters that begin with j, as crypt(3) writes them";
            return Err(HashError::Malformed { scheme: Scheme::Yescrypt, expected });
        }
        let (blocks_log2, block) = (number(1)?, number(1)?);
        let (mut lanes, mut time) = (1, 0);
        if let Ok(present) = number(1) {
            if present > 3 {
                let expected = "parameters without upgrades and without a ROM";
                return Err(HashError::Malformed { scheme: Scheme::Yescrypt, expected });
            }
            if present & 1 != 0 {
                lanes = number(2)?;
            }
            if present & 2 != 0 {
                time = number(1)?;
            }
        }
        if digits.next().is_some() {
            return Err(malformed());
        }
        Self { blocks_log2, block, lanes, time }.checked()
    }

    fn checked(self) -> Result<Self, HashError> {
        let too_costly = |what, value: u64, limit: u64| {
            Err(HashError::TooCostly { scheme: Scheme::Yescrypt, what, value, limit })
        };
        if self.block > BLOCK_MAX {
            return too_costly("a block size of", self.block.into(), BLOCK_MAX.into());
        }
        if self.lanes > LANES_MAX {
            return too_costly("lanes:", self.lanes.into(), LANES_MAX.into());
        }
        let memory = self.memory_kib();
        if memory > MEMORY_MAX_KIB {
            return too_costly("KiB of memory:", memory, MEMORY_MAX_KIB);
        }
        let work = memory.saturating_mul(u64::from(self.time) + 1);
        if work > WORK_MAX_KIB {
            return too_costly("KiB of memory times passes:", work, WORK_MAX_KIB);
        }
        self.params().map(|_| self)
    }

    fn memory_kib(self) -> u64 {
        // 2^32 blocks are beyond every limit.
        (u64::from(self.block) << self.blocks_log2.min(32)).div_ceil(8)
    }

    fn params(self) -> Result<Params, HashError> {
        let Self { blocks_log2, block, lanes, time } = self;
        let blocks = 1_u64.checked_shl(blocks_log2).ok_or_else(malformed)?;
        Params::new_with_all_params(Mode::Rw, blocks, block, lanes, time, 0)
            .map_err(|_| malformed())
    }

    fn compute(self, salt: &[u8], password: &[u8]) -> Result<[u8; OUTPUT], HashError> {
        let mut output = [0; OUTPUT];
        ::yescrypt::yescrypt(password, salt, &self.params()?, &mut output)
            .map_err(|_| malformed())?;
        Ok(output)
    }

    fn to_text(self) -> String {
        let mut text = String::new();
        write_number(&mut text, FLAVOUR, 0);
        write_number(&mut text, self.blocks_log2, 1);
        write_number(&mut text, self.block, 1);
        let present = u32::from(self.lanes != 1) | u32::from(self.time != 0) << 1;
        if present != 0 {
            write_number(&mut text, present, 1);
        }
        if self.lanes != 1 {
            write_number(&mut text, self.lanes, 2);
        }
        if self.time != 0 {
            write_number(&mut text, self.time, 1);
        }
        text
    }
}

/// The ranges of first digits: for numbers of one digit, of two, and so on. Where each begins
/// and ends, and how many bits its further digits have.
fn ranges() -> impl Iterator<Item = (u32, u32, u32)> {
    let next = |&(_, end, bits): &(u32, u32, u32)| {
        let start = end + 1;
        (start < 63 && bits < 24).then(|| (start, start + (62 - end) / 2, bits + 6))
    };
    std::iter::successors(Some((0, 47, 0)), next)
}

/// yescrypt's own numbers: small ones in one digit of crypt's base64, large ones in up to five.
fn read_number(digits: &mut impl Iterator<Item = u8>, least: u32) -> Option<u32> {
    let first = value64(digits.next()?)?;
    let mut number = least;
    for (start, end, bits) in ranges() {
        if first > end {
            number = number.checked_add((end + 1 - start) << bits)?;
            continue;
        }
        number = number.checked_add((first - start) << bits)?;
        let mut bits = bits;
        while bits > 0 {
            bits -= 6;
            number = number.checked_add(value64(digits.next()?)? << bits)?;
        }
        return Some(number);
    }
    None
}

/// Writes what [`read_number`] reads; numbers here are far below what has no place.
fn write_number(text: &mut String, number: u32, least: u32) {
    let mut rest = number.saturating_sub(least);
    for (start, end, bits) in ranges() {
        let count = (end + 1 - start) << bits;
        if rest >= count {
            rest -= count;
            continue;
        }
        let first = (start + (rest >> bits)).to_le_bytes()[0];
        let further = (0..bits / 6).rev().map(|at| ((rest >> (6 * at)) & 63).to_le_bytes()[0]);
        for digit in std::iter::once(first).chain(further) {
            text.push(char::from(super::coding::ALPHABET[usize::from(digit & 63)]));
        }
        return;
    }
}

fn malformed() -> HashError {
    HashError::Malformed { scheme: Scheme::Yescrypt, expected: EXPECTED }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in (0..5000).chain([70_000, 1_000_000]) {
            for least in [0, 1, 2] {
                let mut text = String::new();
                write_number(&mut text, number + least, least);
                let mut digits = text.bytes();
                assert_eq!(read_number(&mut digits, least), Some(number + least), "{text}");
                assert_eq!(digits.next(), None);
            }
        }
        // The reference implementation's parameters (PARAMETERS, and crypt_gensalt at cost 5).
        assert_eq!(Cost::parse("j9T").unwrap().to_text(), "j9T");
        let cost = Cost::parse("j95.0").unwrap();
        assert_eq!((cost.blocks_log2, cost.block, cost.lanes, cost.time), (12, 8, 4, 0));
        assert_eq!(cost.to_text(), "j95.0");
    }
}
