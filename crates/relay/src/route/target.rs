//! A destination: what a connection is made to.

use std::fmt;
use std::path::PathBuf;

use address::Domain;

use crate::config::NextHop;

/// What a connection is made to.
#[derive(Clone, Debug)]
pub enum Target {
    /// A host that takes mail for others.
    Host(NextHop),
    /// The mail exchangers of a domain (RFC 5321 section 5.1).
    Mx(Domain),
    /// A server on this host or site that puts mail into mailboxes (RFC 2033).
    Lmtp(LmtpTarget),
}

/// An LMTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LmtpTarget {
    /// Where it listens.
    pub socket: LmtpSocket,
}

/// Where an LMTP server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LmtpSocket {
    /// At a host, a name or an address without brackets. RFC 2033 section 5: never port 25.
    Tcp {
        /// Its name or address, without brackets.
        host: String,
        /// Its port.
        port: u16,
    },
    /// At a socket in the file system.
    Unix(PathBuf),
}

/// `host:port`, the domain, or the path of the socket.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(next_hop) => write!(f, "{}:{}", next_hop.host, next_hop.port),
            Self::Mx(domain) => f.write_str(domain.as_str()),
            Self::Lmtp(LmtpTarget { socket }) => socket.fmt(f),
        }
    }
}

/// `host:port`, or the path.
impl fmt::Display for LmtpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
