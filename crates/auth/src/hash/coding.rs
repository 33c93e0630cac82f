//! How hashes are written: hexadecimal digits, base64, and crypt's own base64.

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET_STANDARD;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The digits of crypt's base64, lowest first.
pub(super) const ALPHABET: &[u8; 64] =
    b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What writers leave out or leave over at the end is no reason to lock a customer out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET_STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How the octets behind a `{SCHEME}` are written, where its name says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Base64,
    Hex,
}

impl Coding {
    /// `b64`, `base64` and `hex`, as Dovecot has them behind the scheme.
    pub(super) fn named(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("b64") || is("base64") {
            Some(Self::Base64)
        } else if is("hex") {
            Some(Self::Hex)
        } else {
            None
        }
    }

    pub(super) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Base64 => LENIENT.decode(text).ok(),
            Self::Hex => unhex(text),
        }
    }
}

pub(super) fn to_base64(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

pub(super) fn hex(octets: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
}

/// Digits in either case.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        let value = char::from(byte).to_digit(16)?;
        u8::try_from(value).ok()
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let octet = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    if rest.is_empty() { pairs.iter().map(octet).collect() } else { None }
}

/// Crypt's base64: three octets as four characters, the first octet and the lowest bits first.
pub(super) fn crypt64(octets: impl IntoIterator<Item = u8>) -> String {
    let mut text = String::with_capacity(96);
    let (mut bits, mut held) = (0_u32, 0);
    for octet in octets {
        bits |= u32::from(octet) << held;
        held += 8;
        while held >= 6 {
            text.push(char::from(ALPHABET[(bits & 63) as usize]));
            bits >>= 6;
            held -= 6;
        }
    }
    if held > 0 {
        text.push(char::from(ALPHABET[(bits & 63) as usize]));
    }
    text
}

/// The octets of crypt's base64; none if a character or the number of them is wrong.
pub(super) fn from_crypt64(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text.bytes() {
        bits |= value64(byte)? << held;
        held += 6;
        if held >= 8 {
            octets.push((bits & 255) as u8);
            bits >>= 8;
            held -= 8;
        }
    }
    // Six bits and more that are left would be a character too many.
    (held < 6 && bits == 0).then_some(octets)
}

/// What a character of crypt's base64 stands for.
pub(super) fn value64(byte: u8) -> Option<u32> {
    let at = ALPHABET.iter().position(|known| *known == byte)?;
    u32::try_from(at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in 0..70_u8 {
            let octets: Vec<u8> =
                (0..length).map(|n| n.wrapping_mul(37).wrapping_add(200)).collect();
            assert_eq!(unhex(&hex(&octets)).unwrap(), octets);
            assert_eq!(from_crypt64(&crypt64(octets.iter().copied())).unwrap(), octets);
        }
        assert_eq!(hex(&[0, 255, 16]), "00ff10");
        assert_eq!(unhex("00FF1"), None);
        assert_eq!(unhex("0g"), None);
        assert_eq!(from_crypt64("a"), None, "six bits are no octet");
        assert_eq!(from_crypt64("zz"), None, "bits beyond the octet");
        assert_eq!(from_crypt64("a_aa"), None);
        assert_eq!(Coding::Base64.decode("YWI").unwrap(), b"ab");
        assert_eq!(Coding::Base64.decode("YWI=").unwrap(), b"ab");
        assert_eq!(Coding::Base64.decode("Y*I="), None);
    }
}
