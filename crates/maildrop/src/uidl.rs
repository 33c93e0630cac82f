//! Unique ids of messages (RFC 1939 section 7, UIDL): 1 to 70 octets of 0x21 to 0x7E.
//!
//! By default it is the base name of the message's file, as qmail-pop3d had it. A base name that
//! is too long or has other octets gives the first 128 bits of its SHA-256 as 32 hexadecimal
//! digits instead; so does one that looks like such digits itself. Thus the two forms never
//! meet, and distinct base names have distinct ids.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// Octets of the hashed form.
pub(crate) const HASHED_LEN: usize = 32;

/// Most octets of any id.
pub(crate) const MAX: usize = 70;

/// Whether `text` may be sent as an id at all.
pub(crate) fn is_valid(text: &[u8]) -> bool {
    // Without a way out in the loop, so that the compiler makes wide steps of it.
    let printable = |ok: bool, &octet: &u8| ok & (octet.wrapping_sub(0x21) <= 0x7E - 0x21);
    (1..=MAX).contains(&text.len()) && text.iter().fold(true, printable)
}

/// Whether the message with this base name has that name as its id.
pub(crate) fn is_plain(base: &[u8]) -> bool {
    is_valid(base) && !is_hashed(base)
}

/// Whether `text` has the hashed form.
pub(crate) fn is_hashed(text: &[u8]) -> bool {
    text.len() == HASHED_LEN && text.iter().all(|o| matches!(o, b'0'..=b'9' | b'a'..=b'f'))
}

/// The default id of the message with this base name.
pub(crate) fn of_base(base: &[u8]) -> Cow<'_, [u8]> {
    if is_plain(base) { Cow::Borrowed(base) } else { Cow::Owned(hashed(base).to_vec()) }
}

/// The hashed form of a base name.
pub(crate) fn hashed(base: &[u8]) -> [u8; HASHED_LEN] {
    digits(&Sha256::digest(base))
}

/// The id of a file whose base name another file has too.
pub(crate) fn hashed_twin(base: &[u8], ino: u64) -> [u8; HASHED_LEN] {
    let mut hash = Sha256::new();
    hash.update(base);
    // No file name holds a slash: this never equals the hash of another base name.
    hash.update(b"/");
    hash.update(ino.to_le_bytes());
    digits(&hash.finalize())
}

fn digits(hash: &[u8]) -> [u8; HASHED_LEN] {
    let mut text = [0; HASHED_LEN];
    for (pair, octet) in text.chunks_exact_mut(2).zip(hash) {
        if let [high, low] = pair {
            *high = digit(octet >> 4);
            *low = digit(octet & 15);
        }
    }
    text
}

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_printable_and_short() {
        assert!(is_plain(b"1732456789.M1P2.host,S=3,W=4"));
        assert!(is_plain(&[b'~'; 70]));
        assert!(is_plain(b"!"));
        for other in [&b""[..], &[b'a'; 71], b"a b", b"a\n", b"\x7f", b"caf\xc3\xa9", b"\0"] {
            assert!(!is_plain(other));
            assert!(is_valid(&hashed(other)));
        }
    }

    #[test]
    fn names_like_a_hash_are_hashed_too() {
        let looks = hashed(b"x");
        assert!(is_valid(&looks) && is_hashed(&looks) && !is_plain(&looks));
        assert_ne!(hashed(&looks), looks);
        assert_ne!(hashed_twin(b"x", 1), hashed_twin(b"x", 2));
        assert_ne!(hashed_twin(b"x", 1), looks);
    }

    #[test]
    fn hash_never_changes() {
        // SHA-256 of "abc" (FIPS 180-4 example), first half.
        assert_eq!(&hashed(b"abc"), b"ba7816bf8f01cfea414140de5dae2223");
    }
}
