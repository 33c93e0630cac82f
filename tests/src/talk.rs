//! A client that speaks lines: from any loopback address, in clear or under TLS.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use rustls::pki_types::ServerName;
use socket2::{Domain, Socket, Type};

/// Longer than any reply takes, even on a busy machine; a test that waits this long fails.
const PATIENCE: Duration = Duration::from_secs(30);

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// One connection of a client.
pub struct Talk {
    stream: Box<dyn Stream>,
    tcp: TcpStream,
    input: Vec<u8>,
    /// What was said so far, for the message of a failing test.
    said: String,
}

impl Talk {
    /// Connects from 127.0.0.1.
    #[must_use]
    pub fn connect(to: SocketAddr) -> Self {
        Self::connect_from(to, Ipv4Addr::LOCALHOST.into())
    }

    /// Connects from a given loopback address: a customer behind it, or his neighbour.
    #[must_use]
    pub fn connect_from(to: SocketAddr, from: IpAddr) -> Self {
        Self::try_connect_from(to, from).expect("the daemon accepts connections")
    }

    /// As [`Talk::connect_from`], for daemons that may be away.
    ///
    /// # Errors
    /// If nobody listens.
    pub fn try_connect_from(to: SocketAddr, from: IpAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        if to.is_ipv4() == from.is_ipv4() {
            socket.bind(&SocketAddr::new(from, 0).into())?;
        }
        socket.connect_timeout(&to.into(), PATIENCE)?;
        let tcp: TcpStream = socket.into();
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        tcp.set_nodelay(true)?;
        let stream = Box::new(tcp.try_clone()?);
        Ok(Self { stream, tcp, input: Vec::new(), said: String::new() })
    }

    /// Connects and begins with TLS, as on ports 995 and 465.
    #[must_use]
    pub fn connect_tls(to: SocketAddr, from: IpAddr) -> Self {
        let mut talk = Self::connect_from(to, from);
        talk.start_tls();
        talk
    }

    /// Goes on under TLS; any certificate will do, for the tests make their own.
    pub fn start_tls(&mut self) {
        let tcp = self.tcp.try_clone().expect("a socket can be cloned");
        let name = ServerName::try_from("localhost").expect("a name");
        let config = xtask::bench::tls::any_certificate().expect("a client's configuration");
        let session =
            rustls::ClientConnection::new(Arc::new(config), name).expect("a client session");
        self.stream = Box::new(rustls::StreamOwned::new(session, tcp));
        self.input.clear();
        self.said.push_str("-- TLS --\n");
    }

    /// As [`Talk::start_tls`], offering the protocols `alpn` (RFC 7301); the one agreed on, once
    /// the hands are shaken.
    ///
    /// # Errors
    /// If the daemon refuses the handshake.
    pub fn try_start_tls(&mut self, alpn: &[&[u8]]) -> io::Result<Option<Vec<u8>>> {
        let mut tcp = self.tcp.try_clone()?;
        let name = ServerName::try_from("localhost").expect("a name");
        let mut config = xtask::bench::tls::any_certificate().expect("a client's configuration");
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let mut session =
            rustls::ClientConnection::new(Arc::new(config), name).expect("a client session");
        while session.is_handshaking() {
            session.complete_io(&mut tcp)?;
        }
        let agreed = session.alpn_protocol().map(<[u8]>::to_vec);
        self.stream = Box::new(rustls::StreamOwned::new(session, tcp));
        self.input.clear();
        self.said.push_str("-- TLS --\n");
        Ok(agreed)
    }

    /// As [`Talk::start_tls`], as a client of this kind; the session's channel binding, which is
    /// `tls-exporter` (RFC 9266 section 2).
    ///
    /// # Errors
    /// If the daemon refuses the handshake.
    pub fn start_tls_as(&mut self, config: rustls::ClientConfig) -> io::Result<[u8; 32]> {
        let mut tcp = self.tcp.try_clone()?;
        let name = ServerName::try_from("localhost").expect("a name");
        let mut session =
            rustls::ClientConnection::new(Arc::new(config), name).expect("a client session");
        while session.is_handshaking() {
            session.complete_io(&mut tcp)?;
        }
        let label = b"EXPORTER-Channel-Binding";
        let binding = session.export_keying_material([0; 32], label, Some(b""));
        let binding = binding.map_err(io::Error::other)?;
        self.stream = Box::new(rustls::StreamOwned::new(session, tcp));
        self.input.clear();
        self.said.push_str("-- TLS --\n");
        Ok(binding)
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.try_send_raw(bytes).expect("the daemon still reads");
    }

    /// As [`Talk::send_raw`], where the daemon may have closed.
    ///
    /// # Errors
    /// If the connection is closed.
    pub fn try_send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Sends a line.
    pub fn send(&mut self, line: &str) {
        self.said.push_str(&format!("C: {line}\n"));
        self.send_raw(format!("{line}\r\n").as_bytes());
    }

    /// Reads one line, without its ending.
    pub fn line(&mut self) -> String {
        match self.try_line() {
            Ok(Some(line)) => line,
            Ok(None) => panic!("the daemon closed the connection after:\n{}", self.said),
            Err(error) => panic!("{error} after:\n{}", self.said),
        }
    }

    /// Reads one line; `None` at the end of the connection.
    ///
    /// # Errors
    /// If reading fails or takes too long.
    pub fn try_line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.input.iter().position(|&octet| octet == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
                self.said.push_str(&format!("S: {line}\n"));
                return Ok(Some(line));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn fill(&mut self) -> io::Result<bool> {
        let mut block = [0_u8; 64 << 10];
        let read = match self.stream.read(&mut block) {
            Ok(read) => read,
            // The end of a connection has several faces.
            Err(error) if is_end(&error) => 0,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return self.fill(),
            Err(error) => return Err(error),
        };
        self.input.extend_from_slice(&block[..read]);
        Ok(read > 0)
    }

    /// Sends a line and reads the reply, all lines of it for SMTP.
    pub fn ask(&mut self, line: &str) -> String {
        self.send(line);
        self.reply()
    }

    /// Reads a reply: one line for POP3, all of `250-` to `250 ` for SMTP.
    pub fn reply(&mut self) -> String {
        let mut reply = self.line();
        let mut last = reply.clone();
        while is_continued(&last) {
            last = self.line();
            reply.push('\n');
            reply.push_str(&last);
        }
        reply
    }

    /// Sends a line; the reply must begin so.
    pub fn expect(&mut self, line: &str, begins: &str) -> String {
        self.send(line);
        self.expect_reply(begins)
    }

    /// The next reply must begin so.
    pub fn expect_reply(&mut self, begins: &str) -> String {
        let reply = self.reply();
        assert!(reply.starts_with(begins), "expected {begins:?} at the end of:\n{}", self.said);
        reply
    }

    /// Logs in by AUTH PLAIN; the last reply.
    pub fn auth_plain(&mut self, login: &str, password: &str) -> String {
        let plain =
            base64::engine::general_purpose::STANDARD.encode(format!("\0{login}\0{password}"));
        self.ask(&format!("AUTH PLAIN {plain}"))
    }

    /// Sends `DATA` and a small message that says it is `from`; the last reply.
    pub fn message(&mut self, from: &str) -> String {
        self.expect("DATA", "354");
        self.send(&format!("From: <{from}>"));
        self.send("Subject: hello");
        self.send("");
        self.send("text");
        self.ask(".")
    }

    /// Reads the lines of a multi-line POP3 answer, unstuffed, without the final dot.
    pub fn multiline(&mut self) -> Vec<u8> {
        let mut content = Vec::new();
        loop {
            while !self.input.contains(&b'\n') {
                assert!(self.fill().expect("readable"), "cut off after:\n{}", self.said);
            }
            let end = self.input.iter().position(|&octet| octet == b'\n').expect("a line");
            let line: Vec<u8> = self.input.drain(..=end).collect();
            if line == b".\r\n" {
                return content;
            }
            content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    /// Reads octets as they come, up to and including `end`.
    pub fn octets_until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut from = 0;
        loop {
            let found = self.input[from..].windows(end.len()).position(|octets| octets == end);
            if let Some(at) = found {
                return self.input.drain(..from + at + end.len()).collect();
            }
            // An end that came in part is looked at again.
            from = self.input.len().saturating_sub(end.len());
            assert!(self.fill().expect("readable"), "cut off after:\n{}", self.said);
        }
    }

    /// Reads octets until the daemon closes.
    ///
    /// # Errors
    /// If it does not.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.fill()? {}
        Ok(std::mem::take(&mut self.input))
    }

    /// Says that nothing more will be sent; the daemon may still answer.
    pub fn finish_sending(&mut self) {
        // Fails where the daemon has closed already.
        let _ = self.tcp.shutdown(std::net::Shutdown::Write);
    }

    /// Whether the daemon has closed the connection (waits for it).
    pub fn is_closed(&mut self) -> bool {
        loop {
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Breaks the connection off as a crashed client does.
    pub fn abort(self) {
        let _ = self.tcp.shutdown(std::net::Shutdown::Both);
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof
    )
}

fn is_continued(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.len() > 3 && bytes[..3].iter().all(u8::is_ascii_digit) && bytes[3] == b'-'
}
