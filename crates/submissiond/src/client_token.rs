//! The client of a message as a token: its provider alone reads it, with the key and without
//! any log.
//!
//! A token belongs to one message: two messages of one customer have nothing in common that
//! a stranger could see. It holds the client's address under a keyed stream, and a keyed digest
//! that names the account to whoever has the key and a list of the accounts.

use std::net::{IpAddr, Ipv6Addr};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Octets of the address and of the digest.
const ADDRESS: usize = 16;
const DIGEST: usize = 9;

/// Base 32 without the letters that are mistaken for digits (RFC 4648 section 6, lower case).
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Characters of a token.
const LENGTH: usize = (ADDRESS + DIGEST) * 8 / 5;

/// The key of the tokens.
pub(crate) struct TokenKey {
    keyed: Hmac<Sha256>,
}

/// A token's secret, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Traced {
    pub(crate) client: IpAddr,
    digest: [u8; DIGEST],
    id: String,
}

impl TokenKey {
    /// A key from 32 to 4096 octets.
    pub(crate) fn new(octets: &[u8]) -> Option<Self> {
        if !(32..=4096).contains(&octets.len()) {
            return None;
        }
        Hmac::new_from_slice(octets).ok().map(|keyed| Self { keyed })
    }

    fn digest(&self, purpose: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut keyed = self.keyed.clone();
        for part in std::iter::once(&purpose).chain(parts) {
            // Each part with its length, so that none runs into the next.
            keyed.update(&(part.len() as u64).to_be_bytes());
            keyed.update(part);
        }
        keyed.finalize().into_bytes().into()
    }

    fn names(&self, id: &str, address: &[u8; ADDRESS], account: &str) -> [u8; DIGEST] {
        let parts = [id.as_bytes(), address, account.as_bytes()];
        let whole = self.digest(b"lastpost client account", &parts);
        let mut digest = [0; DIGEST];
        digest.copy_from_slice(&whole[..DIGEST]);
        digest
    }

    /// The address under the stream of this message, or out from under it.
    fn veiled(&self, id: &str, mut address: [u8; ADDRESS]) -> [u8; ADDRESS] {
        let stream = self.digest(b"lastpost client address", &[id.as_bytes()]);
        for (octet, mask) in address.iter_mut().zip(stream) {
            *octet ^= mask;
        }
        address
    }

    /// The token of a client in the transaction `id`, which no other has.
    pub(crate) fn token(&self, id: &str, client: IpAddr, account: &str) -> String {
        let address = to_v6(client).octets();
        let mut octets = self.veiled(id, address).to_vec();
        octets.extend_from_slice(&self.names(id, &address, account));
        let mut token = String::with_capacity(LENGTH);
        for block in octets.chunks(5) {
            let bits = block.iter().fold(0_u64, |bits, &octet| bits << 8 | u64::from(octet));
            for place in (0..8).rev() {
                token.push(char::from(ALPHABET[(bits >> (place * 5) & 31) as usize]));
            }
        }
        token
    }

    /// Reads a token of the transaction `id`. Whether it is one at all, and whose, is known
    /// when an account fits it.
    pub(crate) fn read(&self, id: &str, token: &str) -> Option<Traced> {
        let mut octets = Vec::with_capacity(ADDRESS + DIGEST);
        for block in token.as_bytes().chunks(8) {
            let mut bits = 0_u64;
            for character in block {
                let value = ALPHABET.iter().position(|c| c.eq_ignore_ascii_case(character))?;
                bits = bits << 5 | value as u64;
            }
            octets.extend_from_slice(&bits.to_be_bytes()[3..]);
        }
        if token.len() != LENGTH {
            return None;
        }
        let (address, digest) = octets.split_first_chunk::<ADDRESS>()?;
        let address = Ipv6Addr::from(self.veiled(id, *address));
        let client = address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4);
        Some(Traced { client, digest: digest.try_into().ok()?, id: id.to_owned() })
    }

    /// Whether the token was made for this account.
    pub(crate) fn is_of(&self, traced: &Traced, account: &str) -> bool {
        let address = to_v6(traced.client).octets();
        self.names(&traced.id, &address, account).ct_eq(&traced.digest).into()
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey")
    }
}

fn to_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(octet: u8) -> TokenKey {
        TokenKey::new(&[octet; 32]).unwrap()
    }

    #[test]
    fn the_key_finds_the_customer_again() {
        for client in ["192.0.2.7", "2001:db8::1", "255.255.255.255", "::"] {
            let client: IpAddr = client.parse().unwrap();
            let token = key(1).token("id", client, "anna@example.net");
            assert_eq!(token.len(), LENGTH);
            assert!(token.bytes().all(|c| ALPHABET.contains(&c)), "{token}");
            let traced = key(1).read("id", &token).unwrap();
            assert_eq!(traced.client, client);
            assert!(key(1).is_of(&traced, "anna@example.net"));
            assert!(!key(1).is_of(&traced, "ben@example.net"));
            assert!(key(1).read("id", &token.to_uppercase()).unwrap() == traced);
        }
    }

    #[test]
    fn nobody_else_learns_anything() {
        let client = "192.0.2.7".parse().unwrap();
        let token = key(1).token("id", client, "anna@example.net");
        let other = key(2).read("id", &token).unwrap();
        assert!(other.client != client && !key(2).is_of(&other, "anna@example.net"));
        let moved = key(1).read("another id", &token).unwrap();
        assert!(!key(1).is_of(&moved, "anna@example.net"));
        // Two messages of one customer look different from the first character on.
        let second = key(1).token("another id", client, "anna@example.net");
        assert_ne!(token[..16], second[..16]);
        // A token that somebody changed is nobody's.
        let first = if token.starts_with('a') { "b" } else { "a" };
        let forged = key(1).read("id", &format!("{first}{}", &token[1..])).unwrap();
        assert!(!key(1).is_of(&forged, "anna@example.net"));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let token = key(1).token("id", "192.0.2.7".parse().unwrap(), "a");
        for bad in ["", "a", &token[1..], &format!("{token}a"), &token.replace(|_| true, "1")] {
            assert_eq!(key(1).read("id", bad), None, "{bad}");
        }
        assert!(TokenKey::new(&[1; 31]).is_none() && TokenKey::new(&[1; 4097]).is_none());
        assert_eq!(format!("{:?}", key(7)), "TokenKey");
    }
}
