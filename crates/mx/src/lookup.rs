//! What is asked of the DNS, and by whom: the daemon asks servers, tests have their own answers.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use netio::Tlsa;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Mail exchangers.
    Mx,
    /// Certificates (RFC 6698).
    Tlsa,
    /// Texts.
    Txt,
    /// Of what it is an alias.
    Cname,
}

/// One record of an answer. Names are A-labels in lower case, without the final dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A or AAAA.
    Address(IpAddr),
    /// A mail exchanger; the root, as in a null MX (RFC 7505), is the empty name.
    Mx {
        /// Lower comes first.
        preference: u16,
        /// The host.
        exchange: String,
    },
    /// A certificate.
    Tlsa(Tlsa),
    /// A text, its strings joined.
    Txt(Vec<u8>),
    /// Another name.
    Cname(String),
}

/// What the DNS says of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What was asked for, at the end of all aliases; empty if there is none.
    pub records: Vec<Record>,
    /// False if there is no such name (NXDOMAIN).
    pub exists: bool,
    /// Whether DNSSEC proves every record of it, aliases included. Never true of an answer
    /// without records.
    pub secure: bool,
    /// The name at the end of all aliases, if the one that was asked for is an alias.
    pub canonical: Option<String>,
    /// How long it may be kept.
    pub ttl: Duration,
}

/// Why there is no answer. The next attempt may have one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// No server answered in time.
    #[error("no answer in time")]
    Timeout,
    /// The server said that it failed, such as SERVFAIL or REFUSED.
    #[error("the name server said: {0}")]
    Refused(String),
    /// DNSSEC proves the answer wrong.
    #[error("the answer fails DNSSEC validation")]
    Bogus,
    /// The answer makes no sense, or there is no way to the server.
    #[error("{0}")]
    Failed(String),
}

/// The answer to come.
pub type Looking<'a> = Pin<Box<dyn Future<Output = Result<Answer, LookupError>> + Send + 'a>>;

/// Asks the DNS.
pub trait Lookup: fmt::Debug + Send + Sync {
    /// Looks up `name`: A-labels in lower case, without the final dot.
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Looking<'a>;
}
