//! What can go wrong between a request and its answer.

use std::io;
use std::time::Duration;

/// Why there is no answer. The texts name the server at most, never what was sent to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpsError {
    /// The URL cannot be asked.
    #[error("{0}")]
    Url(&'static str),
    /// A field or the target of the request has octets that HTTP does not allow there.
    #[error("the request's {0} has characters that cannot be sent")]
    Request(&'static str),
    /// The trust roots cannot be read.
    #[error("{0}")]
    Trust(String),
    /// As many requests wait as may wait.
    #[error("too many requests are waiting for this service")]
    Busy,
    /// The name has no address.
    #[error("cannot resolve {host:?}: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// No address could be connected to; this is what the last one said.
    #[error("cannot connect to {server}: {source}")]
    Connect {
        /// Host and port.
        server: String,
        /// What the system said.
        source: io::Error,
    },
    /// TLS was not agreed upon, or the certificate is not believed.
    #[error("no TLS with {server}: {source}")]
    Tls {
        /// Host and port.
        server: String,
        /// What is wrong.
        source: io::Error,
    },
    /// The whole took too long.
    #[error("{server} has not answered within {after:?}")]
    Timeout {
        /// Host and port.
        server: String,
        /// The time that it had.
        after: Duration,
    },
    /// The body is longer than the limit in octets.
    #[error("the answer is longer than {0} octets")]
    TooLong(usize),
    /// The answer is compressed, which nobody asked for.
    #[error("the answer has an encoding that was not asked for")]
    Encoding,
    /// What came is no answer, or half of one, or its head is longer than 16 KiB or has more
    /// than 64 fields.
    #[error("no proper answer: {0}")]
    Broken(String),
}
