//! Where a filter listens, and connections to it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// Where a filter listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `host:port`, looked up at each connection.
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// A connection, of whichever kind.
pub(crate) type Stream = Box<dyn Duplex>;

/// Both directions.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Duplex for T {}

const EXPECTED: &str = "\"host:port\", \"192.0.2.1:11332\", \"[2001:db8::1]:11332\" or \
                        \"unix:/path/of/the/socket\"";

impl Endpoint {
    /// Reads it as configuration writes it.
    ///
    /// # Errors
    /// What was expected.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(path) = text.strip_prefix("unix:") {
            let absolute = path.starts_with('/') && !path.contains('\0');
            return absolute.then(|| Self::Unix(path.into())).ok_or(EXPECTED);
        }
        let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
        let port: u16 = port.parse().map_err(|_| EXPECTED)?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_literal = bare.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok());
        let named = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_name = bare.is_none() && !host.is_empty() && host.chars().all(named);
        if port == 0 || !(is_literal || is_name) {
            return Err(EXPECTED);
        }
        Ok(Self::Tcp(text.to_owned()))
    }

    /// Connects.
    pub(crate) async fn connect(&self, patience: Duration) -> io::Result<Stream> {
        let connecting = async {
            match self {
                Self::Tcp(address) => {
                    let stream = TcpStream::connect(address.as_str()).await?;
                    stream.set_nodelay(true)?;
                    Ok(Box::new(stream) as Stream)
                }
                Self::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?) as Stream),
            }
        };
        timeout(patience, connecting).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for good in ["127.0.0.1:11332", "[::1]:9", "filter.example.net:1", "unix:/run/m.sock"] {
            assert_eq!(Endpoint::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", "host", "host:0", "host:70000", "::1:9", "unix:relative", "a b:1", ":1"] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }
}
