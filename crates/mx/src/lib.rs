//! Where mail for a domain goes, and how its host proves itself: MX, DANE (RFC 7672), MTA-STS (RFC 8461).
//!
//! [`Resolver::route`] asks the DNS, through a [`Lookup`], for the hosts of a domain in the
//! order in which they are to be tried, and says of each what its owner demands of TLS
//! ([`Security`]): a certificate that the DNS vouches for, one that the domain's published
//! policy asks for, or nothing. Whoever connects obeys that.
//!
//! ```text
//! domain ──► MX ──► host ──► A, AAAA ── secure? ──► TLSA ──► Security::Dane
//!    └─────► _mta-sts TXT ──► policy over HTTPS, or from the disk ──► Security::Sts
//! ```

mod cache;
mod config;
mod dns;
mod error;
mod host;
mod lookup;
mod name;
mod resolver;
mod secure;
mod sts;

pub use config::{Dnssec, Family, MxConfig, MxConfigError, NameServer, Wait};
pub use dns::Dns;
pub use error::MxError;
pub use host::{MxHost, Security, TlsaSet};
pub use lookup::{Answer, Kind, Looking, Lookup, LookupError, Record};
pub use netio::Tlsa;
pub use resolver::{Means, Resolver};
pub use sts::{StsMode, StsPolicy};
