//! The networks for which attempts are counted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A network that an attempt came from. Whoever attacks has few IPv4 addresses and any number of
/// IPv6 ones: each attempt belongs to a narrow network and to a wide one around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Source {
    /// One address.
    V4(Ipv4Addr),
    /// The first 24 bits: the addresses that a rented machine gets come in such pieces.
    V4Wide([u8; 3]),
    /// The first 64 bits: one link, often one customer (RFC 4291 section 2.5.4).
    V6([u8; 8]),
    /// The first 48 bits: the most that one customer gets (RFC 6177).
    V6Wide([u8; 6]),
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

impl Source {
    /// The wide network around it.
    pub(crate) fn wide(self) -> Self {
        match self {
            Self::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self::V4Wide([a, b, c])
            }
            Self::V6([a, b, c, d, e, f, ..]) => Self::V6Wide([a, b, c, d, e, f]),
            wide => wide,
        }
    }

    pub(crate) fn is_wide(self) -> bool {
        matches!(self, Self::V4Wide(_) | Self::V6Wide(_))
    }

    /// The network that shares a turn and a delay: neighbours in an IPv4 /24 are strangers to
    /// each other, while a /48 of IPv6 is at one customer's disposal.
    pub(crate) fn fair(self) -> Self {
        match self {
            Self::V6(_) => self.wide(),
            other => other,
        }
    }

    /// Whether those within it wait for each other.
    pub(crate) fn waits(self) -> bool {
        !matches!(self, Self::V4Wide(_))
    }

    /// This host's own addresses.
    pub(crate) fn is_loopback(self) -> bool {
        match self {
            Self::V4(address) => address.is_loopback(),
            Self::V4Wide([first, ..]) => first == 127,
            Self::V6(bits) => bits == [0; 8],
            Self::V6Wide(bits) => bits == [0; 6],
        }
    }

    /// As addresses are written.
    pub(crate) fn net(self) -> IpNet {
        let v6 = |bits: &[u8], length| {
            let mut octets = [0; 16];
            for (octet, bit) in octets.iter_mut().zip(bits) {
                *octet = *bit;
            }
            Ipv6Net::new_assert(Ipv6Addr::from(octets), length).into()
        };
        match self {
            Self::V4(address) => Ipv4Net::new_assert(address, 32).into(),
            Self::V4Wide([a, b, c]) => Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), 24).into(),
            Self::V6(bits) => v6(&bits, 64),
            Self::V6Wide(bits) => v6(&bits, 48),
        }
    }

    /// The network of exactly these addresses, if it is one that is counted.
    pub(crate) fn of(net: IpNet) -> Option<Self> {
        let narrow = Self::from(net.network());
        match net.prefix_len() {
            32 if matches!(net, IpNet::V4(_)) => Some(narrow),
            24 if matches!(net, IpNet::V4(_)) => Some(narrow.wide()),
            64 => Some(narrow),
            48 => Some(narrow.wide()),
            _ => None,
        }
    }

    /// Whether it lies within `net`, or `net` within it.
    pub(crate) fn touches(self, net: &IpNet) -> bool {
        let own = self.net();
        own.contains(net) || net.contains(&own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn neighbours_in_a_64_are_one_network_and_mapped_addresses_are_ipv4() {
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::9"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_eq!(source("2001:db8:1:2::1").wide(), source("2001:db8:1:3::1").wide());
        assert_ne!(source("2001:db8:1::").wide(), source("2001:db8:2::").wide());
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("192.0.2.1").wide(), source("192.0.2.2").wide());
    }

    #[test]
    fn each_is_written_as_addresses_are_and_read_back() {
        for (client, narrow, wide) in [
            ("192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
            ("2001:db8:1:2::7", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ] {
            let source = source(client);
            assert_eq!(source.net().to_string(), narrow);
            assert_eq!(source.wide().net().to_string(), wide);
            assert_eq!(source.wide().wide(), source.wide());
            assert_eq!(Source::of(narrow.parse().unwrap()), Some(source));
            assert_eq!(Source::of(wide.parse().unwrap()), Some(source.wide()));
        }
        for other in ["192.0.2.0/25", "2001:db8::/32", "2001:db8::1/128", "0.0.0.0/0"] {
            assert_eq!(Source::of(other.parse().unwrap()), None, "{other}");
        }
        assert_eq!(Source::of("2001:db8::/64".parse().unwrap()), Some(source("2001:db8::")));
    }

    #[test]
    fn an_admin_may_name_more_or_less_than_was_counted() {
        let wide = source("192.0.2.7").wide();
        assert!(wide.touches(&"192.0.2.9/32".parse().unwrap()));
        assert!(wide.touches(&"192.0.0.0/16".parse().unwrap()));
        assert!(!wide.touches(&"192.0.3.0/24".parse().unwrap()));
        assert!(!wide.touches(&"::/0".parse().unwrap()));
    }

    #[test]
    fn this_host_is_known() {
        for own in ["127.0.0.1", "127.9.9.9", "::1"] {
            assert!(source(own).is_loopback() && source(own).wide().is_loopback(), "{own}");
        }
        assert!(!source("192.0.2.1").is_loopback() && !source("2001:db8::1").is_loopback());
    }
}
