//! The secret itself: 128 random bits, and how people type them.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Letters and digits that nobody takes for one another: neither `l` and `1` nor `o` and `0`.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const OCTETS: usize = 16;
/// 128 bits and 12 to find slips of the pen, 5 in each.
const SYMBOLS: usize = 28;
/// Symbols that stand together.
const GROUP: usize = 4;
/// Nobody types more, whatever he puts between the groups.
const TYPED_MAX: usize = 128;

/// An app password.
pub(super) struct AppSecret(Zeroizing<[u8; OCTETS]>);

impl AppSecret {
    /// A new one.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut octets = Zeroizing::new([0; OCTETS]);
        getrandom::fill(octets.as_mut_slice())?;
        Ok(Self(octets))
    }

    /// What was typed, in any case, with spaces and hyphens anywhere. None: it is none.
    pub(super) fn parse(typed: &[u8]) -> Option<Self> {
        if !(SYMBOLS..=TYPED_MAX).contains(&typed.len()) {
            return None;
        }
        let mut octets = Zeroizing::new([0_u8; OCTETS]);
        let (mut symbols, mut check) = (0, 0_u16);
        for &octet in typed.iter().filter(|octet| !matches!(octet, b' ' | b'-')) {
            let value = value_of(octet.to_ascii_lowercase())?;
            for shift in (0..5).rev() {
                let (bit, at) = ((value >> shift) & 1, symbols * 5 + 4 - shift);
                match octets.get_mut(at / 8) {
                    Some(octet) => *octet |= bit << (7 - at % 8),
                    None if at < SYMBOLS * 5 => check = check << 1 | u16::from(bit),
                    None => return None,
                }
            }
            symbols += 1;
        }
        let secret = Self(octets);
        (symbols == SYMBOLS && check == secret.check()).then_some(secret)
    }

    /// In groups, as it is shown once.
    pub(super) fn shown(&self) -> Zeroizing<String> {
        let check = self.check();
        let bit = |at: usize| match self.0.get(at / 8) {
            Some(octet) => octet >> (7 - at % 8) & 1,
            None => u8::from(check >> (SYMBOLS * 5 - 1 - at) & 1 == 1),
        };
        let mut text = Zeroizing::new(String::with_capacity(SYMBOLS + SYMBOLS / GROUP));
        for symbol in 0..SYMBOLS {
            if symbol > 0 && symbol % GROUP == 0 {
                text.push('-');
            }
            let value = (0..5).fold(0, |value, n| value << 1 | bit(symbol * 5 + n));
            text.push(char::from(ALPHABET[usize::from(value)]));
        }
        text
    }

    /// What is stored for it at this account. It is random and long: guessing is hopeless, and
    /// a slow hash would add nothing.
    pub(super) fn digest(&self, account: &str) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(b"lastpost app password\0");
        hash.update(account);
        hash.update([0]);
        hash.update(self.0.as_slice());
        hash.finalize().into()
    }

    /// 12 bits.
    fn check(&self) -> u16 {
        let mut hash = Sha256::new_with_prefix(b"lastpost app password check\0");
        hash.update(self.0.as_slice());
        let [first, second, ..]: [u8; 32] = hash.finalize().into();
        u16::from(first) << 4 | u16::from(second >> 4)
    }
}

fn value_of(symbol: u8) -> Option<u8> {
    let place = ALPHABET.iter().position(|possible| *possible == symbol)?;
    u8::try_from(place).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_typed_in_any_way() {
        for _ in 0..200 {
            let secret = AppSecret::random().unwrap();
            let shown = secret.shown();
            assert_eq!(shown.len(), 34);
            assert!(shown.split('-').all(|group| group.len() == 4), "{}", *shown);
            assert!(!shown.contains(['l', '1', 'o', '0']));
            for typed in [
                shown.to_string(),
                shown.replace('-', ""),
                shown.replace('-', " "),
                format!("  {} ", shown.to_uppercase()),
                shown.chars().flat_map(|c| [c, '-']).collect(),
            ] {
                let parsed = AppSecret::parse(typed.as_bytes()).unwrap();
                assert_eq!(*parsed.0, *secret.0);
            }
            assert_ne!(secret.digest("a"), secret.digest("b"));
        }
    }

    #[test]
    fn what_is_none_has_not_the_shape() {
        let shown = AppSecret(Zeroizing::new(*b"0123456789abcdef")).shown();
        for typed in [
            String::new(),
            "-".repeat(28),
            "correct horse battery staple".to_owned(),
            "a".repeat(28),
            shown[..33].to_owned(),
            format!("{}a", *shown),
            shown.replace('-', "_"),
            shown.replace('-', "\u{a0}"),
            format!("{}{}", *shown, " ".repeat(200)),
        ] {
            assert!(AppSecret::parse(typed.as_bytes()).is_none(), "{typed}");
        }
        assert!(AppSecret::parse(&[0xff; 28]).is_none());
        // A slip of the pen is found nearly always: with 12 bits, all but one in 4096.
        let mut found = 0;
        for place in 0..shown.len() {
            let mut typed = shown.as_bytes().to_vec();
            if typed[place] != b'-' {
                typed[place] = if typed[place] == b'a' { b'b' } else { b'a' };
                found += usize::from(AppSecret::parse(&typed).is_none());
            }
        }
        assert!(found >= 27, "{found} of 28");
    }
}
