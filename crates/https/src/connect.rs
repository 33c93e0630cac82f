//! From a host's name to a connection that speaks HTTP.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use netio::{PeerName, TlsClient};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::HttpsError;
use crate::url::Origin;

/// Octets of an answer's head.
const HEAD_MAX: usize = 16 * 1024;
/// Fields of an answer's head.
const FIELDS_MAX: usize = 64;
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 6;
/// When the next address is tried beside the one that is silent (RFC 8305 section 5).
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// A connection. When it is dropped, its socket is closed whatever the server does.
pub(crate) struct Connection {
    pub(crate) sender: http1::SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Looks the name up, connects, and shakes hands.
pub(crate) async fn connect(
    origin: &Origin,
    tls: Option<&TlsClient>,
    resolves: &Arc<Semaphore>,
) -> Result<Connection, HttpsError> {
    let addresses = resolve(origin, resolves).await?;
    let server = || origin.to_string();
    let stream = race(&addresses)
        .await
        .map_err(|source| HttpsError::Connect { server: server(), source })?;
    // A request is one write; without this it may wait for the server's acknowledgement.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return handshake(stream).await };
    let name = PeerName::parse(&origin.host)
        .ok_or(HttpsError::Url("the URL has no proper host name or address"))?;
    let stream = tls
        .connect(&name, stream)
        .await
        .map_err(|source| HttpsError::Tls { server: server(), source })?;
    handshake(stream).await
}

async fn handshake<S>(stream: S) -> Result<Connection, HttpsError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_MAX)
        .max_headers(FIELDS_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| crate::client::broken(&error))?;
    let task = tokio::spawn(async move {
        // Whoever waits for the answer is told the same.
        let _ = connection.await;
    });
    Ok(Connection { sender, task })
}

/// The addresses of a host. The system's resolver blocks and cannot be stopped: its threads
/// are counted until they end by themselves.
async fn resolve(
    origin: &Origin,
    resolves: &Arc<Semaphore>,
) -> Result<Vec<SocketAddr>, HttpsError> {
    if let Ok(address) = origin.host.parse() {
        return Ok(vec![SocketAddr::new(address, origin.port)]);
    }
    let failed = |source| HttpsError::Resolve { host: origin.host.to_string(), source };
    let permit = Arc::clone(resolves).acquire_owned().await;
    let permit = permit.map_err(|error| failed(io::Error::other(error)))?;
    let (host, port) = (origin.host.to_string(), origin.port);
    let lookup = tokio::task::spawn_blocking(move || {
        let found = (host.as_str(), port).to_socket_addrs();
        drop(permit);
        found.map(|found| found.take(ADDRESSES_MAX).collect::<Vec<_>>())
    });
    let found = lookup.await.map_err(io::Error::other).and_then(|found| found);
    let found = found.map_err(failed)?;
    match found.is_empty() {
        true => Err(failed(io::Error::other("the name has no address"))),
        false => Ok(found),
    }
}

/// The first of the addresses that answers. Each begins when the one before it has failed, or
/// has been silent for a while.
async fn race(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    let mut failure = io::Error::other("there is no address");
    let mut rest = addresses.iter().copied();
    loop {
        let next = rest.next();
        let is_last = next.is_none();
        if let Some(address) = next {
            attempts.spawn(TcpStream::connect(address));
        } else if attempts.is_empty() {
            return Err(failure);
        }
        let ended = match is_last {
            true => attempts.join_next().await,
            false => within(NEXT_AFTER, attempts.join_next()).await,
        };
        match ended {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => failure = error,
            Some(Err(error)) => failure = io::Error::other(error),
            None => {}
        }
    }
}

async fn within<T>(wait: Duration, future: impl Future<Output = Option<T>>) -> Option<T> {
    tokio::time::timeout(wait, future).await.ok().flatten()
}
