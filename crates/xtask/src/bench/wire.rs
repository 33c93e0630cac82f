//! A connection that speaks lines.

use std::net::SocketAddr;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;

use super::{BenchError, tls};

/// Longer lines are the server's mistake.
const LINE_MAX: usize = 64 * 1024;
const READ: usize = 64 * 1024;

enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A client's connection.
pub(super) struct Connection {
    stream: Stream,
    input: Vec<u8>,
    at: usize,
}

/// A multi-line answer, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Body {
    /// Octets of the message: with CRLF, without doubled dots and the last line.
    pub(super) octets: u64,
    pub(super) lines: u64,
}

impl Connection {
    pub(super) async fn open(addr: SocketAddr) -> Result<Self, BenchError> {
        let stream = TcpStream::connect(addr).await.map_err(BenchError::io("connecting"))?;
        stream.set_nodelay(true).map_err(BenchError::io("connecting"))?;
        Ok(Self::over(stream))
    }

    /// A connection on which at most some `room` octets wait to be read.
    pub(super) async fn open_narrow(addr: SocketAddr, room: u32) -> Result<Self, BenchError> {
        let connecting = || BenchError::io("connecting");
        let socket = match addr {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        };
        let socket = socket.map_err(connecting())?;
        socket.set_recv_buffer_size(room).map_err(connecting())?;
        let stream = socket.connect(addr).await.map_err(connecting())?;
        stream.set_nodelay(true).map_err(connecting())?;
        Ok(Self::over(stream))
    }

    pub(super) fn over(stream: TcpStream) -> Self {
        Self { stream: Stream::Clear(stream), input: Vec::new(), at: 0 }
    }

    /// Goes on under TLS.
    pub(super) async fn start_tls(self) -> Result<Self, BenchError> {
        if self.at < self.input.len() {
            return Err(BenchError::Wrong("the server spoke before the TLS handshake".into()));
        }
        let Stream::Clear(stream) = self.stream else {
            return Err(BenchError::Usage("the connection is under TLS already".into()));
        };
        let name = ServerName::try_from("localhost")
            .map_err(|error| BenchError::Usage(error.to_string()))?;
        let stream = tls::connector()?
            .connect(name, stream)
            .await
            .map_err(BenchError::io("TLS handshake"))?;
        Ok(Self { stream: Stream::Tls(Box::new(stream)), input: self.input, at: self.at })
    }

    pub(super) async fn send(&mut self, octets: &[u8]) -> Result<(), BenchError> {
        let sent = match &mut self.stream {
            Stream::Clear(stream) => stream.write_all(octets).await,
            Stream::Tls(stream) => match stream.write_all(octets).await {
                Ok(()) => stream.flush().await,
                failed => failed,
            },
        };
        sent.map_err(BenchError::io("sending"))
    }

    /// The next line without its end.
    pub(super) async fn line(&mut self) -> Result<String, BenchError> {
        let octets = self.raw_line().await?;
        Ok(String::from_utf8_lossy(octets).into_owned())
    }

    /// Counts a multi-line answer (RFC 1939 section 3) up to its last line, and checks that each
    /// line ends with CRLF.
    pub(super) async fn body(&mut self) -> Result<Body, BenchError> {
        let mut body = Body::default();
        loop {
            let line = self.raw_line().await?;
            let length = match line {
                b"." => return Ok(body),
                [b'.', rest @ ..] => rest.len(),
                line => line.len(),
            };
            body.octets += length as u64 + 2;
            body.lines += 1;
        }
    }

    /// Takes in at most `octets`, whatever they say; how many it were.
    pub(super) async fn sip(&mut self, octets: usize) -> Result<usize, BenchError> {
        let waiting = self.pending().len().min(octets);
        if waiting > 0 {
            self.take(waiting);
            return Ok(waiting);
        }
        let mut block = vec![0; octets];
        let read = match &mut self.stream {
            Stream::Clear(stream) => stream.read(&mut block).await,
            Stream::Tls(stream) => stream.read(&mut block).await,
        };
        match read.map_err(BenchError::io("receiving"))? {
            0 => Err(BenchError::Closed),
            read => Ok(read),
        }
    }

    /// All lines of a multi-line answer.
    pub(super) async fn listing(&mut self) -> Result<Vec<String>, BenchError> {
        let mut lines = Vec::new();
        loop {
            match self.line().await? {
                end if end == "." => return Ok(lines),
                line => lines.push(line),
            }
        }
    }

    /// Gives the buffer back, for connections that only stay.
    pub(super) fn rest(&mut self) {
        self.input = Vec::new();
        self.at = 0;
    }

    /// Raw octets up to the end of the connection or `limit`; for the sink.
    pub(super) async fn more(&mut self) -> Result<&[u8], BenchError> {
        self.fill().await?;
        Ok(self.input.get(self.at..).unwrap_or_default())
    }

    pub(super) fn pending(&self) -> &[u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    pub(super) fn take(&mut self, octets: usize) {
        self.at = (self.at + octets).min(self.input.len());
    }

    pub(super) async fn raw_line(&mut self) -> Result<&[u8], BenchError> {
        let mut searched = 0;
        let length = loop {
            let pending = self.input.get(self.at..).unwrap_or_default();
            let fresh = pending.get(searched..).unwrap_or_default();
            if let Some(found) = memchr::memchr(b'\n', fresh) {
                break searched + found;
            }
            searched = pending.len();
            if searched > LINE_MAX {
                return Err(BenchError::Wrong(format!("a line of more than {LINE_MAX} octets")));
            }
            self.fill().await?;
        };
        let line = self.input.get(self.at..self.at + length).unwrap_or_default();
        self.at += length + 1;
        line.strip_suffix(b"\r")
            .ok_or_else(|| BenchError::Wrong("a line that ends with LF alone".into()))
    }

    async fn fill(&mut self) -> Result<(), BenchError> {
        if self.at > 0 {
            self.input.drain(..self.at);
            self.at = 0;
        }
        self.input.reserve(READ);
        let read = match &mut self.stream {
            Stream::Clear(stream) => stream.read_buf(&mut self.input).await,
            Stream::Tls(stream) => stream.read_buf(&mut self.input).await,
        };
        match read.map_err(BenchError::io("receiving"))? {
            0 => Err(BenchError::Closed),
            _ => Ok(()),
        }
    }
}
