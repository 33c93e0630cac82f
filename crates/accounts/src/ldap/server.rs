//! Where a directory server listens, and whether the way there is protected.

use std::path::PathBuf;

use netio::PeerName;

use crate::local::is_local;

/// A server of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// As it was configured: for the log.
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) security: Security,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Tcp { host: String, port: u16, peer: PeerName },
    Unix(PathBuf),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// Nothing.
    Clear,
    /// TLS from the first octet.
    Tls,
    /// TLS once the server has agreed to it (RFC 4511 section 4.14).
    StartTls,
}

pub(super) const EXPECTED: &str =
    "\"ldaps://host\", \"ldap://host\", each with or without \":port\", or \"ldapi:///path\"";

impl Server {
    /// Reads an address; `start_tls` is for those with `ldap://`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str, start_tls: bool) -> Result<Self, String> {
        let name = text.to_owned();
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| format!("{text:?} is no address"))?;
        if scheme.eq_ignore_ascii_case("ldapi") {
            let path = unescaped(rest).filter(|path| path.starts_with('/'));
            let path = path.ok_or_else(|| format!("{text:?} names no socket"))?;
            return Ok(Self { name, place: Place::Unix(path.into()), security: Security::Clear });
        }
        let (security, default_port) = if scheme.eq_ignore_ascii_case("ldaps") {
            (Security::Tls, 636)
        } else if scheme.eq_ignore_ascii_case("ldap") {
            (if start_tls { Security::StartTls } else { Security::Clear }, 389)
        } else {
            return Err(format!("{text:?}: unknown scheme {scheme:?}"));
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_port(rest).ok_or_else(|| format!("{text:?}: no such port"))?;
        let peer = PeerName::parse(host).ok_or_else(|| format!("{text:?} names no host"))?;
        let place = Place::Tcp { host: host.to_owned(), port: port.unwrap_or(default_port), peer };
        Ok(Self { name, place, security })
    }
}

impl Server {
    /// Whether nobody on the way can listen.
    pub(super) fn is_protected(&self) -> bool {
        match &self.place {
            Place::Unix(_) => true,
            Place::Tcp { host, .. } => self.security != Security::Clear || is_local(host),
        }
    }
}

fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => return Some((host, None)),
        Some((host, rest)) => (host, rest.strip_prefix(':')?),
        None => match text.split_once(':') {
            Some(parts) => parts,
            None => return Some((text, None)),
        },
    };
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port > 0)?;
    Some((host, Some(port)))
}

/// The path of a socket, whose slashes may be escaped as in `ldapi://%2Frun%2Fldapi`.
fn unescaped(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let value = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
        octets.push(u8::try_from(value).ok().filter(|octet| *octet != 0)?);
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(text: &str) -> (String, u16, Security) {
        let server = Server::parse(text, true).unwrap();
        assert_eq!(server.name, text);
        let Place::Tcp { host, port, .. } = server.place else { panic!("{text}") };
        (host, port, server.security)
    }

    #[test]
    fn addresses_of_every_kind() {
        let owned = |host: &str, port, security| (host.to_owned(), port, security);
        assert_eq!(tcp("ldap://a.example"), owned("a.example", 389, Security::StartTls));
        assert_eq!(tcp("LDAPS://a.example/"), owned("a.example", 636, Security::Tls));
        assert_eq!(tcp("ldap://127.0.0.1:3389"), owned("127.0.0.1", 3389, Security::StartTls));
        assert_eq!(tcp("ldaps://[::1]:3636"), owned("::1", 3636, Security::Tls));
        assert_eq!(tcp("ldaps://[::1]"), owned("::1", 636, Security::Tls));
        let open = Server::parse("ldap://a", false).unwrap();
        assert!(open.security == Security::Clear && !open.is_protected());
        assert!(Server::parse("ldap://127.0.0.1", false).unwrap().is_protected());
        assert!(Server::parse("ldap://a", true).unwrap().is_protected());
        for text in ["ldapi:///run/ldapi", "ldapi://%2Frun%2fldapi"] {
            let server = Server::parse(text, true).unwrap();
            assert_eq!(server.place, Place::Unix("/run/ldapi".into()));
            assert_eq!(server.security, Security::Clear, "nobody listens there");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "a.example",
            "http://a.example",
            "ldap://",
            "ldap://a:",
            "ldap://a:0",
            "ldap://a:+1",
            "ldap://a:99999",
            "ldap://a b",
            "ldaps://[::1",
            "ldapi://",
            "ldapi://x",
            "ldapi:///a%0",
            "ldapi:///a%00",
            "ldap://a/dc=example?uid",
        ] {
            assert!(Server::parse(text, true).is_err(), "{text}");
        }
    }
}
