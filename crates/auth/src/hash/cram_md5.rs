//! What CRAM-MD5 (RFC 2195) needs of a password: the two states of HMAC-MD5 (RFC 2104) after
//! its key, in Dovecot's format of 64 hexadecimal digits, the outer state first.

use std::fmt;

use md5::block_api::compress;
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::coding::{hex, unhex};
use super::{HashError, Scheme, random};

const BLOCK: usize = 64;
/// MD5's state before its first block (RFC 1321 section 3.3).
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// What a server keeps for CRAM-MD5: as good as the password there, and nowhere else. Prints
/// nothing of itself; overwritten when dropped.
#[derive(Clone)]
pub struct CramMd5Secret {
    outer: [u32; 4],
    inner: [u32; 4],
}

impl CramMd5Secret {
    /// That of a password.
    #[must_use]
    pub fn of(password: &[u8]) -> Self {
        let mut key = zeroize::Zeroizing::new([0; BLOCK]);
        if password.len() > BLOCK {
            key[..16].copy_from_slice(&Md5::digest(password));
        } else {
            key[..password.len()].copy_from_slice(password);
        }
        let state = |pad: u8| {
            let mut block = key.map(|octet| octet ^ pad);
            let mut state = START;
            compress(&mut state, &[block]);
            block.zeroize();
            state
        };
        Self { outer: state(0x5c), inner: state(0x36) }
    }

    /// HMAC-MD5 of `challenge`: what a client that knows the password answers, before it is
    /// written in hexadecimal digits.
    #[must_use]
    pub fn respond(&self, challenge: &[u8]) -> [u8; 16] {
        let inner = finish(self.inner, challenge);
        finish(self.outer, &inner)
    }

    pub(super) fn parse(text: &str) -> Result<Self, HashError> {
        let expected = "64 hexadecimal digits";
        let malformed = HashError::Malformed { scheme: Scheme::CramMd5, expected };
        let octets: Option<[u8; 32]> = unhex(text).and_then(|octets| octets.try_into().ok());
        let Some(octets) = octets else { return Err(malformed) };
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| octets[4 * at + i]));
        Ok(Self { outer: std::array::from_fn(word), inner: std::array::from_fn(|at| word(at + 4)) })
    }

    pub(super) fn to_text(&self) -> String {
        hex(&self.octets())
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        Self::of(password).octets().ct_eq(&self.octets()).into()
    }

    /// That of nobody's password.
    pub(super) fn decoy() -> Result<Self, HashError> {
        Ok(Self::of(&random::<BLOCK>()?))
    }

    fn octets(&self) -> [u8; 32] {
        let mut octets = [0; 32];
        let words = self.outer.iter().chain(&self.inner);
        for (place, word) in octets.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        octets
    }
}

/// MD5 of `message` behind one block that made `state`.
fn finish(mut state: [u32; 4], message: &[u8]) -> [u8; 16] {
    let (blocks, rest) = message.as_chunks::<BLOCK>();
    compress(&mut state, blocks);
    let mut tail = [0; 2 * BLOCK];
    tail[..rest.len()].copy_from_slice(rest);
    tail[rest.len()] = 0x80;
    let end = if rest.len() < BLOCK - 8 { BLOCK } else { 2 * BLOCK };
    let bits = 8 * (BLOCK as u64 + message.len() as u64);
    tail[end - 8..end].copy_from_slice(&bits.to_le_bytes());
    compress(&mut state, tail[..end].as_chunks::<BLOCK>().0);
    let mut digest = [0; 16];
    for (place, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *place = word.to_le_bytes();
    }
    digest
}

impl fmt::Debug for CramMd5Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CramMd5Secret(..)")
    }
}

impl Drop for CramMd5Secret {
    fn drop(&mut self) {
        self.outer.zeroize();
        self.inner.zeroize();
    }
}
