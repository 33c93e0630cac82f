//! One session with one of the servers.

use std::ops::Range;
use std::time::Duration;

use base64::Engine as _;
use pop3_proto::client::{
    Capabilities, DropListing, LINE_MAX, Numbered, Status, Unstuffed, Unstuffer, command, octets,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::Account;
use super::server::{Security, Server};
use super::side::{Failure, Side, shown};

/// Rows of a listing; an account with more is not compared.
pub(super) const MESSAGES_MAX: usize = 1_000_000;

/// Octets of an id that are kept; RFC 1939 allows 70, and servers differ.
const ID_MAX: usize = 255;

/// Lines of a message that TOP is asked for: all, and still a number for 32-bit servers.
const ALL_LINES: u32 = 999_999_999;

/// Octets that are read at a time.
const BLOCK: usize = 32 << 10;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A message in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) octets: u64,
    /// `None` on a server without UIDL.
    pub(super) id: Option<Box<[u8]>>,
}

/// What a server says of a maildrop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) stat: DropListing,
    pub(super) messages: Vec<Message>,
}

/// A session in the TRANSACTION state.
pub(super) struct Session {
    side: Side,
    stream: Box<dyn Stream>,
    patience: Duration,
    input: Vec<u8>,
    /// Octets of the input that are used up.
    used: usize,
    capabilities: Capabilities,
    body: Unstuffer,
    body_ended: bool,
}

impl Session {
    /// Connects and logs in.
    pub(super) async fn open(
        side: Side,
        server: &Server,
        account: &Account,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let failed = |what: String| Failure::new(side, what);
        let connecting = TcpStream::connect((server.host.as_str(), server.port));
        let tcp = timeout(patience, connecting)
            .await
            .map_err(|_| failed("it cannot be reached in time".into()))?
            .map_err(|error| failed(format!("{}:{}: {error}", server.host, server.port)))?;
        tcp.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        let stream: Box<dyn Stream> = Box::new(tcp);
        let mut session = Self {
            side,
            stream,
            patience,
            input: Vec::new(),
            used: 0,
            capabilities: Capabilities::default(),
            body: Unstuffer::default(),
            body_ended: true,
        };
        if server.security == Security::Implicit {
            session.start_tls(server).await?;
        }
        session.ok("its greeting").await?;
        if server.security == Security::StartTls {
            session.ask_capabilities().await?;
            if !session.capabilities.stls {
                let what = "it does not offer STLS, and the password is not sent in clear \
                            (--cleartext sends it)";
                return Err(session.failure(what));
            }
            session.ask("STLS", "").await?;
            // What came before the handshake was said by whoever stands on the way.
            if session.used < session.input.len() {
                return Err(session.failure("it sent octets in clear behind its answer to STLS"));
            }
            session.start_tls(server).await?;
        }
        session.ask_capabilities().await?;
        session.log_in(account).await?;
        Ok(session)
    }

    async fn start_tls(&mut self, server: &Server) -> Result<(), Failure> {
        let nothing: Box<dyn Stream> = Box::new(tokio::io::empty());
        let clear = std::mem::replace(&mut self.stream, nothing);
        let handshake = server.tls.connect(&server.name, clear);
        let stream = timeout(self.patience, handshake)
            .await
            .map_err(|_| self.failure("no TLS handshake in time"))?
            .map_err(|error| self.failure(&format!("TLS: {error}")))?;
        self.stream = Box::new(stream);
        (self.input, self.used) = (Vec::new(), 0);
        Ok(())
    }

    async fn log_in(&mut self, account: &Account) -> Result<(), Failure> {
        let Account { login, password } = account;
        if !self.capabilities.user && self.capabilities.plain {
            let plain = Zeroizing::new(format!("\0{login}\0{}", password.as_str()));
            let plain = base64::engine::general_purpose::STANDARD.encode(plain.as_bytes());
            self.send("AUTH", &Zeroizing::new(format!("PLAIN {plain}"))).await?;
            return self.ok("AUTH PLAIN").await;
        }
        self.send("USER", login).await?;
        self.ok("USER").await?;
        self.send("PASS", password).await?;
        self.ok("the login").await
    }

    /// STAT, LIST and UIDL.
    pub(super) async fn listing(&mut self) -> Result<Listing, Failure> {
        self.send("STAT", "").await?;
        let line = self.line().await?;
        let stat = match Status::parse(self.slice(line)) {
            Some(Status::Ok(text)) => DropListing::parse(text),
            _ => None,
        };
        let stat = stat.ok_or_else(|| self.failure("its answer to STAT is none"))?;
        let mut messages = Vec::new();
        self.ask("LIST", "").await?;
        self.rows("LIST", |at, value| {
            messages.push(Message { octets: octets(value)?, id: None });
            (messages.len() == at).then_some(())
        })
        .await?;
        self.send("UIDL", "").await?;
        let line = self.line().await?;
        if matches!(Status::parse(self.slice(line)), Some(Status::Ok(_))) {
            let mut known = 0;
            self.rows("UIDL", |at, value| {
                let id = value.get(..ID_MAX).unwrap_or(value);
                messages.get_mut(at - 1)?.id = Some(id.into());
                known = at;
                Some(())
            })
            .await?;
            if known != messages.len() {
                let what = format!("LIST has {} messages and UIDL {known}", messages.len());
                return Err(self.failure(&what));
            }
        } else if self.capabilities.uidl {
            return Err(self.failure("it refuses UIDL"));
        }
        Ok(Listing { stat, messages })
    }

    /// The rows of a listing; `take` gets the number from 1 and what is behind it, and says
    /// `None` if that cannot be.
    async fn rows(
        &mut self,
        of: &str,
        mut take: impl FnMut(usize, &[u8]) -> Option<()>,
    ) -> Result<(), Failure> {
        let mut at = 0;
        loop {
            let line = self.line().await?;
            let line = self.slice(line);
            if line == b"." {
                return Ok(());
            }
            at += 1;
            if at > MESSAGES_MAX {
                let what = format!("more than {MESSAGES_MAX} messages: not compared");
                return Err(self.failure(&what));
            }
            let row = Numbered::parse(line).filter(|row| row.number == at as u64);
            if row.and_then(|row| take(at, row.value)).is_none() {
                let what = format!("{of}: {:?} is no line for message {at}", shown(line));
                return Err(self.failure(&what));
            }
        }
    }

    /// Asks for a message, whose octets then come by [`Session::body`].
    pub(super) async fn fetch(&mut self, number: usize, retr: bool) -> Result<(), Failure> {
        if retr || !self.capabilities.top {
            self.ask("RETR", &number.to_string()).await?;
        } else {
            self.ask("TOP", &format!("{number} {ALL_LINES}")).await?;
        }
        (self.body, self.body_ended) = (Unstuffer::default(), false);
        Ok(())
    }

    /// Appends the next octets of the message to `out`; says `false` at its end.
    pub(super) async fn body(&mut self, out: &mut Vec<u8>) -> Result<bool, Failure> {
        if self.body_ended {
            return Ok(false);
        }
        if self.used == self.input.len() {
            self.fill().await?;
        }
        let chunk = self.input.get(self.used..).unwrap_or_default();
        match self.body.read(chunk, out) {
            Unstuffed::More => self.used = self.input.len(),
            Unstuffed::End { consumed } => {
                self.used += consumed;
                self.body_ended = true;
            }
        }
        Ok(true)
    }

    pub(super) async fn quit(mut self) -> Result<(), Failure> {
        self.ask("QUIT", "").await
    }

    async fn ask_capabilities(&mut self) -> Result<(), Failure> {
        self.capabilities = Capabilities::default();
        self.send("CAPA", "").await?;
        let line = self.line().await?;
        if !matches!(Status::parse(self.slice(line)), Some(Status::Ok(_))) {
            // Servers older than RFC 2449 have these two.
            self.capabilities.user = true;
            return Ok(());
        }
        for _ in 0..200 {
            let line = self.line().await?;
            let Self { input, capabilities, .. } = self;
            match input.get(line).unwrap_or_default() {
                b"." => return Ok(()),
                line => capabilities.line(line),
            }
        }
        Err(self.failure("its answer to CAPA does not end"))
    }

    /// Sends a command that must succeed.
    async fn ask(&mut self, keyword: &str, argument: &str) -> Result<(), Failure> {
        self.send(keyword, argument).await?;
        self.ok(keyword).await
    }

    /// The reply must be `+OK`.
    async fn ok(&mut self, what: &str) -> Result<(), Failure> {
        let line = self.line().await?;
        let line = self.slice(line);
        match Status::parse(line) {
            Some(Status::Ok(_)) => Ok(()),
            Some(_) => Err(self.failure(&format!("it refuses {what}: {}", shown(line)))),
            None => Err(self.failure(&format!("{what} is no POP3: {}", shown(line)))),
        }
    }

    async fn send(&mut self, keyword: &str, argument: &str) -> Result<(), Failure> {
        let mut line = Zeroizing::new(Vec::new());
        command(keyword, argument, &mut line).map_err(|error| self.failure(&error.to_string()))?;
        let sending = async {
            self.stream.write_all(&line).await?;
            self.stream.flush().await
        };
        timeout(self.patience, sending)
            .await
            .map_err(|_| Failure::new(self.side, format!("{keyword} cannot be sent in time")))?
            .map_err(|error| Failure::new(self.side, format!("{keyword} cannot be sent: {error}")))
    }

    /// The next line without its end, as a place in the input.
    async fn line(&mut self) -> Result<Range<usize>, Failure> {
        let mut seen = 0;
        loop {
            let rest = self.input.get(self.used..).unwrap_or_default();
            let fresh = rest.get(seen..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|&octet| octet == b'\n') {
                let (start, end) = (self.used, self.used + seen + end);
                self.used = end + 1;
                let cr = end > start && self.input.get(end - 1) == Some(&b'\r');
                return Ok(start..end - usize::from(cr));
            }
            seen = rest.len();
            if seen > LINE_MAX {
                return Err(self.failure("it sends a line that does not end"));
            }
            self.fill().await?;
        }
    }

    fn slice(&self, line: Range<usize>) -> &[u8] {
        self.input.get(line).unwrap_or_default()
    }

    /// Reads what comes next; forgets what is used up.
    async fn fill(&mut self) -> Result<(), Failure> {
        self.input.drain(..self.used);
        self.used = 0;
        self.input.reserve(BLOCK);
        let read = timeout(self.patience, self.stream.read_buf(&mut self.input)).await;
        match read {
            Err(_) => Err(self.failure(&format!("nothing came for {} s", self.patience.as_secs()))),
            Ok(Err(error)) => Err(self.failure(&error.to_string())),
            Ok(Ok(0)) => Err(self.failure("it closed the connection")),
            Ok(Ok(_)) => Ok(()),
        }
    }

    fn failure(&self, what: &str) -> Failure {
        Failure::new(self.side, what)
    }
}
