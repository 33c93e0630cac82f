//! A client that submits, and little more.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use lastpost::demo::installation::DemoAccount;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

const PATIENCE: Duration = Duration::from_secs(60);

/// A session, in clear or under TLS.
pub(crate) enum Sender {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

fn tls_session() -> ClientConnection {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| Arc::new(xtask::bench::tls::any_certificate().unwrap()));
    ClientConnection::new(Arc::clone(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

impl Sender {
    /// Greeted, and logged in.
    pub(crate) fn connect(to: SocketAddr, tls: bool, account: &DemoAccount) -> Self {
        let mut sender = Self::greeted(to, tls);
        let login = format!("\0{}\0{}", account.login, account.password);
        let login = base64::engine::general_purpose::STANDARD.encode(login);
        sender.ask(&format!("AUTH PLAIN {login}\r\n"), &["235"]);
        sender
    }

    /// Greeted alone.
    pub(crate) fn greeted(to: SocketAddr, tls: bool) -> Self {
        let socket = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut sender = match tls {
            true => Self::Tls(Box::new(StreamOwned::new(tls_session(), socket))),
            false => Self::Clear(socket),
        };
        sender.replies(&["220"]);
        sender.ask("EHLO load.example\r\n", &["250"]);
        sender
    }

    /// Submits one message of about `octets`.
    pub(crate) fn submit(&mut self, from: &str, octets: usize) {
        let envelope = format!("MAIL FROM:<{from}>\r\nRCPT TO:<x@elsewhere.example>\r\nDATA\r\n");
        self.ask(&envelope, &["250", "250", "354"]);
        let lines = "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
            .repeat(octets / 72);
        self.ask(&format!("From: {from}\r\nSubject: load\r\n\r\n{lines}.\r\n"), &["250"]);
    }

    /// Sends `octets`, and wants replies with these codes.
    pub(crate) fn ask(&mut self, octets: &str, codes: &[&str]) {
        self.write_all(octets.as_bytes()).unwrap();
        self.flush().unwrap();
        self.replies(codes);
    }

    /// Reads so many replies; nothing else is on its way.
    fn replies(&mut self, codes: &[&str]) {
        let mut text = Vec::new();
        let mut block = [0; 1024];
        let last_line = |line: &&[u8]| line.get(3) == Some(&b' ') && line.ends_with(b"\n");
        let count = |text: &[u8]| text.split_inclusive(|&o| o == b'\n').filter(last_line).count();
        while count(&text) < codes.len() {
            match self.read(&mut block).unwrap() {
                0 => panic!("closed after {}", String::from_utf8_lossy(&text)),
                read => text.extend_from_slice(&block[..read]),
            }
        }
        let lines = text.split_inclusive(|&o| o == b'\n').filter(last_line);
        let all_right = lines.zip(codes).all(|(line, code)| line.starts_with(code.as_bytes()));
        assert!(all_right, "{codes:?}: {}", String::from_utf8_lossy(&text));
    }
}

impl Read for Sender {
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.read(block),
            Self::Tls(session) => session.read(block),
        }
    }
}

impl Write for Sender {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.write(octets),
            Self::Tls(session) => session.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(socket) => socket.flush(),
            Self::Tls(session) => session.flush(),
        }
    }
}
