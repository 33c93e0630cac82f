//! What a proxy says of its client: `XCLIENT` as Dovecot's POP3 login has it, and the `XOIP` of
//! Zimbra's nginx.

use alloc::boxed::Box;
use core::net::{IpAddr, Ipv6Addr};

/// The longest name of a session that is taken over; Dovecot's limit.
const SESSION_MAX: usize = 64;

/// What a proxy says of the client that it stands for. `None`: not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XclientFacts {
    /// The client's address (`ADDR`).
    pub address: Option<IpAddr>,
    /// The client's port (`PORT`), not 0.
    pub port: Option<u16>,
    /// The proxy's name for the session (`SESSION`), to be found in the logs of both: 1 to 64
    /// characters from 0x21 to 0x7E. A longer one counts as not said.
    pub session: Option<Box<str>>,
    /// How many more proxies the connection may pass through (`TTL`); what is more than 255
    /// counts as 255.
    pub ttl: Option<u8>,
    /// Whether the client's side of the proxy is under TLS (`CLIENT-TRANSPORT`).
    pub secured: Option<bool>,
}

/// The facts are not of the form that they should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl XclientFacts {
    /// Parses `NAME=value`, separated by spaces. Names are in any case; those not known here
    /// say nothing.
    pub(crate) fn parse(attributes: &[u8]) -> Result<Self, Malformed> {
        let attributes = core::str::from_utf8(attributes).map_err(|_| Malformed)?;
        let mut facts = Self::default();
        for attribute in attributes.split(' ').filter(|attribute| !attribute.is_empty()) {
            if !attribute.bytes().all(|octet| octet.is_ascii_graphic()) {
                return Err(Malformed);
            }
            let (name, value) = attribute.split_once('=').ok_or(Malformed)?;
            facts.add(name, value)?;
        }
        Ok(facts)
    }

    /// Parses the argument of `XOIP`: an address and nothing else.
    pub(crate) fn parse_address(address: &[u8]) -> Result<Self, Malformed> {
        let address = core::str::from_utf8(address).map_err(|_| Malformed)?;
        Ok(Self { address: Some(ip_address(address)?), ..Self::default() })
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), Malformed> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("ADDR") {
            self.address = Some(ip_address(value)?);
        } else if is("PORT") {
            let port: u16 = decimal(value)?.try_into().map_err(|_| Malformed)?;
            self.port = Some(Some(port).filter(|&port| port != 0).ok_or(Malformed)?);
        } else if is("SESSION") {
            let taken = (1..=SESSION_MAX).contains(&value.len());
            self.session = taken.then(|| Box::from(value));
        } else if is("TTL") {
            self.ttl = Some(decimal(value)?.try_into().unwrap_or(u8::MAX));
        } else if is("CLIENT-TRANSPORT") {
            let start = value.get(..3).unwrap_or_default();
            self.secured = Some(start.eq_ignore_ascii_case("TLS"));
        }
        Ok(())
    }
}

/// An address as Dovecot writes it, or with the prefix that Postfix gives one of version 6. An
/// IPv4 address in IPv6 clothes is taken out of them, for networks are compared with it.
fn ip_address(text: &str) -> Result<IpAddr, Malformed> {
    let address = match text.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("IPV6:") => {
            let address: Option<Ipv6Addr> = text.get(5..).and_then(|rest| rest.parse().ok());
            address.map(IpAddr::V6)
        }
        _ => text.parse().ok(),
    };
    address.map(|address| address.to_canonical()).ok_or(Malformed)
}

/// A number of digits alone.
fn decimal(digits: &str) -> Result<u32, Malformed> {
    if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(Malformed);
    }
    digits.parse().map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dovecot_sends() {
        let facts = XclientFacts::parse(
            b"ADDR=2001:db8::7 PORT=4711 SESSION=a+b/c TTL=4 CLIENT-TRANSPORT=TLSv1.3 \
              FORWARD=eD15 DESTADDR=192.0.2.1",
        );
        let facts = facts.unwrap();
        assert_eq!(facts.address, Some("2001:db8::7".parse().unwrap()));
        assert_eq!(facts.port, Some(4711));
        assert_eq!(facts.session.as_deref(), Some("a+b/c"));
        assert_eq!((facts.ttl, facts.secured), (Some(4), Some(true)));
    }

    #[test]
    fn names_in_any_case_and_strangers_say_nothing() {
        let facts = XclientFacts::parse(b"  addr=::ffff:192.0.2.9  x=y client-transport=insecure");
        let facts = facts.unwrap();
        assert_eq!(facts.address, Some("192.0.2.9".parse().unwrap()));
        assert_eq!(facts.secured, Some(false));
        let postfix = XclientFacts::parse(b"ADDR=IPv6:2001:db8::1 TTL=300").unwrap();
        assert_eq!(postfix.address, Some("2001:db8::1".parse().unwrap()));
        assert_eq!(postfix.ttl, Some(255));
    }

    #[test]
    fn a_session_name_has_its_limit() {
        let name = |octets: usize| [&b"SESSION="[..], &alloc::vec![b's'; octets]].concat();
        assert!(XclientFacts::parse(&name(64)).unwrap().session.is_some());
        assert!(XclientFacts::parse(&name(65)).unwrap().session.is_none());
        assert!(XclientFacts::parse(&name(0)).unwrap().session.is_none());
    }

    #[test]
    fn malformed() {
        for bad in [
            &b"ADDR"[..],
            b"ADDR=",
            b"ADDR=localhost",
            b"ADDR=192.0.2.1:110",
            b"ADDR=IPV6:192.0.2.1",
            b"ADDR=[::1]",
            b"PORT=0",
            b"PORT=65536",
            b"PORT=-1",
            b"PORT=+1",
            b"TTL=4294967296",
            b"TTL=",
            b"SESSION=a\tb",
            b"SESSION=\0",
            b"X=\xff",
            "ADDR=192.0.2.1 X=\u{e9}".as_bytes(),
        ] {
            assert_eq!(XclientFacts::parse(bad), Err(Malformed), "{}", bad.escape_ascii());
        }
        assert!(XclientFacts::parse_address(b"192.0.2.1").is_ok());
        assert!(XclientFacts::parse_address(b"192.0.2.1 PORT=1").is_err());
    }
}
