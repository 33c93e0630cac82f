//! A next hop that takes everything and hands it over: what the relay delivers to in the demo
//! and in the tests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use textproto::{DataStep, DotReader, Line, LineEnd, LineReader, LoneLf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

const LINE_OCTETS_MAX: usize = 2048;
const MESSAGE_OCTETS_MAX: usize = 64 << 20;
const SESSIONS_MAX: usize = 256;
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// A message that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The argument of `MAIL FROM`, brackets included.
    pub sender: String,
    /// The arguments of `RCPT TO`, brackets included.
    pub recipients: Vec<String>,
    /// The message with CRLF line ends.
    pub content: Vec<u8>,
}

/// Given each message before it is acknowledged.
pub type Handler = Arc<dyn Fn(Received) + Send + Sync>;

/// A listening sink.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    stop: watch::Sender<bool>,
}

impl Sink {
    /// A sink at `address` that logs what arrives.
    ///
    /// # Errors
    /// If the address is taken.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        Self::bind_with(address, Arc::new(|received| log(&received))).await
    }

    /// A sink at `address` that hands over what arrives.
    ///
    /// # Errors
    /// If the address is taken.
    pub async fn bind_with(address: SocketAddr, handler: Handler) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(accept(listener, handler, stopped));
        Ok(Self { address, stop })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the listener and its sessions.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        self.stop.closed().await;
    }
}

fn log(received: &Received) {
    let subject = received
        .content
        .split(|&octet| octet == b'\n')
        .find_map(|line| line.strip_prefix(b"Subject: "))
        .map(|subject| String::from_utf8_lossy(subject).trim().to_owned())
        .unwrap_or_default();
    tracing::info!(
        target: "lastpost::next-hop",
        from = received.sender,
        to = received.recipients.join(","),
        octets = received.content.len(),
        subject,
        "a message arrived"
    );
}

async fn accept(listener: TcpListener, handler: Handler, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(SESSIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        let (Ok((stream, _)), Ok(place)) = (accepted, Arc::clone(&places).try_acquire_owned())
        else {
            continue;
        };
        let handler = Arc::clone(&handler);
        let mut stopped = stopped.clone();
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let session = Session::new(stream, handler);
            tokio::select! {
                // A connection that breaks is its client's affair.
                _ = session.serve() => {}
                _ = stopped.changed() => {}
            }
            drop(place);
        });
    }
}

/// One connection.
struct Session {
    stream: TcpStream,
    handler: Handler,
    input: Vec<u8>,
    output: Vec<u8>,
    lines: LineReader,
    sender: Option<String>,
    recipients: Vec<String>,
}

impl Session {
    fn new(stream: TcpStream, handler: Handler) -> Self {
        Self {
            stream,
            handler,
            input: Vec::new(),
            output: b"220 sink.lastpost.example ESMTP\r\n".to_vec(),
            lines: LineReader::new(LINE_OCTETS_MAX, LineEnd::Crlf),
            sender: None,
            recipients: Vec::new(),
        }
    }

    async fn serve(mut self) -> std::io::Result<()> {
        loop {
            let mut taken = 0;
            let mut data = false;
            let mut end = false;
            while !data && !end {
                match self.lines.next_line(&self.input[taken..]) {
                    Line::Whole { line, consumed } => {
                        let line = String::from_utf8_lossy(line).into_owned();
                        taken += consumed;
                        match self.command(&line) {
                            Next::Command => {}
                            Next::Data => data = true,
                            Next::Quit => end = true,
                        }
                    }
                    Line::TooLong { consumed } => {
                        taken += consumed;
                        self.output.extend_from_slice(b"500 line too long\r\n");
                    }
                    Line::More { consumed } => {
                        taken += consumed;
                        break;
                    }
                }
            }
            self.input.drain(..taken);
            self.stream.write_all(&self.output).await?;
            self.output.clear();
            if end {
                return self.stream.shutdown().await;
            }
            if data {
                self.receive().await?;
            } else {
                self.fill().await?;
            }
        }
    }

    async fn fill(&mut self) -> std::io::Result<()> {
        let read = timeout(IDLE_TIMEOUT, self.stream.read_buf(&mut self.input)).await??;
        if read == 0 { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn command(&mut self, line: &str) -> Next {
        let upper = line.to_ascii_uppercase();
        let reply = match upper.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => {
                "250-sink.lastpost.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
            }
            "HELO" | "NOOP" | "RSET" => {
                self.reset();
                "250 2.0.0 fine\r\n"
            }
            "MAIL" => {
                self.reset();
                self.sender = Some(path(line));
                "250 2.1.0 fine\r\n"
            }
            "RCPT" if self.sender.is_some() => {
                self.recipients.push(path(line));
                "250 2.1.5 fine\r\n"
            }
            "DATA" if !self.recipients.is_empty() => {
                self.output.extend_from_slice(b"354 go on\r\n");
                return Next::Data;
            }
            "RCPT" | "DATA" => "503 5.5.1 not now\r\n",
            "QUIT" => {
                self.output.extend_from_slice(b"221 2.0.0 bye\r\n");
                return Next::Quit;
            }
            _ => "502 5.5.1 unknown\r\n",
        };
        self.output.extend_from_slice(reply.as_bytes());
        Next::Command
    }

    fn reset(&mut self) {
        self.sender = None;
        self.recipients.clear();
    }

    async fn receive(&mut self) -> std::io::Result<()> {
        let mut reader = DotReader::new(LoneLf::Reject);
        let mut content = Vec::new();
        loop {
            match reader.read(&self.input, &mut content) {
                DataStep::More => self.input.clear(),
                DataStep::End { consumed, fault } => {
                    self.input.drain(..consumed);
                    self.finish(content, fault.is_some());
                    return Ok(());
                }
            }
            if content.len() > MESSAGE_OCTETS_MAX {
                return Err(std::io::ErrorKind::FileTooLarge.into());
            }
            self.fill().await?;
        }
    }

    fn finish(&mut self, content: Vec<u8>, faulty: bool) {
        let sender = self.sender.take().unwrap_or_default();
        let recipients = std::mem::take(&mut self.recipients);
        if faulty {
            self.output.extend_from_slice(b"550 5.5.2 a lone CR or LF\r\n");
            return;
        }
        (self.handler)(Received { sender, recipients, content });
        self.output.extend_from_slice(b"250 2.0.0 taken\r\n");
    }
}

enum Next {
    Command,
    Data,
    Quit,
}

/// The path of a MAIL or RCPT command, brackets included.
fn path(line: &str) -> String {
    let from = line.find('<').unwrap_or(line.len());
    let to = line.rfind('>').map_or(line.len(), |at| at + 1);
    line.get(from..to).unwrap_or_default().to_owned()
}
