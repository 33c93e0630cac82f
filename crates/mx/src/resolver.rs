//! From a domain to the hosts that take its mail.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use address::Domain;
use netio::{TlsClient, Trust};
use tokio::task::JoinSet;

use crate::secure::{self, Found, Quest};
use crate::sts::{Sts, StsMode, StsPolicy};
use crate::{
    Answer, Dns, Kind, Lookup, LookupError, MxConfig, MxConfigError, MxError, MxHost, Record,
    Security, name,
};

/// What a resolver asks, and whom it believes.
#[derive(Clone, Debug)]
pub struct Means {
    /// The DNS.
    pub lookup: Arc<dyn Lookup>,
    /// Whom to believe in where an MTA-STS policy demands a certificate, and that the policy
    /// comes from its domain.
    pub trust: Trust,
    /// The port at which policies are to be had.
    pub https_port: u16,
}

impl Means {
    fn of(config: &MxConfig) -> Result<Self, MxConfigError> {
        config.check()?;
        Ok(Self { lookup: Arc::new(Dns::new(config)?), trust: Trust::System, https_port: 443 })
    }
}

/// Finds the hosts that take a domain's mail. Clones share it.
#[derive(Clone, Debug)]
pub struct Resolver(Arc<Inner>);

struct Inner {
    lookup: Arc<dyn Lookup>,
    config: MxConfig,
    /// This host's names.
    own: Vec<String>,
    /// `None` if policies are not wanted, or there is nobody to believe in.
    sts: Option<(Sts, TlsClient)>,
    anybody: TlsClient,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("lookup", &self.lookup).field("own", &self.own).finish()
    }
}

impl Resolver {
    /// A resolver that asks the DNS. `own` are names of this host beside those in `config`;
    /// `now` is in Unix seconds. Blocking: reads files.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn new(config: &MxConfig, own: &[Domain], now: i64) -> Result<Self, MxConfigError> {
        Self::build(config, own, Means::of(config)?, true, now)
    }

    /// The same for a command that shows something: it uses the policies on disk, and leaves
    /// them as they are.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn observer(config: &MxConfig, own: &[Domain], now: i64) -> Result<Self, MxConfigError> {
        Self::build(config, own, Means::of(config)?, false, now)
    }

    /// A resolver with other means. Blocking, too.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_means(
        config: &MxConfig,
        own: &[Domain],
        means: Means,
        now: i64,
    ) -> Result<Self, MxConfigError> {
        Self::build(config, own, means, true, now)
    }

    fn build(
        config: &MxConfig,
        own: &[Domain],
        means: Means,
        writes: bool,
        now: i64,
    ) -> Result<Self, MxConfigError> {
        config.check()?;
        let sts = if config.mta_sts { sts(config, &means, writes, now)? } else { None };
        let configured = config.own_names.iter().filter_map(|text| name::host(text));
        let own = own.iter().filter_map(name::ascii).chain(configured).collect();
        let anybody = TlsClient::new(&Trust::Anybody, &[])
            .map_err(|error| MxConfigError::new("mta_sts", config.mta_sts, error))?;
        let config = config.clone();
        Ok(Self(Arc::new(Inner { lookup: means.lookup, config, own, sts, anybody })))
    }

    /// The port at which hosts are to be asked.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.config.port
    }

    /// For connections to hosts with [`Security::Sts`]: believes whom the system believes, and
    /// has no ALPN protocol.
    #[must_use]
    pub fn verified(&self) -> Option<&TlsClient> {
        self.0.sts.as_ref().map(|(_, client)| client)
    }

    /// For connections where no certificate is checked. One for all hosts: it remembers their
    /// sessions.
    #[must_use]
    pub fn unverified(&self) -> &TlsClient {
        &self.0.anybody
    }

    /// The hosts for `domain` in the order in which they are to be tried, at least one; `now`
    /// is in Unix seconds. Takes up to a minute and a half if servers are slow.
    ///
    /// # Errors
    /// If there is no host, or the DNS does not say.
    pub async fn route(&self, domain: &Domain, now: i64) -> Result<Vec<MxHost>, MxError> {
        let bad_name = || MxError::BadName(domain.to_string());
        let name = name::ascii(domain).ok_or_else(bad_name)?;
        let exchangers = self.exchangers(&name).await?;
        let policy = async {
            match &self.0.sts {
                Some((sts, _)) => sts.policy(&name, &*self.0.lookup, now).await,
                None => None,
            }
        };
        let Inner { config, .. } = &*self.0;
        let looked = self.look(&exchangers, config.port, config.loopback);
        let (found, policy) = tokio::join!(looked, policy);
        let hosts = self.hosts(&name, exchangers.hosts, found)?;
        Ok(hosts.into_iter().map(|host| under_policy(host, policy.as_ref())).collect())
    }

    /// The only host for an address literal (RFC 5321 section 4.1.3).
    ///
    /// # Errors
    /// If that is this host.
    pub fn literal(&self, address: IpAddr) -> Result<Vec<MxHost>, MxError> {
        let name = format!("[{address}]");
        if secure::is_ours(address) && !self.0.config.loopback {
            return Err(MxError::Loop { domain: name.clone(), host: name });
        }
        let addresses = vec![address];
        Ok(vec![MxHost { name, preference: 0, addresses, security: Security::None }])
    }

    /// The host of that name alone, whatever MX records its name has, with what the DNS says of
    /// its certificate at `port`. It may be on this host.
    ///
    /// # Errors
    /// If it has no address, or the DNS does not say.
    pub async fn host(&self, host: &str, port: u16) -> Result<MxHost, MxError> {
        let name = name::host(host).ok_or_else(|| MxError::BadName(host.to_owned()))?;
        let exchangers = Exchangers::itself(&name);
        let found = self.look(&exchangers, port, true).await;
        let host = self.hosts(&name, exchangers.hosts, found)?.into_iter().next();
        host.ok_or(MxError::NoHost(name))
    }

    /// The domain's hosts by preference, those of equal preference at random (RFC 5321 section
    /// 5.1), as many as are to be tried.
    async fn exchangers(&self, name: &str) -> Result<Exchangers, MxError> {
        let failed = |error| MxError::Lookup { name: name.to_owned(), error };
        let answer = self.0.lookup.lookup(name, Kind::Mx).await.map_err(failed)?;
        let Answer { records, exists, secure, canonical, .. } = answer;
        if !exists {
            return Err(MxError::NoSuchDomain(name.to_owned()));
        }
        let mut hosts: Vec<_> = records.into_iter().filter_map(exchanger).collect();
        if hosts.is_empty() {
            // The domain itself. That it has no MX is as certain as its address: both are in
            // the same zone.
            let itself = Exchangers::itself(name);
            let hosts = self.without_ourselves(name, itself.hosts)?;
            return Ok(Exchangers { hosts, ..itself });
        }
        if hosts.iter().all(|(_, host)| host.is_empty()) {
            return Err(MxError::TakesNoMail(name.to_owned()));
        }
        hosts.retain(|(_, host)| !host.is_empty());
        hosts.sort_by_cached_key(|(preference, _)| (*preference, random()));
        let mut hosts = self.without_ourselves(name, hosts)?;
        hosts.truncate(self.0.config.hosts_max);
        let domains = std::iter::once(name.to_owned()).chain(canonical).collect();
        Ok(Exchangers { hosts, domains, secure })
    }

    /// Without this host and those behind it, which would only send it here (RFC 5321 section
    /// 5.1).
    fn without_ourselves(
        &self,
        domain: &str,
        mut hosts: Vec<(u16, String)>,
    ) -> Result<Vec<(u16, String)>, MxError> {
        let ourselves = hosts.iter().find(|(_, host)| self.0.own.contains(host)).cloned();
        if let Some((own_preference, host)) = ourselves {
            hosts.retain(|(preference, _)| *preference < own_preference);
            if hosts.is_empty() {
                return Err(MxError::Loop { domain: domain.to_owned(), host });
            }
        }
        Ok(hosts)
    }

    /// What the DNS says of each host, in their order.
    async fn look(&self, exchangers: &Exchangers, port: u16, loopback: bool) -> Vec<Found> {
        let config = &self.0.config;
        let mut looking = JoinSet::new();
        for (place, (_, host)) in exchangers.hosts.iter().enumerate() {
            let quest = Quest {
                host: host.clone(),
                domains: exchangers.domains.clone(),
                dane: config.dane && exchangers.secure,
                family: config.addresses,
                addresses_max: config.addresses_max,
                loopback,
                port,
            };
            let lookup = Arc::clone(&self.0.lookup);
            looking.spawn(async move { (place, quest.pursue(&*lookup).await) });
        }
        let gone = || Found::Unknown(LookupError::Failed("the look-up broke off".to_owned()));
        let mut found: Vec<_> = exchangers.hosts.iter().map(|_| gone()).collect();
        while let Some(looked) = looking.join_next().await {
            if let Ok((place, result)) = looked
                && let Some(slot) = found.get_mut(place)
            {
                *slot = result;
            }
        }
        found
    }

    fn hosts(
        &self,
        domain: &str,
        exchangers: Vec<(u16, String)>,
        found: Vec<Found>,
    ) -> Result<Vec<MxHost>, MxError> {
        let mut hosts = Vec::new();
        for ((preference, name), found) in exchangers.into_iter().zip(found) {
            let (addresses, security) = match found {
                Found::Host(addresses, security) => (addresses, security),
                Found::Nothing => continue,
                Found::Ourselves => {
                    hosts.retain(|host: &MxHost| host.preference < preference);
                    if hosts.is_empty() {
                        return Err(MxError::Loop { domain: domain.to_owned(), host: name });
                    }
                    break;
                }
                Found::Unknown(error) => {
                    let reason = format!("looking up {name}: {error}");
                    (Vec::new(), Security::Unusable { reason, status: (4, 4, 3) })
                }
            };
            hosts.push(MxHost { name, preference, addresses, security });
        }
        match hosts.is_empty() {
            true => Err(MxError::NoHost(domain.to_owned())),
            false => Ok(hosts),
        }
    }
}

/// The names of a domain's hosts, with their preference.
struct Exchangers {
    hosts: Vec<(u16, String)>,
    /// The domain, and what it is an alias of.
    domains: Vec<String>,
    /// Whether DNSSEC proves them.
    secure: bool,
}

impl Exchangers {
    /// A host without MX records.
    fn itself(name: &str) -> Self {
        let hosts = vec![(0, name.to_owned())];
        Self { hosts, domains: vec![name.to_owned()], secure: true }
    }
}

fn exchanger(record: Record) -> Option<(u16, String)> {
    match record {
        Record::Mx { preference, exchange } => Some((preference, exchange)),
        _ => None,
    }
}

/// A host with what the domain's policy demands, unless the DNS vouches for its certificate
/// (RFC 8461 section 2: DANE comes first).
fn under_policy(host: MxHost, policy: Option<&StsPolicy>) -> MxHost {
    let Some(policy) = policy.filter(|_| host.security == Security::None) else { return host };
    let is_refused = policy.mode == StsMode::Enforce && !policy.names(&host.name);
    let security = match is_refused {
        true => Security::Unusable {
            reason: format!("the domain's MTA-STS policy does not name {}", host.name),
            status: (4, 7, 5),
        },
        false => Security::Sts(policy.clone()),
    };
    MxHost { security, ..host }
}

fn sts(
    config: &MxConfig,
    means: &Means,
    writes: bool,
    now: i64,
) -> Result<Option<(Sts, TlsClient)>, MxConfigError> {
    let client = match TlsClient::new(&means.trust, &[]) {
        Ok(client) => client,
        Err(error) => {
            tracing::warn!(
                target: "lastpost::relay", %error,
                "no MTA-STS: there is no authority to believe in"
            );
            return Ok(None);
        }
    };
    let directory = config.policy_cache.as_deref();
    let https = client.with_alpn(&[b"http/1.1"]);
    let opened = Sts::open(directory, writes, https, means.https_port, now).map_err(|error| {
        let found = directory.map(|path| path.display().to_string()).unwrap_or_default();
        let expected = format!("a directory that this daemon can write to: {error}");
        MxConfigError::new("policy_cache", found, expected)
    })?;
    Ok(Some((opened, client)))
}

/// Without randomness hosts of equal preference keep the order of the answer.
fn random() -> u64 {
    getrandom::u64().unwrap_or(0)
}
