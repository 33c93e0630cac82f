//! `XCLIENT`: what a proxy says of the client that it speaks for, as Postfix defined it.

use alloc::boxed::Box;
use alloc::string::String;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use envelope::xtext;

use super::reply::Reply;

/// The longest value that is taken, decoded; Postfix's limit for the whole line is 512.
const VALUE_MAX: usize = 255;

pub(crate) const SYNTAX: Reply = Reply::fixed(501, "5.5.4", "Syntax: XCLIENT NAME=value ...");
pub(crate) const IN_TRANSACTION: Reply =
    Reply::fixed(503, "5.5.1", "Not within a transaction: send RSET");

/// What is offered in the reply to EHLO.
pub(crate) const KEYWORDS: &str = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";

/// An attribute of the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Attribute<T> {
    /// The proxy did not speak of it: what was known before still holds.
    #[default]
    Unsaid,
    /// `[UNAVAILABLE]`: there is none.
    Unavailable,
    /// `[TEMPUNAVAIL]`: it could not be found out now.
    Unknown,
    /// This.
    Known(T),
}

impl<T> Attribute<T> {
    /// The value, if there is one.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unsaid | Self::Unavailable | Self::Unknown => None,
        }
    }

    fn is_unsaid(&self) -> bool {
        matches!(self, Self::Unsaid)
    }
}

impl Attribute<Box<str>> {
    /// `None`: the value is malformed.
    fn parsed<T>(self, parse: impl FnOnce(&str) -> Option<T>) -> Option<Attribute<T>> {
        Some(match self {
            Self::Unsaid => Attribute::Unsaid,
            Self::Unavailable => Attribute::Unavailable,
            Self::Unknown => Attribute::Unknown,
            Self::Known(text) => Attribute::Known(parse(&text)?),
        })
    }
}

/// What the client's own session with the proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XclientProtocol {
    /// `SMTP`: the client said HELO.
    Smtp,
    /// `ESMTP`: it said EHLO.
    Esmtp,
}

/// What a proxy says of the client that it speaks for. Texts are UTF-8 without control characters,
/// of 1 to 255 octets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XclientFacts {
    /// Its address (`ADDR`).
    pub address: Attribute<IpAddr>,
    /// Its port (`PORT`), not 0.
    pub port: Attribute<u16>,
    /// Its host's name (`NAME`).
    pub name: Attribute<Box<str>>,
    /// The name by which it introduced itself (`HELO`).
    pub helo: Attribute<Box<str>>,
    /// `PROTO`
    pub protocol: Attribute<XclientProtocol>,
    /// The name under which it has authenticated with the proxy (`LOGIN`).
    pub login: Attribute<Box<str>>,
    /// The address that it connected to (`DESTADDR`).
    pub server_address: Attribute<IpAddr>,
    /// The port that it connected to (`DESTPORT`), not 0.
    pub server_port: Attribute<u16>,
}

impl XclientFacts {
    /// Parses `NAME=value`, separated by spaces: at least one, each name once and known. `None`
    /// if it is not of that form.
    pub(crate) fn parse(attributes: &[u8]) -> Option<Self> {
        let attributes = core::str::from_utf8(attributes).ok()?;
        let mut facts = Self::default();
        let mut words = attributes.split(' ').filter(|word| !word.is_empty()).peekable();
        words.peek()?;
        for word in words {
            let (name, value) = word.split_once('=')?;
            let value = decode(value)?;
            facts.add(name, value)?;
        }
        Some(facts)
    }

    fn add(&mut self, name: &str, value: Attribute<Box<str>>) -> Option<()> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("ADDR") {
            put(&mut self.address, value.parsed(address)?)
        } else if is("PORT") {
            put(&mut self.port, value.parsed(port)?)
        } else if is("NAME") {
            put(&mut self.name, value)
        } else if is("HELO") {
            put(&mut self.helo, value)
        } else if is("PROTO") {
            put(&mut self.protocol, value.parsed(protocol)?)
        } else if is("LOGIN") {
            put(&mut self.login, value)
        } else if is("DESTADDR") {
            put(&mut self.server_address, value.parsed(address)?)
        } else if is("DESTPORT") {
            put(&mut self.server_port, value.parsed(port)?)
        } else {
            None
        }
    }
}

/// Each may be said once.
fn put<T>(place: &mut Attribute<T>, value: Attribute<T>) -> Option<()> {
    place.is_unsaid().then(|| *place = value)
}

fn decode(value: &str) -> Option<Attribute<Box<str>>> {
    if value.eq_ignore_ascii_case("[UNAVAILABLE]") {
        return Some(Attribute::Unavailable);
    }
    if value.eq_ignore_ascii_case("[TEMPUNAVAIL]") {
        return Some(Attribute::Unknown);
    }
    let text = String::from_utf8(xtext::decode(value)?).ok()?;
    let taken = (1..=VALUE_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    taken.then(|| Attribute::Known(text.into()))
}

/// `192.0.2.1` or `IPV6:2001:db8::1`. An IPv4 address in IPv6 clothes is taken out of them, for
/// networks are compared with it.
fn address(text: &str) -> Option<IpAddr> {
    let address = match text.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("IPV6:") => {
            IpAddr::V6(text.get(5..)?.parse::<Ipv6Addr>().ok()?)
        }
        _ => IpAddr::V4(text.parse::<Ipv4Addr>().ok()?),
    };
    Some(address.to_canonical())
}

fn port(text: &str) -> Option<u16> {
    let port = super::wish::digits(text, 5)?;
    u16::try_from(port).ok().filter(|&port| port != 0)
}

fn protocol(text: &str) -> Option<XclientProtocol> {
    if text.eq_ignore_ascii_case("SMTP") {
        Some(XclientProtocol::Smtp)
    } else {
        text.eq_ignore_ascii_case("ESMTP").then_some(XclientProtocol::Esmtp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_sends() {
        let facts = XclientFacts::parse(
            b"NAME=[TEMPUNAVAIL] ADDR=192.0.2.7 port=4711 PROTO=ESMTP HELO=my+20pc \
              LOGIN=anna+40example.org DESTADDR=IPV6:2001:db8::1 DESTPORT=587",
        )
        .unwrap();
        assert_eq!(facts.name, Attribute::Unknown);
        assert_eq!(facts.address.known(), Some(&IpAddr::from([192, 0, 2, 7])));
        assert_eq!(facts.port.known(), Some(&4711));
        assert_eq!(facts.protocol.known(), Some(&XclientProtocol::Esmtp));
        assert_eq!(facts.helo.known().map(|name| &**name), Some("my pc"));
        assert_eq!(facts.login.known().map(|name| &**name), Some("anna@example.org"));
        assert_eq!(facts.server_port.known(), Some(&587));
        let facts = XclientFacts::parse(b"addr=ipv6:::ffff:192.0.2.9 login=[UNAVAILABLE]").unwrap();
        assert_eq!(facts.address.known(), Some(&IpAddr::from([192, 0, 2, 9])));
        assert_eq!((facts.login, facts.helo), (Attribute::Unavailable, Attribute::Unsaid));
    }

    #[test]
    fn malformed() {
        for bad in [
            &b""[..],
            b" ",
            b"ADDR",
            b"ADDR=",
            b"ADDR=localhost",
            b"ADDR=2001:db8::1",
            b"ADDR=IPV6:192.0.2.1",
            b"ADDR=[UNAVAILABLE",
            b"PORT=0",
            b"PORT=65536",
            b"PORT=-1",
            b"PROTO=LMTP",
            b"FOO=bar",
            b"HELO=a HELO=b",
            b"HELO=a+0Ab",
            b"HELO=a+",
            b"HELO=a=b",
            b"HELO=\xff",
            b"LOGIN=+C3+28",
        ] {
            assert_eq!(XclientFacts::parse(bad), None, "{}", bad.escape_ascii());
        }
        let long = [&b"HELO="[..], &[b'x'; VALUE_MAX + 1]].concat();
        assert_eq!(XclientFacts::parse(&long), None);
    }
}
