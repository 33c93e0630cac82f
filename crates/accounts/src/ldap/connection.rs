//! One connection to a directory server: one request after the other, answers bounded.

use std::io;
use std::time::Duration;

use netio::TlsClient;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use zeroize::Zeroizing;

use super::ber::{self, BerError};
use super::message::{self, Entry, Message, Outcome, Search};
use super::server::{Place, Security, Server};

/// Longest message that a server may send, in octets.
const MESSAGE_MAX: usize = 1 << 20;
/// Most octets of all entries that one search may bring.
const ANSWER_MAX: usize = 16 << 20;
/// Requests on one connection, after which another is opened: so that a server that came back
/// gets its share again.
const REQUESTS_MAX: u32 = 10_000;

/// What became of a connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("nonsense from the server: {0}")]
    Nonsense(String),
    #[error("no answer within {0:?}")]
    Slow(Duration),
    #[error("an answer of more than {limit} octets, values or entries")]
    TooMuch { limit: usize },
    #[error("{}", .0.describe())]
    Refused(Outcome),
    #[error("StartTLS: {}", .0.describe())]
    NoTls(Outcome),
    #[error("bind as {dn:?}: {}", .outcome.describe())]
    NotBound { dn: String, outcome: Outcome },
}

impl From<BerError> for Problem {
    fn from(error: BerError) -> Self {
        match error {
            BerError::TooLong { limit } => Self::TooMuch { limit },
            error => Self::Nonsense(error.to_string()),
        }
    }
}

impl Problem {
    /// Whether only this question has it, and the server is well.
    pub(super) fn is_of_request(&self) -> bool {
        matches!(self, Self::TooMuch { .. })
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// What a search brought.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    pub(super) outcome: Outcome,
    /// Where the next page begins; empty after the last.
    pub(super) cookie: Option<Vec<u8>>,
}

/// A connection. One whose request did not come to its end must not be used again.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    /// What was received and not read yet.
    buffer: Zeroizing<Vec<u8>>,
    /// The number of the last request.
    id: u32,
    /// Which server of the configuration it is of.
    pub(super) server: usize,
}

impl Connection {
    /// Connects, with TLS if the server is to have it. The caller limits how long that takes.
    pub(super) async fn open(
        server: &Server,
        position: usize,
        tls: &TlsClient,
    ) -> Result<Self, Problem> {
        let clear = |stream| Self::over(stream, position);
        let (host, port, peer) = match &server.place {
            Place::Unix(path) => return Ok(clear(Box::new(UnixStream::connect(path).await?))),
            Place::Tcp { host, port, peer } => (host.as_str(), *port, peer),
        };
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        match server.security {
            Security::Clear => Ok(clear(Box::new(stream))),
            Security::Tls => Ok(clear(Box::new(tls.connect(peer, stream).await?))),
            Security::StartTls => {
                let stream = Self::start_tls(stream).await?;
                Ok(clear(Box::new(tls.connect(peer, stream).await?)))
            }
        }
    }

    fn over(stream: Box<dyn Stream>, server: usize) -> Self {
        Self { stream, buffer: Zeroizing::default(), id: 0, server }
    }

    /// Asks for TLS; the stream is then ready for the handshake.
    async fn start_tls(mut stream: TcpStream) -> Result<TcpStream, Problem> {
        let mut buffer = Zeroizing::default();
        write(&mut stream, &message::start_tls(1)).await?;
        let (_, _, answer) = receive(&mut stream, &mut buffer).await?;
        match answer {
            // Whoever sent octets behind the answer wants them taken for protected ones.
            _ if !buffer.is_empty() => Err(Problem::Nonsense("octets before TLS".to_owned())),
            Message::Extended(outcome) if outcome.code == Outcome::SUCCESS => Ok(stream),
            Message::Extended(outcome) => Err(Problem::NoTls(outcome)),
            Message::Notice => Err(Problem::Closed),
            _ => Err(Problem::Nonsense("no answer to StartTLS".to_owned())),
        }
    }

    /// Whether it has served so much that the next request should have another one.
    pub(super) fn is_worn(&self) -> bool {
        self.id >= REQUESTS_MAX
    }

    /// Says goodbye, without waiting for anything.
    pub(super) fn close(mut self) {
        let octets = message::unbind(self.id.saturating_add(1));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = std::pin::Pin::new(&mut self.stream).poll_write(&mut context, &octets);
    }

    /// A simple bind. `dn` and `password` are not empty.
    pub(super) async fn bind(&mut self, dn: &str, password: &[u8]) -> Result<Outcome, Problem> {
        self.id += 1;
        write(&mut self.stream, &message::bind(self.id, dn, password)).await?;
        loop {
            match self.answer().await?.1 {
                Message::Bound(outcome) => return Ok(outcome),
                Message::Intermediate => {}
                _ => return Err(Problem::Nonsense("no answer to a bind".to_owned())),
            }
        }
    }

    /// A search that may bring at most `entries_max` entries.
    pub(super) async fn search(
        &mut self,
        search: &Search<'_>,
        entries_max: usize,
    ) -> Result<Found, Problem> {
        self.id += 1;
        write(&mut self.stream, &message::search(self.id, search)).await?;
        let mut entries = Vec::new();
        let mut octets = 0;
        loop {
            let (length, message) = self.answer().await?;
            octets += length;
            match message {
                Message::Entry(_) if entries.len() >= entries_max => {
                    return Err(Problem::TooMuch { limit: entries_max });
                }
                _ if octets > ANSWER_MAX => return Err(Problem::TooMuch { limit: ANSWER_MAX }),
                Message::Entry(entry) => entries.push(entry),
                Message::Done { outcome, cookie } => {
                    return Ok(Found { entries, outcome, cookie });
                }
                Message::Reference | Message::Intermediate => {}
                _ => return Err(Problem::Nonsense("no answer to a search".to_owned())),
            }
        }
    }

    /// The next message, which must be for the request under way, and its length.
    async fn answer(&mut self) -> Result<(usize, Message), Problem> {
        match receive(&mut self.stream, &mut self.buffer).await? {
            (_, _, Message::Notice) => Err(Problem::Closed),
            (length, id, message) if id == self.id => Ok((length, message)),
            (_, id, _) => Err(Problem::Nonsense(format!("an answer to request {id}"))),
        }
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), octets: &[u8]) -> Result<(), Problem> {
    stream.write_all(octets).await?;
    Ok(stream.flush().await?)
}

/// Reads one message: its length, the number of its request, and what it is. What was received
/// behind it stays in `buffer`.
async fn receive(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> Result<(usize, u32, Message), Problem> {
    loop {
        if let Some((skip, length)) = ber::header(buffer, MESSAGE_MAX)?
            && let Some(octets) = buffer.get(..skip + length)
        {
            let (id, message) = message::read(octets)?;
            buffer.drain(..skip + length);
            return Ok((skip + length, id, message));
        }
        buffer.reserve(4096);
        if stream.read_buf(buffer).await? == 0 {
            return Err(Problem::Closed);
        }
    }
}

#[cfg(test)]
mod tests;
