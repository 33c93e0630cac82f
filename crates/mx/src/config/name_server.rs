//! The address of a name server, as configuration writes it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// RFC 1035 section 4.2.
const PORT: u16 = 53;
const EXPECTED: &str =
    "the address of a name server such as \"127.0.0.1\", \"[::1]\" or \"192.0.2.1:5353\"";

/// The address of a name server; port 53 unless another one is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameServer(pub SocketAddr);

impl NameServer {
    fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let address = match bare.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, PORT),
            Err(_) => text.parse().ok()?,
        };
        (address.port() != 0).then_some(Self(address))
    }
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for NameServer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NameServer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || D::Error::invalid_value(Unexpected::Str(&text), &EXPECTED);
        Self::parse(&text).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_and_without_port() {
        for (text, expected) in [
            ("127.0.0.1", "127.0.0.1:53"),
            ("192.0.2.1:5353", "192.0.2.1:5353"),
            ("::1", "[::1]:53"),
            ("[::1]", "[::1]:53"),
            ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
        ] {
            let read = NameServer::parse(text).map(|server| server.to_string());
            assert_eq!(read.as_deref(), Some(expected));
        }
        for bad in ["", "dns.example", "192.0.2.1:0", "192.0.2.1:", "[127.0.0.1", "192.0.2.1:x"] {
            assert_eq!(NameServer::parse(bad), None, "{bad}");
        }
    }
}
