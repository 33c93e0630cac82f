//! From an accepted stream to the daemon's handler.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::TcpStream;
use tracing::{debug, error};

use crate::drain::SessionGuard;
use crate::gate::{Refused, Seat};
use crate::{Connection, Drain, ListenConfig, NetError, ServeOptions, TlsMode, proxy};

/// What all sessions of a listener share.
pub(crate) struct Sessions<H>(Arc<Shared<H>>);

struct Shared<H> {
    config: ListenConfig,
    options: ServeOptions,
    drain: Drain,
    handler: H,
}

/// What a session holds as long as it lives, however it ends. Its seat is the connection's.
struct Hold {
    client: SocketAddr,
    _counted: SessionGuard,
}

impl Drop for Hold {
    fn drop(&mut self) {
        // The task that panics takes nobody along; but somebody must hear of it.
        if std::thread::panicking() {
            error!(client = %self.client, "session panicked: this is a defect, please report it");
        }
    }
}

impl<H, F> Sessions<H>
where
    H: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    pub(crate) fn new(
        config: ListenConfig,
        options: ServeOptions,
        drain: Drain,
        handler: H,
    ) -> Self {
        Self(Arc::new(Shared { config, options, drain, handler }))
    }

    /// Lets a connection in and starts its session, or turns it away. Does not wait.
    pub(crate) fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let shared = &self.0;
        let mut seat = match shared.options.gate.enter() {
            Ok(seat) => seat,
            Err(why) => return shared.refuse(&stream, why, peer.ip()),
        };
        if shared.config.proxy_protocol {
            if !shared.trusts(peer.ip()) {
                return shared.options.gate.refused(Refused::Untrusted, peer.ip());
            }
        } else if let Err(why) = seat.claim(peer.ip()) {
            return shared.refuse(&stream, why, peer.ip());
        }
        let hold = Hold { client: peer, _counted: shared.drain.session() };
        tokio::spawn(Arc::clone(shared).run(stream, peer, seat, hold));
    }
}

impl<H, F> Shared<H>
where
    H: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    async fn run(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, seat: Seat, mut hold: Hold) {
        tokio::select! {
            biased;
            () = self.session(stream, peer, seat, &mut hold) => {}
            () = self.drain.aborted() => debug!(client = %peer, "session cut off"),
        }
    }

    async fn session(&self, stream: TcpStream, peer: SocketAddr, seat: Seat, hold: &mut Hold) {
        let connection = if self.needs_preparation() {
            // Boxed: the state of a handshake would otherwise stay in each session's task.
            match Box::pin(self.prepare(stream, peer, seat, hold)).await {
                Some(connection) => connection,
                None => return,
            }
        } else {
            let local = self.local_addr(&stream);
            Connection::assemble(stream, peer, local, true).seated(seat)
        };
        (self.handler)(connection).await;
    }
}

impl<H> Shared<H> {
    fn needs_preparation(&self) -> bool {
        self.config.proxy_protocol || self.config.tls == TlsMode::Implicit
    }

    /// PROXY header, then the limit on the address it named, then TLS.
    async fn prepare(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
        mut seat: Seat,
        hold: &mut Hold,
    ) -> Option<Connection> {
        let limits = self.options.gate.limits();
        let mut client = Some(peer);
        if self.config.proxy_protocol {
            let header = proxy::read_header(&mut stream);
            client = match tokio::time::timeout(limits.proxy_header_timeout, header).await {
                Ok(Ok(client)) => client,
                Ok(Err(error)) => return self.failed(peer, &error),
                Err(_) => return self.failed(peer, &NetError::TimedOut),
            };
            let counted = client.unwrap_or(peer).ip();
            hold.client = client.unwrap_or(peer);
            // A proxy that speaks for itself only asks whether we live: its probes are not held
            // to a client's limit.
            if let Err(why) = client.map_or(Ok(()), |_| seat.claim(counted)) {
                self.refuse(&stream, why, counted);
                return None;
            }
        }
        let local = self.local_addr(&stream);
        let mut connection =
            Connection::assemble(stream, client.unwrap_or(peer), local, client.is_some())
                .seated(seat);
        if let (TlsMode::Implicit, Some(tls)) = (self.config.tls, &self.options.tls) {
            let timeout = limits.handshake_timeout;
            if let Err(error) = connection.start_tls(tls, &mut Vec::new(), timeout).await {
                return self.failed(connection.peer_addr(), &error);
            }
        }
        Some(connection)
    }

    /// Only a wildcard listener must ask which of the host's addresses the client chose.
    fn local_addr(&self, stream: &TcpStream) -> SocketAddr {
        let address = self.config.address;
        if address.ip().is_unspecified() { stream.local_addr().unwrap_or(address) } else { address }
    }

    fn trusts(&self, proxy: IpAddr) -> bool {
        let proxy = proxy.to_canonical();
        self.options.trusted_proxies.iter().any(|net| net.contains(&proxy))
    }

    fn failed(&self, client: SocketAddr, error: &dyn std::error::Error) -> Option<Connection> {
        self.options.gate.handshake_failed();
        debug!(%client, listener = %self.config.address, %error, "connection came to nothing");
        None
    }

    fn refuse(&self, stream: &TcpStream, why: Refused, client: IpAddr) {
        self.options.gate.refused(why, client);
        debug!(%client, listener = %self.config.address, ?why, "refused");
        if self.config.tls == TlsMode::Implicit {
            return;
        }
        // A new socket has room for a line; the runtime does not know yet that it is writable.
        let sent: io::Result<usize> = SockRef::from(stream).send(self.options.busy_line);
        if let Err(error) = sent {
            debug!(%client, %error, "refused without a word");
        }
    }
}
