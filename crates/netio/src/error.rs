//! What can go wrong on the network and before it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

/// Why reading, writing or a handshake did not succeed. The connection is of no further use.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetError {
    /// The client did nothing, or too little, for too long.
    #[error("the client did not answer in time")]
    TimedOut,
    /// The client has gone, or the connection was given up before.
    #[error("the connection is closed")]
    Closed,
    /// TLS could not be agreed on.
    #[error("TLS handshake: {0}")]
    Handshake(#[source] io::Error),
    /// The client has shown a certificate that none of the authorities in `client_ca` vouches
    /// for, or that is not good now.
    #[error("TLS handshake: the client's certificate does not verify: {0}")]
    ClientCertificate(#[source] rustls::Error),
    /// TLS was asked for twice.
    #[error("TLS is already in use")]
    AlreadyTls,
    /// The socket failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl NetError {
    /// What a handshake that failed with `error` is called. Only clients show certificates to a
    /// server.
    pub(crate) fn of_handshake(error: io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(refused @ rustls::Error::InvalidCertificate(_)) => {
                Self::ClientCertificate(refused.clone())
            }
            _ => Self::Handshake(error),
        }
    }
}

/// There are as many sessions from one place as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many sessions from one address")]
pub struct AtLimit;

/// Why a listener cannot serve.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// TLS is wanted, but there is no certificate.
    #[error(
        "listener {address}: `tls` needs a certificate: add a [tls] section, or set tls = \"none\""
    )]
    NoCertificate {
        /// The listener.
        address: SocketAddr,
    },
    /// PROXY headers are wanted, but from nobody.
    #[error(
        "listener {address}: `proxy_protocol` needs at least one network in `trusted_proxies`, \
         or nobody could connect"
    )]
    NoTrustedProxy {
        /// The listener.
        address: SocketAddr,
    },
    /// The socket could not be used.
    #[error("listener {address}: {source}")]
    Io {
        /// The listener.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Why certificates could not be loaded. Those loaded before stay in use.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file could not be read.
    #[error("tls: cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds no certificate.
    #[error("tls: {} holds no PEM certificate (expected -----BEGIN CERTIFICATE-----): {reason}", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file holds no private key.
    #[error("tls: {} holds no PEM private key (expected -----BEGIN PRIVATE KEY-----)", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key are not of one pair: half of a renewal, perhaps.
    #[error("tls: {} is not the private key of {}: install both files and reload", key.display(), certificate.display())]
    KeyMismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A certificate or key that cannot be used.
    #[error("tls: {} with {}: {reason}", certificate.display(), key.display())]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        reason: String,
    },
    /// A name under which a certificate is to be shown is malformed or not in the certificate.
    #[error("tls.named: {} does not cover {name:?}", certificate.display())]
    NameNotCovered {
        /// The name as configured.
        name: String,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// The library refused its set-up, or there was no randomness.
    #[error("tls: {0}")]
    Setup(String),
}
