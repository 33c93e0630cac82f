//! A host that takes a domain's mail, and what its owner demands of TLS.

use std::fmt;
use std::net::IpAddr;

use netio::{Dane, PeerName, Tlsa, Trust};
use serde::{Serialize, Serializer};

use crate::sts::{StsMode, StsPolicy};

/// A host that takes mail for a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MxHost {
    /// Its name, as the MX record has it; for an address literal, the address.
    pub name: String,
    /// Lower is tried first; 0 if there is no MX record.
    pub preference: u16,
    /// In the order in which they are to be tried.
    pub addresses: Vec<IpAddr>,
    /// What is demanded of a connection to it.
    pub security: Security,
}

/// What a host's or a domain's owner demands of TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// Nothing: TLS where it is offered, whatever the certificate says (RFC 7435).
    None,
    /// TLS, with a certificate that the DNS vouches for (RFC 7672).
    Dane(TlsaSet),
    /// What the domain's policy says (RFC 8461); the host is one of those that it names, or the
    /// policy is only being tested.
    Sts(StsPolicy),
    /// No connection for the time being: it has no address just now, whether it demands
    /// anything cannot be found out, or the domain's policy does not name it.
    Unusable {
        /// Why.
        reason: String,
        /// The same as an enhanced status code (RFC 3463): class, subject, detail.
        status: (u8, u16, u16),
    },
}

/// The TLSA records of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TlsaSet {
    /// The name below which they stand, which is also the one to ask for in SNI (RFC 7672
    /// section 2.2.3).
    pub base: String,
    /// The records; in text form, such as `3 1 1 8d02…`.
    #[serde(serialize_with = "as_text")]
    pub records: Vec<Tlsa>,
    /// The names that the certificate may have where an authority vouches for it.
    pub names: Vec<String>,
}

fn as_text<S: Serializer>(records: &[Tlsa], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(records.iter().map(ToString::to_string))
}

impl TlsaSet {
    /// Whether some record can be used. If none can, TLS is demanded all the same, but nobody
    /// can say whose certificate is right (RFC 7672 section 2.2).
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.records.iter().any(Tlsa::is_usable)
    }

    /// Whom to believe.
    #[must_use]
    pub fn trust(&self) -> Trust {
        match self.is_usable() {
            true => Trust::Dane(Dane {
                records: self.records.clone(),
                names: self.names.iter().filter_map(|name| PeerName::parse(name)).collect(),
            }),
            false => Trust::Anybody,
        }
    }
}

impl fmt::Display for MxHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} [", self.preference, self.name)?;
        for (place, address) in self.addresses.iter().enumerate() {
            let separator = if place == 0 { "" } else { " " };
            write!(f, "{separator}{address}")?;
        }
        write!(f, "]: {}", self.security)
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("TLS where it is offered"),
            Self::Dane(set) if !set.is_usable() => {
                write!(f, "TLS, by DANE without a usable record (_25._tcp.{})", set.base)
            }
            Self::Dane(set) => {
                write!(f, "TLS, certificate by DANE (_25._tcp.{}:", set.base)?;
                for (place, record) in set.records.iter().enumerate() {
                    let separator = if place == 0 { " " } else { ", " };
                    write!(f, "{separator}{record}")?;
                }
                f.write_str(")")
            }
            Self::Sts(policy) if policy.mode == StsMode::Enforce => {
                f.write_str("TLS, certificate by MTA-STS")
            }
            Self::Sts(_) => f.write_str("TLS where it is offered (MTA-STS policy under test)"),
            Self::Unusable { reason, .. } => write!(f, "not to be used: {reason}"),
        }
    }
}
