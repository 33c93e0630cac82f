//! A host's addresses, and whether the DNS vouches for its certificate (RFC 7672 section 2.2).

use std::net::IpAddr;

use netio::Tlsa;

use crate::config::Family;
use crate::{Answer, Kind, Lookup, LookupError, Record, Security, TlsaSet};

/// What is to be found out of one host.
#[derive(Clone, Debug)]
pub(crate) struct Quest {
    pub(crate) host: String,
    /// The domain whose mail it takes, and what that is an alias of.
    pub(crate) domains: Vec<String>,
    /// Whether DNSSEC proves that it is the domain's host, and DANE is wanted.
    pub(crate) dane: bool,
    pub(crate) family: Family,
    pub(crate) addresses_max: usize,
    /// Whether it may be on loopback.
    pub(crate) loopback: bool,
    pub(crate) port: u16,
}

/// What was found out.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// It can be tried.
    Host(Vec<IpAddr>, Security),
    /// It has no address.
    Nothing,
    /// Its addresses are of this host alone.
    Ourselves,
    /// The DNS does not say.
    Unknown(LookupError),
}

impl Quest {
    pub(crate) async fn pursue(&self, lookup: &dyn Lookup) -> Found {
        let ask = async |kind, wanted| match wanted {
            true => lookup.lookup(&self.host, kind).await,
            false => Ok(Answer::default()),
        };
        let (v6, v4) = tokio::join!(
            ask(Kind::Aaaa, self.family.wants_ipv6()),
            ask(Kind::A, self.family.wants_ipv4())
        );
        let (first, second) = match self.family {
            Family::Ipv4First | Family::Ipv4 => (&v4, &v6),
            Family::Ipv6First | Family::Ipv6 => (&v6, &v4),
        };
        let all = alternating(addresses(first), addresses(second));
        if all.is_empty() {
            return match [v6, v4].into_iter().find_map(Result::err) {
                Some(error) => Found::Unknown(error),
                None => Found::Nothing,
            };
        }
        let is_foreign = |ip: &IpAddr| self.loopback || !is_ours(*ip);
        let usable: Vec<_> = all.into_iter().filter(is_foreign).take(self.addresses_max).collect();
        if usable.is_empty() {
            return Found::Ourselves;
        }
        let answers = [&v6, &v4].map(|answer| answer.as_ref().ok());
        let security = match self.dane {
            true => self.security(answers.into_iter().flatten(), lookup).await,
            false => Security::None,
        };
        Found::Host(usable, security)
    }

    /// What the DNS says of the certificate. Where it cannot be asked, the host cannot be used:
    /// whoever suppresses the answer must not get the mail (RFC 7672 section 2.1.1).
    async fn security<'a>(
        &self,
        answers: impl Iterator<Item = &'a Answer> + Clone,
        lookup: &dyn Lookup,
    ) -> Security {
        let bases = match self.bases(answers, lookup).await {
            Ok(bases) => bases,
            Err(error) => return unusable(&self.host, &error),
        };
        for base in bases {
            let name = format!("_{}._tcp.{base}", self.port);
            match lookup.lookup(&name, Kind::Tlsa).await {
                Err(error) => return unusable(&name, &error),
                Ok(Answer { secure: true, records, .. }) => {
                    let records: Vec<Tlsa> = records.into_iter().filter_map(tlsa).collect();
                    if !records.is_empty() {
                        let mut names = vec![base.clone()];
                        names.extend(self.domains.iter().filter(|name| **name != base).cloned());
                        return Security::Dane(TlsaSet { base, records, names });
                    }
                }
                Ok(_) => {}
            }
        }
        Security::None
    }

    /// The names below which TLSA records may stand, the best first (RFC 7672 section 2.2.2).
    async fn bases<'a>(
        &self,
        answers: impl Iterator<Item = &'a Answer> + Clone,
        lookup: &dyn Lookup,
    ) -> Result<Vec<String>, LookupError> {
        let mut full = answers.clone().filter(|answer| !answer.records.is_empty());
        let canonical = answers.clone().find_map(|answer| answer.canonical.clone());
        let own = self.host.clone();
        Ok(match (full.all(|answer| answer.secure), canonical) {
            (true, None) => vec![own],
            (true, Some(canonical)) => vec![canonical, own],
            (false, None) => Vec::new(),
            // The alias itself may be proven, though what it leads to is not.
            (false, Some(_)) => match lookup.lookup(&self.host, Kind::Cname).await?.secure {
                true => vec![own],
                false => Vec::new(),
            },
        })
    }
}

fn unusable(name: &str, error: &LookupError) -> Security {
    let reason = format!("looking up {name}: {error}");
    Security::Unusable { reason, status: (4, 7, 5) }
}

fn tlsa(record: Record) -> Option<Tlsa> {
    match record {
        Record::Tlsa(tlsa) => Some(tlsa),
        _ => None,
    }
}

fn addresses(answer: &Result<Answer, LookupError>) -> Vec<IpAddr> {
    let records = answer.iter().flat_map(|answer| &answer.records);
    let address = |record: &Record| match record {
        Record::Address(ip) => Some(*ip),
        _ => None,
    };
    records.filter_map(address).collect()
}

/// One of the first, one of the second and so on: if one family does not work, the second
/// attempt is of the other (RFC 8305 section 4).
fn alternating(first: Vec<IpAddr>, second: Vec<IpAddr>) -> Vec<IpAddr> {
    let longest = first.len().max(second.len());
    let pair = |place: usize| [first.get(place).copied(), second.get(place).copied()];
    (0..longest).flat_map(pair).flatten().collect()
}

/// Whether mail sent there would reach this host, or nobody.
pub(crate) fn is_ours(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.octets()[0] == 0 || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified(),
    }
}
