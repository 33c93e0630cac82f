//! The octets between us and a next hop, each wait with its end.

use std::future::Future;
use std::io;
use std::path::Path;
use std::time::Duration;

use smtp_proto::client::ReplyReader;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::client::TlsStream;

use super::failure::HopFailure;
use super::tls::Handshake;

/// Octets read at a time: replies are short.
const READ: usize = 4096;

/// A connection.
pub(super) struct Link {
    stream: Stream,
    /// What was read and not yet understood.
    pub(super) replies: ReplyReader,
    buffer: Box<[u8; READ]>,
}

enum Stream {
    Clear(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
    /// To a server on this host, in the file system.
    Local(UnixStream),
}

impl Link {
    /// Over a connection.
    pub(super) fn over(stream: TcpStream) -> Self {
        Self::of(Stream::Clear(stream))
    }

    /// Over a socket in the file system.
    pub(super) async fn local(path: &Path, limit: Duration) -> Result<Self, HopFailure> {
        match timeout(limit, UnixStream::connect(path)).await {
            Ok(connected) => Ok(Self::of(Stream::Local(connected.map_err(HopFailure::no_answer)?))),
            Err(_) => Err(HopFailure::no_answer("no answer to the connection request")),
        }
    }

    fn of(stream: Stream) -> Self {
        Self { stream, replies: ReplyReader::new(), buffer: Box::new([0; READ]) }
    }

    /// Shakes hands for TLS. What was read in clear is gone.
    pub(super) async fn secure(
        self,
        handshake: &Handshake,
        limit: Duration,
    ) -> Result<Self, io::Error> {
        let Stream::Clear(stream) = self.stream else {
            return Err(io::Error::other("no TLS over this connection"));
        };
        let connect = handshake.client.connect(&handshake.name, stream);
        let stream = within(limit, "the TLS handshake", connect).await?;
        let stream = Stream::Secure(Box::new(stream));
        Ok(Self { stream, replies: ReplyReader::new(), buffer: self.buffer })
    }

    /// Whether it is under TLS.
    pub(super) fn is_secure(&self) -> bool {
        matches!(self.stream, Stream::Secure(_))
    }

    /// Waits for octets and hands them to the reader of replies. Cancelled, it loses nothing.
    pub(super) async fn fill(&mut self, deadline: Instant) -> Result<(), HopFailure> {
        let buffer = self.buffer.as_mut_slice();
        let read = async {
            match &mut self.stream {
                Stream::Clear(stream) => stream.read(buffer).await,
                Stream::Secure(stream) => stream.read(buffer).await,
                Stream::Local(stream) => stream.read(buffer).await,
            }
        };
        let length = match timeout_at(deadline, read).await {
            Ok(Ok(0)) => return Err(HopFailure::lost("the other side closed the connection")),
            Ok(Ok(length)) => length,
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(HopFailure::lost("no reply in time")),
        };
        self.replies.feed(&self.buffer[..length]);
        Ok(())
    }

    /// Sends `octets`, all of them within `limit`, and empties the buffer.
    pub(super) async fn send(
        &mut self,
        octets: &mut Vec<u8>,
        limit: Duration,
    ) -> Result<(), HopFailure> {
        let sent = self.send_slice(octets, limit).await;
        octets.clear();
        sent
    }

    /// Sends `octets`, all of them within `limit`.
    pub(super) async fn send_slice(
        &mut self,
        octets: &[u8],
        limit: Duration,
    ) -> Result<(), HopFailure> {
        let write = async {
            match &mut self.stream {
                Stream::Clear(stream) => stream.write_all(octets).await,
                Stream::Local(stream) => stream.write_all(octets).await,
                Stream::Secure(stream) => {
                    stream.write_all(octets).await?;
                    stream.flush().await
                }
            }
        };
        Ok(within(limit, "sending", write).await?)
    }

    /// Closes it in order, if that does not take long.
    pub(super) async fn close(mut self, limit: Duration) {
        let shutdown = async {
            match &mut self.stream {
                Stream::Clear(stream) => stream.shutdown().await,
                Stream::Secure(stream) => stream.shutdown().await,
                Stream::Local(stream) => stream.shutdown().await,
            }
        };
        // The connection is over either way.
        let _ = timeout(limit, shutdown).await;
    }
}

/// `future`, with the time limit as an error that says what took too long.
async fn within<T>(
    limit: Duration,
    doing: &str,
    future: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("{doing} took too long"));
    timeout(limit, future).await.map_err(late)?
}
