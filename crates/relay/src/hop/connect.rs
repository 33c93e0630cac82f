//! From the name of a destination to a channel that takes mail.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use address::{Domain, Host};
use auth::Moment;
use mx::{MxHost, Resolver};
use smtp_proto::client::{
    Channel, Credentials, Opening, OpeningError, Phase, Plan, Protocol, Step, TlsUse,
};
use tokio::time::{Instant, timeout};

use super::dial::Dialer;
use super::failure::HopFailure;
use super::link::Link;
use super::tls::{Assurance, DaneClients, Demand, opportunistic};
use crate::config::{ConfigError, NextHop, Settings, Timeouts, TlsPolicy};
use crate::route::{LmtpSocket, LmtpTarget, Target};
use crate::verdict::code;

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;
/// A policy may take a minute to fetch (RFC 8461 section 3.3), beside the look-ups.
const POLICY_MAX: Duration = Duration::from_secs(60);

/// Knows the way to one destination.
pub(super) struct Connector {
    way: Way,
    name: Arc<str>,
    protocol: Protocol,
    credentials: Option<Credentials>,
    hello: Host,
    dialer: Dialer,
    pub(super) timeouts: Timeouts,
}

enum Way {
    /// A host of configuration, by the system's resolver.
    Host { host: String, port: u16, demand: Demand },
    /// A host of configuration, by the DNS, which may vouch for its certificate.
    Dane { host: String, port: u16, demand: Demand, dns: Dns },
    /// The hosts of a domain.
    Mx { domain: Domain, dns: Dns },
    /// A socket in the file system.
    Unix(PathBuf),
}

struct Dns {
    resolver: Resolver,
    clients: DaneClients,
}

/// An open channel, and over what.
pub(super) struct Connection {
    pub(super) link: Link,
    pub(super) channel: Channel,
    /// `host[address]:port`, for log and report.
    pub(super) relay: Arc<str>,
    /// Whether it is under TLS, and the other side has proved to be the right one: only then
    /// may a message with REQUIRETLS go over it (RFC 8689 section 4.2.1).
    pub(super) verified: bool,
    /// Whether it is for one message alone, which asked that nothing be demanded of it.
    pub(super) alone: bool,
}

/// A host to be tried.
struct Candidate {
    host: String,
    port: u16,
    addresses: Vec<SocketAddr>,
    demand: Demand,
}

impl Connector {
    /// Blocking: may read certificates. Where mail goes as the DNS says, a resolver is needed.
    pub(super) fn new(
        target: &Target,
        settings: &Settings,
        resolver: Option<&Resolver>,
    ) -> Result<Self, ConfigError> {
        let dns = || match resolver {
            Some(resolver) => {
                Ok(Dns { resolver: resolver.clone(), clients: DaneClients::default() })
            }
            None => Err(ConfigError::new("mx", "nothing", "name servers to ask")),
        };
        let (mut protocol, mut credentials) = (Protocol::Smtp, None);
        let way = match target {
            Target::Host(next_hop) => {
                credentials.clone_from(&next_hop.credentials);
                let NextHop { host, port, .. } = next_hop.clone();
                let demand = Demand::configured(next_hop)?;
                match next_hop.tls {
                    TlsPolicy::Dane => Way::Dane { host, port, demand, dns: dns()? },
                    _ => Way::Host { host, port, demand },
                }
            }
            Target::Mx(domain) => Way::Mx { domain: domain.clone(), dns: dns()? },
            Target::Lmtp(LmtpTarget { socket }) => {
                protocol = Protocol::Lmtp;
                match socket {
                    LmtpSocket::Unix(path) => Way::Unix(path.clone()),
                    LmtpSocket::Tcp { host, port } => {
                        Way::Host { host: host.clone(), port: *port, demand: Demand::CLEAR }
                    }
                }
            }
        };
        Ok(Self {
            way,
            name: target.to_string().into(),
            protocol,
            credentials,
            hello: settings.hello.clone(),
            dialer: Dialer::new(&settings.source_addresses, settings.timeouts.connect),
            timeouts: settings.timeouts,
        })
    }

    /// `host:port`, the domain, or the path of the socket.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The same, shared.
    pub(super) fn name_shared(&self) -> &Arc<str> {
        &self.name
    }

    /// Tries the hosts of the destination in turn, and the addresses of each; those that did
    /// not work a short time ago come last. The error is that of the last one.
    pub(super) async fn open(
        &self,
        now: Moment,
        assurance: Assurance,
    ) -> Result<Connection, HopFailure> {
        let alone = assurance == Assurance::Relaxed;
        self.open_any(now, assurance).await.map(|connection| Connection { alone, ..connection })
    }

    async fn open_any(&self, now: Moment, assurance: Assurance) -> Result<Connection, HopFailure> {
        if let Way::Unix(path) = &self.way {
            return self.open_local(path).await;
        }
        let (mut failure, candidates) = self.candidates(now, assurance).await?;
        let mut shunned = Vec::new();
        for candidate in candidates {
            let (bad, good) =
                split(&candidate.addresses, |address| self.dialer.is_shunned(address));
            if !good.is_empty() {
                match self.try_addresses(&candidate, good).await {
                    Ok(connection) => return Ok(connection),
                    Err(error) => failure = Some(error),
                }
            }
            shunned.push((candidate, bad));
        }
        for (candidate, addresses) in shunned.into_iter().filter(|(_, bad)| !bad.is_empty()) {
            match self.try_addresses(&candidate, addresses).await {
                Ok(connection) => return Ok(connection),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| HopFailure::new(code(4, 4, 4), "the name has no address")))
    }

    /// The hosts to be tried, and why others are not.
    async fn candidates(
        &self,
        now: Moment,
        assurance: Assurance,
    ) -> Result<(Option<HopFailure>, Vec<Candidate>), HopFailure> {
        let limit = self.timeouts.resolve + POLICY_MAX;
        let late = |_| HopFailure::new(code(4, 4, 3), "the look-up took too long");
        match &self.way {
            Way::Host { host, port, demand } => {
                let addresses = self.addresses(host, *port).await?;
                let (host, demand) = (host.clone(), demand.clone());
                Ok((None, vec![Candidate { host, port: *port, addresses, demand }]))
            }
            Way::Dane { host, port, demand, dns } => {
                let hosts = timeout(limit, dns.resolver.host(host, *port)).await.map_err(late)?;
                // A host of configuration can be put right: nothing is final.
                let host = hosts.map_err(|error| HopFailure::new(code(4, 4, 3), error))?;
                dns.candidates(vec![host], *port, assurance, |_| demand.clone())
            }
            Way::Mx { domain, dns } => {
                let route = dns.resolver.route(domain, now.wall.as_second());
                let hosts = timeout(limit, route).await.map_err(late)??;
                let otherwise = |host: &MxHost| opportunistic(host, &dns.resolver);
                dns.candidates(hosts, dns.resolver.port(), assurance, otherwise)
            }
            Way::Unix(_) => Ok((None, Vec::new())),
        }
    }

    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, HopFailure> {
        match timeout(self.timeouts.resolve, tokio::net::lookup_host((host, port))).await {
            Ok(Ok(addresses)) => Ok(addresses.take(ADDRESSES_MAX).collect()),
            Ok(Err(error)) => Err(HopFailure::new(code(4, 4, 3), error)),
            Err(_) => Err(HopFailure::new(code(4, 4, 3), "the name look-up took too long")),
        }
    }

    async fn try_addresses(
        &self,
        candidate: &Candidate,
        mut waiting: VecDeque<SocketAddr>,
    ) -> Result<Connection, HopFailure> {
        loop {
            let (stream, address) = self.dialer.connect(&mut waiting).await?;
            let failure = match self.open_address(candidate, address, Link::over(stream)).await {
                Ok(connection) => return Ok(connection),
                Err(failure) => failure,
            };
            self.dialer.shun(address);
            tracing::debug!(
                target: "lastpost::relay", relay = self.name(), host = candidate.host, %address,
                reason = ?failure.text, "address does not work"
            );
            if waiting.is_empty() {
                return Err(failure);
            }
        }
    }

    async fn open_address(
        &self,
        candidate: &Candidate,
        address: SocketAddr,
        link: Link,
    ) -> Result<Connection, HopFailure> {
        let Candidate { host, port, demand, .. } = candidate;
        let relay: Arc<str> = format!("{host}[{}]:{port}", address.ip()).into();
        match self.converse(link, demand, &relay).await {
            Ok(connection) => Ok(connection),
            Err(Attempt::Failed(failure)) => Err(failure),
            Err(Attempt::NoHandshake(failure)) if demand.wish == TlsUse::WhenOffered => {
                tracing::warn!(
                    target: "lastpost::relay", relay = &*relay, reason = ?failure.text,
                    "no TLS with the next hop; sending in clear"
                );
                let link = Link::over(self.dialer.connect_to(address).await?);
                match self.converse(link, &Demand::CLEAR, &relay).await {
                    Ok(connection) => Ok(connection),
                    Err(Attempt::Failed(failure) | Attempt::NoHandshake(failure)) => Err(failure),
                }
            }
            Err(Attempt::NoHandshake(failure)) => Err(failure),
        }
    }

    async fn open_local(&self, path: &Path) -> Result<Connection, HopFailure> {
        let link = Link::local(path, self.timeouts.connect).await?;
        match self.converse(link, &Demand::CLEAR, &self.name).await {
            Ok(connection) => Ok(connection),
            Err(Attempt::Failed(failure) | Attempt::NoHandshake(failure)) => Err(failure),
        }
    }

    /// From the connection to the open channel.
    async fn converse(
        &self,
        mut link: Link,
        demand: &Demand,
        relay: &Arc<str>,
    ) -> Result<Connection, Attempt> {
        if demand.wish == TlsUse::Established {
            link = self.secure(link, demand).await?;
        }
        let plan = Plan {
            protocol: self.protocol,
            hello: self.hello.clone(),
            tls: demand.wish,
            credentials: self.credentials.clone(),
        };
        let mut step = self.listen(&mut link, Opening::new(plan)).await?;
        loop {
            step = match step {
                Step::Send(opening, line) => {
                    link.send_slice(line.expose(), self.timeouts.command).await?;
                    drop(line);
                    self.listen(&mut link, opening).await?
                }
                Step::Secure(securing) => {
                    let nothing_unread = link.replies.is_empty();
                    if !nothing_unread {
                        return Err(HopFailure::from(OpeningError::InjectedBeforeTls).into());
                    }
                    link = self.secure(link, demand).await?;
                    securing.secured(nothing_unread).map_err(HopFailure::from)?
                }
                Step::Ready(channel) => {
                    let verified = demand.verifies && link.is_secure();
                    let relay = Arc::clone(relay);
                    return Ok(Connection { link, channel, relay, verified, alone: false });
                }
            };
        }
    }

    /// Reads one reply and hands it over.
    async fn listen(&self, link: &mut Link, opening: Opening) -> Result<Step, HopFailure> {
        let limit = match opening.phase() {
            Phase::Greeting => self.timeouts.greeting,
            _ => self.timeouts.command,
        };
        let deadline = Instant::now() + limit;
        loop {
            if let Some(reply) = link.replies.next_reply()? {
                return Ok(opening.receive(reply)?);
            }
            link.fill(deadline).await?;
        }
    }

    async fn secure(&self, link: Link, demand: &Demand) -> Result<Link, Attempt> {
        let handshake = demand.handshake.as_ref().ok_or_else(|| {
            Attempt::Failed(HopFailure::new(code(4, 7, 4), "TLS is switched off"))
        })?;
        link.secure(handshake, self.timeouts.handshake).await.map_err(|error| {
            let text = format!("TLS handshake failed: {error}");
            Attempt::NoHandshake(HopFailure::new(code(4, 7, 5), text))
        })
    }
}

impl Dns {
    fn candidates(
        &self,
        hosts: Vec<MxHost>,
        port: u16,
        assurance: Assurance,
        otherwise: impl Fn(&MxHost) -> Demand,
    ) -> Result<(Option<HopFailure>, Vec<Candidate>), HopFailure> {
        let (mut failure, mut candidates) = (None, Vec::new());
        for host in hosts {
            let demand = self.clients.demand(&host, &self.resolver, assurance, || otherwise(&host));
            match demand {
                Ok(demand) => {
                    let at = |&ip| SocketAddr::new(ip, port);
                    let addresses = host.addresses.iter().map(at).collect();
                    candidates.push(Candidate { host: host.name, port, addresses, demand });
                }
                Err(error) => failure = Some(error),
            }
        }
        Ok((failure, candidates))
    }
}

fn split(
    addresses: &[SocketAddr],
    is_bad: impl Fn(SocketAddr) -> bool,
) -> (VecDeque<SocketAddr>, VecDeque<SocketAddr>) {
    addresses.iter().copied().partition(|&address| is_bad(address))
}

/// Why an attempt did not end in a channel.
enum Attempt {
    /// The TLS handshake failed; without TLS it might work.
    NoHandshake(HopFailure),
    Failed(HopFailure),
}

impl From<HopFailure> for Attempt {
    fn from(failure: HopFailure) -> Self {
        Self::Failed(failure)
    }
}
