//! Addresses of services: `http` and `https` alone.

use std::fmt;

use hyper::Uri;
use netio::PeerName;

use crate::HttpsError;

/// Longest address in octets.
const URL_MAX: usize = 2048;

/// A URL (RFC 3986) of scheme `http` or `https`, with a host, and without user, password or
/// fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    pub(crate) origin: Origin,
    /// Path and query.
    pub(crate) target: Box<str>,
}

/// Whom to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    /// A name, or an address without brackets.
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
}

impl Url {
    /// Parses an absolute URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, HttpsError> {
        const SCHEME: HttpsError = HttpsError::Url("the URL must begin with https:// or http://");
        const WRONG: HttpsError = HttpsError::Url("this is no URL");
        if text.len() > URL_MAX {
            return Err(HttpsError::Url("the URL is longer than 2048 octets"));
        }
        if text.contains('#') {
            return Err(HttpsError::Url("the URL must have no fragment (#)"));
        }
        let uri: Uri = text.parse().map_err(|_| WRONG)?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(SCHEME),
        };
        let authority = uri.authority().ok_or(WRONG)?;
        if authority.as_str().contains('@') {
            return Err(HttpsError::Url("the URL must have no user name or password (@)"));
        }
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        if PeerName::parse(bare).is_none() {
            return Err(HttpsError::Url("the URL has no proper host name or address"));
        }
        // A port that is written but is no number must not become the usual one.
        let port = match authority.as_str().strip_prefix(host) {
            Some("") => {
                if https {
                    443
                } else {
                    80
                }
            }
            _ => authority.port_u16().filter(|&port| port != 0).ok_or(WRONG)?,
        };
        let origin = Origin { https, host: bare.to_ascii_lowercase().into(), port };
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self { origin, target: format!("{slash}{target}").into() })
    }

    /// Whether it is protected by TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.origin.https
    }

    /// Whether the host is written as an address of this machine (127.0.0.0/8 or ::1), or is
    /// `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = &*self.origin.host;
        host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.origin.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.origin, self.target)
    }
}

impl fmt::Display for Origin {
    /// Host and port, as the field `Host` has them (RFC 9110 section 7.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        match (self.https, self.port) {
            (true, 443) | (false, 80) => Ok(()),
            (_, port) => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (text, host, port, target, shown) in [
            ("https://id.example", "id.example", 443, "/", "https://id.example/"),
            (
                "https://ID.example:443/a?b=c",
                "id.example",
                443,
                "/a?b=c",
                "https://id.example/a?b=c",
            ),
            ("http://127.0.0.1:8080/x", "127.0.0.1", 8080, "/x", "http://127.0.0.1:8080/x"),
            ("http://[::1]:81", "::1", 81, "/", "http://[::1]:81/"),
            ("https://[2001:db8::1]/k", "2001:db8::1", 443, "/k", "https://[2001:db8::1]/k"),
            ("https://id.example?x", "id.example", 443, "/?x", "https://id.example/?x"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((&*url.origin.host, url.origin.port, &*url.target), (host, port, target));
            assert_eq!(url.to_string(), shown);
            assert_eq!(url.is_https(), text.starts_with("https"));
        }
        assert!(Url::parse("http://localhost:1/").unwrap().is_loopback());
        assert!(Url::parse("http://[::1]/").unwrap().is_loopback());
        assert!(!Url::parse("http://127.0.0.1.example/").unwrap().is_loopback());
    }

    #[test]
    fn what_is_no_url_is_refused() {
        let long = format!("https://id.example/{}", "x".repeat(URL_MAX));
        for text in [
            "",
            "/",
            "id.example",
            "id.example/x",
            "ftp://id.example/",
            "https://",
            "https:///x",
            "https://u:p@id.example/",
            "https://u@id.example/",
            "https://id.example/#f",
            "https://id.example:0/",
            "https://id.example:99999/",
            "https://id.example:/x",
            "https://id example/",
            "https://id.example/\r\nHost: x",
            "https://[::1/",
            "https://[::1]x/",
            "https://id_.exa mple/",
            "https://a..b/",
            &long,
        ] {
            assert!(Url::parse(text).is_err(), "{text:?}");
        }
    }
}
