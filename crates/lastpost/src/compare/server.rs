//! Where a server is, and how the way to it is kept from listeners.

use std::str::FromStr;

use netio::{PeerName, TlsClient};

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// TLS from the first octet (RFC 8314).
    Implicit,
    /// STLS before the login (RFC 2595); a server that does not offer it is not logged in to.
    StartTls,
    /// None: passwords and mail can be read on the way.
    Cleartext,
}

impl Security {
    fn port(self) -> u16 {
        match self {
            Self::Implicit => 995,
            Self::StartTls | Self::Cleartext => 110,
        }
    }
}

/// A server as it is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    port: Option<u16>,
    /// What its scheme says.
    security: Option<Security>,
}

impl FromStr for Address {
    type Err = String;

    /// Reads `HOST`, `HOST:PORT`, `[IPv6]:PORT`, each also behind `pop3s://`, `pop3://` (with
    /// STLS) or `pop3+cleartext://`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let schemes = [
            ("pop3s://", Security::Implicit),
            ("pop3://", Security::StartTls),
            ("pop3+cleartext://", Security::Cleartext),
        ];
        let scheme = schemes.iter().find_map(|&(scheme, security)| {
            text.strip_prefix(scheme).map(|rest| (rest, Some(security)))
        });
        let (rest, security) = scheme.unwrap_or((text, None));
        let expected = "expected HOST or HOST:PORT, an IPv6 address in brackets, and before it \
                        pop3s://, pop3:// or pop3+cleartext:// if the servers differ in that";
        let wrong = || format!("{text:?} is no server: {expected}");
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
                match port.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if port.is_empty() => (host, None),
                    None => return Err(wrong()),
                }
            }
            None if rest.matches(':').count() > 1 => (rest, None),
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map(|port| port.parse().ok().filter(|&port| port > 0).ok_or_else(wrong));
        if host.is_empty() || host.contains('/') || PeerName::parse(host).is_none() {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port: port.transpose()?, security })
    }
}

/// A server, and all that is needed to reach it.
#[derive(Clone)]
pub(crate) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) tls: TlsClient,
    /// The name that its certificate must have.
    pub(super) name: PeerName,
}

impl Address {
    /// How to connect: as its scheme says, else by `security`, without both by the port: 995 has
    /// TLS from the first octet, any other STLS.
    pub(crate) fn security(&self, security: Option<Security>) -> Security {
        let by_port = match self.port {
            Some(995) => Security::Implicit,
            _ => Security::StartTls,
        };
        self.security.or(security).unwrap_or(by_port)
    }
}

impl Server {
    /// The server at `address`, by `security` as [`Address::security`] has it. Its certificate
    /// must have the name `name`, or else the host.
    ///
    /// # Errors
    /// If the name is none that a certificate can have.
    pub(crate) fn new(
        address: &Address,
        security: Option<Security>,
        tls: TlsClient,
        name: Option<&str>,
    ) -> Result<Self, String> {
        let security = address.security(security);
        let name = name.unwrap_or(&address.host);
        let name = PeerName::parse(name)
            .ok_or_else(|| format!("{name:?} is no name that a certificate can have"))?;
        let port = address.port.unwrap_or_else(|| security.port());
        Ok(Self { host: address.host.clone(), port, security, tls, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_wins_and_the_port_comes_last() {
        let security = |text: &str, given| text.parse::<Address>().unwrap().security(given);
        assert_eq!(security("h", None), Security::StartTls);
        assert_eq!(security("h:995", None), Security::Implicit);
        assert_eq!(security("h:995", Some(Security::Cleartext)), Security::Cleartext);
        assert_eq!(security("pop3s://h", Some(Security::Cleartext)), Security::Implicit);
    }

    #[test]
    fn addresses() {
        let read = |text: &str| {
            let Address { host, port, security } = text.parse().unwrap();
            (host, port, security)
        };
        assert_eq!(read("mx.example"), ("mx.example".into(), None, None));
        assert_eq!(read("mx.example:1110"), ("mx.example".into(), Some(1110), None));
        assert_eq!(read("[::1]:995"), ("::1".into(), Some(995), None));
        assert_eq!(read("::1"), ("::1".into(), None, None));
        let implicit = Some(Security::Implicit);
        assert_eq!(read("pop3s://10.0.0.1"), ("10.0.0.1".into(), None, implicit));
        let clear = Some(Security::Cleartext);
        assert_eq!(read("pop3+cleartext://h:1"), ("h".into(), Some(1), clear));
        for bad in ["", ":110", "h:0", "h:x", "h:99999", "[::1", "[::1]x", "imap://h", "a b", "h/x"]
        {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
