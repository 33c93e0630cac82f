//! A listening socket, and the loop that accepts from it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpListener;
use tracing::{debug, warn};

use crate::pace::UNSENT_OCTETS;
use crate::session::Sessions;
use crate::{Connection, Drain, Gate, ListenConfig, ServeError, Tls, TlsMode};

/// Connections that wait to be accepted; the system may allow fewer (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;
/// A client that has vanished is noticed after about four minutes.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(120);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_PROBES: u32 = 4;
/// Pauses after a failure to accept that will not pass by itself.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A bound socket. It can be made before there is a runtime, and before privileges are given
/// up.
#[derive(Debug)]
pub struct Listener {
    socket: std::net::TcpListener,
    config: ListenConfig,
}

/// What a listener needs to serve, beside its configuration.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Counts the sessions; listeners that share it share its limits.
    pub gate: Gate,
    /// Certificates; needed unless the listener's TLS mode is `none`.
    pub tls: Option<Tls>,
    /// What a client is told that is turned away for want of room, line end included, such as
    /// `-ERR [SYS/TEMP] Too many sessions\r\n`. Not sent where TLS is implicit.
    pub busy_line: &'static [u8],
    /// Who may send PROXY headers, where the listener expects them.
    pub trusted_proxies: Arc<[IpNet]>,
}

impl ServeOptions {
    /// Whether a listener with this configuration could serve.
    ///
    /// # Errors
    /// What is missing, and in which key.
    pub fn check(&self, config: &ListenConfig) -> Result<(), ServeError> {
        if config.tls != TlsMode::None && self.tls.is_none() {
            return Err(ServeError::NoCertificate { address: config.address });
        }
        if config.proxy_protocol && self.trusted_proxies.is_empty() {
            return Err(ServeError::NoTrustedProxy { address: config.address });
        }
        Ok(())
    }
}

impl Listener {
    /// Binds the configured address and listens.
    ///
    /// # Errors
    /// What the system said, such as `AddrInUse` or `PermissionDenied`.
    pub fn bind(config: &ListenConfig) -> io::Result<Self> {
        let address = config.address;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // Old connections in TIME_WAIT must not keep a restarted daemon from its port.
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Self::from_std(socket.into(), config)
    }

    /// A listener on a socket that already listens: one that the service manager passed.
    /// The configured address is not looked at.
    ///
    /// # Errors
    /// If the descriptor is no TCP socket.
    pub fn from_std(socket: std::net::TcpListener, config: &ListenConfig) -> io::Result<Self> {
        let options = SockRef::from(&socket);
        // Linux passes these on to each accepted socket, which saves system calls there.
        options.set_tcp_nodelay(true)?;
        options.set_tcp_notsent_lowat(UNSENT_OCTETS)?;
        options.set_tcp_keepalive(
            &TcpKeepalive::new()
                .with_time(KEEPALIVE_IDLE)
                .with_interval(KEEPALIVE_INTERVAL)
                .with_retries(KEEPALIVE_PROBES),
        )?;
        socket.set_nonblocking(true)?;
        let config = ListenConfig { address: socket.local_addr()?, ..config.clone() };
        Ok(Self { socket, config })
    }

    /// The address in use; its port is known even if port 0 was configured.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.config.address
    }

    /// Accepts connections and runs `handler` for each, in a task of its own, until `drain`
    /// is requested; then the socket is closed, while sessions go on. A handler that panics
    /// ends its own session alone. One that is still running at the drain's deadline is
    /// dropped where it waits.
    ///
    /// # Errors
    /// Before the first connection, if something is missing. Failures to accept, such as
    /// descriptors running out, are logged and waited out.
    pub async fn serve<H, F>(
        self,
        options: ServeOptions,
        drain: Drain,
        handler: H,
    ) -> Result<(), ServeError>
    where
        H: Fn(Connection) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        options.check(&self.config)?;
        let address = self.config.address;
        let listener = TcpListener::from_std(self.socket)
            .map_err(|source| ServeError::Io { address, source })?;
        debug!(%address, tls = ?self.config.tls, proxy = self.config.proxy_protocol, "listening");
        let sessions = Sessions::new(self.config, options, drain.clone(), handler);
        let mut pause = PAUSE_MIN;
        let requested = drain.requested();
        tokio::pin!(requested);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut requested => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    pause = PAUSE_MIN;
                    sessions.admit(stream, peer);
                }
                Err(error) if concerns_one_client(&error) => {}
                Err(error) => {
                    warn!(%address, %error, pause_ms = pause.as_millis(), "cannot accept");
                    tokio::select! {
                        () = &mut requested => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
        debug!(%address, "no longer listening");
        Ok(())
    }
}

/// Whether the next connection may well be accepted: Linux reports through `accept` what
/// happened to a client that has already gone (accept(2), "Error handling").
fn concerns_one_client(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::Interrupted
            | Kind::TimedOut
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_sockets_inherit_the_options() {
        let config = ListenConfig {
            address: "127.0.0.1:0".parse().unwrap(),
            tls: TlsMode::None,
            proxy_protocol: false,
        };
        let listener = Listener::bind(&config).unwrap();
        assert_ne!(listener.local_addr().port(), 0);
        let _client = std::net::TcpStream::connect(listener.local_addr()).unwrap();
        let (accepted, _) = listener.socket.accept().unwrap();
        let options = SockRef::from(&accepted);
        assert!(options.tcp_nodelay().unwrap());
        assert!(options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
        assert_eq!(options.tcp_notsent_lowat().unwrap(), UNSENT_OCTETS);
    }

    #[test]
    fn configuration_is_read_and_unknown_keys_are_not() {
        // Any serde format will do; this is how the values look in the file.
        let listen = |address: &str, rest: &[(&str, &str)]| {
            use serde::Deserialize;
            use serde::de::value::{Error, MapDeserializer};
            let pairs = std::iter::once(("address", address)).chain(rest.iter().copied());
            ListenConfig::deserialize(MapDeserializer::<_, Error>::new(pairs))
        };
        let config = listen("[::1]:995", &[("tls", "implicit")]).unwrap();
        assert_eq!((config.tls, config.proxy_protocol), (TlsMode::Implicit, false));
        assert_eq!(listen("127.0.0.1:110", &[]).unwrap().tls, TlsMode::Starttls);
        assert!(listen("127.0.0.1", &[]).is_err());
        assert!(listen("127.0.0.1:110", &[("tls", "maybe")]).is_err());
        assert!(listen("127.0.0.1:110", &[("tsl", "none")]).is_err());
    }
}
