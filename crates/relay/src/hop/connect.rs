//! From the name of a next hop to a channel that takes mail.

use std::net::SocketAddr;
use std::sync::Arc;

use address::Host;
use smtp_proto::client::{Channel, Credentials, Opening, OpeningError, Phase, Plan, Step, TlsUse};
use tokio::time::{Instant, timeout};

use super::failure::HopFailure;
use super::link::Link;
use super::tls::{self, Handshake};
use crate::config::{ConfigError, NextHop, Settings, Timeouts, TlsPolicy};
use crate::verdict::code;

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Knows the way to one next hop.
pub(super) struct Connector {
    host: String,
    port: u16,
    name: Arc<str>,
    policy: TlsPolicy,
    handshake: Option<Handshake>,
    credentials: Option<Credentials>,
    hello: Host,
    pub(super) timeouts: Timeouts,
}

/// An open channel, and over what.
pub(super) struct Connection {
    pub(super) link: Link,
    pub(super) channel: Channel,
    /// `host[address]:port`, for log and report.
    pub(super) relay: Arc<str>,
}

impl Connector {
    /// Blocking: may read certificates.
    pub(super) fn new(next_hop: &NextHop, settings: &Settings) -> Result<Self, ConfigError> {
        let NextHop { host, port, .. } = next_hop;
        Ok(Self {
            host: host.clone(),
            port: *port,
            name: format!("{host}:{port}").into(),
            policy: next_hop.tls,
            handshake: tls::handshake(next_hop)?,
            credentials: next_hop.credentials.clone(),
            hello: settings.hello.clone(),
            timeouts: settings.timeouts,
        })
    }

    /// `host:port`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// `host:port`, shared.
    pub(super) fn name_shared(&self) -> &Arc<str> {
        &self.name
    }

    /// Tries the addresses of the next hop in turn; the error is that of the last one.
    pub(super) async fn open(&self) -> Result<Connection, HopFailure> {
        let mut failure = HopFailure::new(code(4, 4, 4), "the name has no address");
        for address in self.addresses().await? {
            match self.open_address(address).await {
                Ok(connection) => return Ok(connection),
                Err(error) => {
                    tracing::debug!(
                        target: "lastpost::relay", relay = self.name(), %address,
                        reason = ?error.text, "address does not work"
                    );
                    failure = error;
                }
            }
        }
        Err(failure)
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, HopFailure> {
        let lookup = tokio::net::lookup_host((self.host.as_str(), self.port));
        match timeout(self.timeouts.resolve, lookup).await {
            Ok(Ok(addresses)) => Ok(addresses.take(ADDRESSES_MAX).collect()),
            Ok(Err(error)) => Err(HopFailure::new(code(4, 4, 3), error)),
            Err(_) => Err(HopFailure::new(code(4, 4, 3), "the name look-up took too long")),
        }
    }

    async fn open_address(&self, address: SocketAddr) -> Result<Connection, HopFailure> {
        let wish = match self.policy {
            TlsPolicy::None => TlsUse::Never,
            TlsPolicy::Opportunistic => TlsUse::WhenOffered,
            TlsPolicy::Required => TlsUse::Required,
            TlsPolicy::Implicit => TlsUse::Established,
        };
        match self.attempt(address, wish).await {
            Ok(connection) => Ok(connection),
            Err(Attempt::Failed(failure)) => Err(failure),
            Err(Attempt::NoHandshake(failure)) if wish == TlsUse::WhenOffered => {
                tracing::warn!(
                    target: "lastpost::relay", relay = self.name(), %address,
                    reason = ?failure.text, "no TLS with the next hop; sending in clear"
                );
                match self.attempt(address, TlsUse::Never).await {
                    Ok(connection) => Ok(connection),
                    Err(Attempt::Failed(failure) | Attempt::NoHandshake(failure)) => Err(failure),
                }
            }
            Err(Attempt::NoHandshake(failure)) => Err(failure),
        }
    }

    async fn attempt(&self, address: SocketAddr, wish: TlsUse) -> Result<Connection, Attempt> {
        let mut link = Link::connect(address, self.timeouts.connect).await?;
        if wish == TlsUse::Established {
            link = self.secure(link).await?;
        }
        let plan =
            Plan { hello: self.hello.clone(), tls: wish, credentials: self.credentials.clone() };
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
                    link = self.secure(link).await?;
                    securing.secured(nothing_unread).map_err(HopFailure::from)?
                }
                Step::Ready(channel) => {
                    let host = &self.host;
                    let relay = format!("{host}[{}]:{}", address.ip(), self.port).into();
                    return Ok(Connection { link, channel, relay });
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

    async fn secure(&self, link: Link) -> Result<Link, Attempt> {
        let handshake = self.handshake.as_ref().ok_or_else(|| {
            Attempt::Failed(HopFailure::new(code(4, 7, 4), "TLS is switched off"))
        })?;
        link.secure(handshake, self.timeouts.handshake).await.map_err(|error| {
            let text = format!("TLS handshake failed: {error}");
            Attempt::NoHandshake(HopFailure::new(code(4, 7, 5), text))
        })
    }
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
