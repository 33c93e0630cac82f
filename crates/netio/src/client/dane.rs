//! What the DNS says of a server's certificate: TLSA records (RFC 6698), as SMTP uses them (RFC 7672).

use std::fmt;

use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256, Sha512};

use super::PeerName;

/// One TLSA record (RFC 6698 section 2.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tlsa {
    /// 2: an authority of the server's chain (DANE-TA). 3: the server's certificate (DANE-EE).
    pub usage: u8,
    /// 0: the whole certificate. 1: its public key (SubjectPublicKeyInfo).
    pub selector: u8,
    /// 0: the data itself. 1: its SHA-256. 2: its SHA-512.
    pub matching: u8,
    /// What is to be found.
    pub data: Box<[u8]>,
}

/// An authority of the chain.
pub(super) const TRUST_ANCHOR: u8 = 2;
/// The server's own certificate.
pub(super) const END_ENTITY: u8 = 3;

impl Tlsa {
    /// Whether SMTP can make use of it: the usages 0 and 1 are not for SMTP (RFC 7672 section
    /// 3.1.3), and a digest has its length.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let is_whole = match self.matching {
            0 => !self.data.is_empty(),
            1 => self.data.len() == 32,
            2 => self.data.len() == 64,
            _ => false,
        };
        matches!(self.usage, TRUST_ANCHOR | END_ENTITY) && self.selector <= 1 && is_whole
    }

    /// Whether it means this certificate, whose public key is `key`.
    pub(super) fn matches(&self, certificate: &CertificateDer<'_>, key: &[u8]) -> bool {
        let selected = if self.selector == 0 { certificate.as_ref() } else { key };
        match self.matching {
            0 => selected == &*self.data,
            1 => Sha256::digest(selected).as_slice() == &*self.data,
            2 => Sha512::digest(selected).as_slice() == &*self.data,
            _ => false,
        }
    }
}

impl fmt::Display for Tlsa {
    /// As zone files have it, such as `3 1 1 8d02…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.usage, self.selector, self.matching)?;
        self.data.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// The TLSA records of a server, and the names that one of an authority's servers must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dane {
    /// Of these, one must match.
    pub records: Vec<Tlsa>,
    /// Of these, the certificate must have one where an authority vouches for it (RFC 7672
    /// section 3.2.2). Where a record means the server's own certificate, neither name nor
    /// period of validity matters (section 3.1.1).
    pub names: Vec<PeerName>,
}

impl Dane {
    /// The usable records; of those with digests of the same thing only the strongest (RFC
    /// 7671 section 9).
    pub(super) fn effective(&self) -> Vec<Tlsa> {
        let usable = || self.records.iter().filter(|record| record.is_usable());
        let is_weaker = |record: &Tlsa| {
            let stronger = |other: &Tlsa| {
                (other.usage, other.selector) == (record.usage, record.selector)
                    && other.matching > record.matching
            };
            record.matching != 0 && usable().any(stronger)
        };
        usable().filter(|record| !is_weaker(record)).cloned().collect()
    }
}
