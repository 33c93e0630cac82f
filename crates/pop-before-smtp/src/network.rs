//! Client addresses as keys, and the networks from which no grant is taken.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// A client's address as the window knows it: IPv4 exactly, IPv6 by its prefix.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressKey([u8; 16]);

impl AddressKey {
    /// The key of `address`. An IPv4 address in IPv6 clothes is that IPv4 address; of any
    /// other IPv6 address the first `ipv6_prefix` bits count.
    #[must_use]
    pub fn new(address: IpAddr, ipv6_prefix: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().octets()),
            IpAddr::V6(address) => Self(masked(address.to_bits(), ipv6_prefix).to_be_bytes()),
        }
    }

    /// The address; the first one of its prefix.
    #[must_use]
    pub fn address(self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from(self.0)).to_canonical()
    }
}

impl fmt::Debug for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.address(), f)
    }
}

fn masked(bits: u128, prefix: u8) -> u128 {
    match prefix {
        0 => 0,
        1..128 => bits & (u128::MAX << (128 - u32::from(prefix))),
        128.. => bits,
    }
}

/// A set of networks, asked in time that does not grow with their number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// By prefix length; IPv4 as IPv4-mapped IPv6, so that lengths are 96 to 128.
    by_length: Vec<(u8, HashSet<u128>)>,
}

impl Networks {
    /// Networks whose addresses never name one client: the unspecified, shared address space
    /// behind a carrier's NAT (RFC 6598), multicast, reserved and broadcast.
    pub(crate) const NEVER: [&'static str; 6] =
        ["0.0.0.0/8", "100.64.0.0/10", "224.0.0.0/4", "240.0.0.0/4", "::/128", "ff00::/8"];

    /// The default list: this machine itself, which is its own monitoring and webmail.
    pub(crate) const DEFAULT: [&'static str; 2] = ["127.0.0.0/8", "::1/128"];

    /// The set of `networks`.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        let mut set = Self::default();
        for network in networks {
            let (bits, length) = match network {
                IpNet::V4(v4) => (mapped(v4.network()), 96 + v4.prefix_len()),
                IpNet::V6(v6) => (v6.network().to_bits(), v6.prefix_len()),
            };
            match set.by_length.iter_mut().find(|(of, _)| *of == length) {
                Some((_, networks)) => _ = networks.insert(bits),
                None => set.by_length.push((length, HashSet::from([bits]))),
            }
        }
        set
    }

    /// Whether one of them holds `address`.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (bits, is_v4) = match address.to_canonical() {
            IpAddr::V4(v4) => (mapped(v4), true),
            IpAddr::V6(v6) => (v6.to_bits(), false),
        };
        // `::/0` means all of IPv6, not all of IPv4 too.
        self.by_length
            .iter()
            .filter(|(length, _)| !is_v4 || *length >= 96)
            .any(|(length, networks)| networks.contains(&masked(bits, *length)))
    }
}

fn mapped(address: Ipv4Addr) -> u128 {
    address.to_ipv6_mapped().to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: &str, prefix: u8) -> AddressKey {
        AddressKey::new(address.parse().unwrap(), prefix)
    }

    #[test]
    fn one_client_has_one_key() {
        assert_eq!(key("192.0.2.1", 128), key("::ffff:192.0.2.1", 128));
        assert_eq!(key("192.0.2.1", 64), key("::ffff:192.0.2.1", 56));
        assert_ne!(key("192.0.2.1", 0), key("192.0.2.2", 0));
        assert_ne!(key("2001:db8::1", 128), key("2001:db8::2", 128));
        assert_eq!(key("2001:db8::1", 64), key("2001:db8::ffff:2", 64));
        assert_ne!(key("2001:db8:0:1::1", 64), key("2001:db8:0:2::1", 64));
        assert_eq!(key("2001:db8:0:ff::1", 56), key("2001:db8:0:1::1", 56));
        assert_eq!(key("192.0.2.1", 128).address().to_string(), "192.0.2.1");
        assert_eq!(key("2001:db8::1", 64).address().to_string(), "2001:db8::");
    }

    #[test]
    fn networks() {
        let set = Networks::new(
            ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "::/0"].map(|n| n.parse().unwrap()),
        );
        for inside in ["10.255.0.1", "192.0.2.7", "::ffff:10.0.0.1", "2001:db8:1::1", "fe80::1"] {
            assert!(set.contains(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.8"] {
            assert!(!set.contains(outside.parse().unwrap()), "{outside}");
        }
        let all = Networks::new(["0.0.0.0/0".parse().unwrap()]);
        assert!(all.contains("203.0.113.1".parse().unwrap()));
        assert!(!all.contains("2001:db8::1".parse().unwrap()));
        assert!(!Networks::default().contains("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_never_a_client() {
        let never = Networks::new(Networks::NEVER.map(|n| n.parse().unwrap()));
        for address in [
            "0.0.0.0",
            "100.64.0.1",
            "100.127.255.255",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "ff02::1",
        ] {
            assert!(never.contains(address.parse().unwrap()), "{address}");
        }
        for address in ["100.63.255.255", "100.128.0.1", "192.0.2.1", "2001:db8::1", "::2"] {
            assert!(!never.contains(address.parse().unwrap()), "{address}");
        }
    }
}
