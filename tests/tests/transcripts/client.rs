//! A client that reads lines to the octet, in clear or under a TLS that it checks.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

/// Longer than any reply takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

pub(crate) struct Client {
    stream: Box<dyn Stream>,
    tcp: TcpStream,
    input: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(to: SocketAddr) -> Self {
        let tcp = TcpStream::connect(to).expect("the daemon listens");
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_write_timeout(Some(PATIENCE)).unwrap();
        tcp.set_nodelay(true).unwrap();
        Self { stream: Box::new(tcp.try_clone().unwrap()), tcp, input: Vec::new() }
    }

    /// Shakes hands; the server must show `certificate`.
    pub(crate) fn start_tls(&mut self, certificate: &Path) {
        assert!(self.input.is_empty(), "octets in clear that nobody asked for");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = rustls::StreamOwned::new(session, self.tcp.try_clone().unwrap());
        self.stream = Box::new(stream);
    }

    /// Sends `octets`, in pieces of at most `piece`. The daemon may have had enough before.
    pub(crate) fn send(&mut self, octets: &[u8], piece: usize) {
        for piece in octets.chunks(piece) {
            let sent = self.stream.write_all(piece).and_then(|()| self.stream.flush());
            match sent {
                Err(error) if is_end(&error) => return,
                sent => sent.expect("the daemon reads"),
            }
        }
    }

    /// The next line without its CRLF; `None` at the end of the connection, or if the daemon
    /// says nothing within the patience of a test.
    pub(crate) fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let mut line: Vec<u8> = self.input.drain(..end + 2).collect();
                line.truncate(end);
                return Some(line);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// All that comes until the daemon closes; `None` if it does not.
    pub(crate) fn rest(&mut self) -> Option<Vec<u8>> {
        while self.fill_once().ok()? > 0 {}
        Some(std::mem::take(&mut self.input))
    }

    /// Closes the client's side, and reads what still comes.
    pub(crate) fn leave(mut self) -> Option<Vec<u8>> {
        // Fails where the daemon has closed already.
        let _ = self.tcp.shutdown(Shutdown::Write);
        self.rest()
    }

    /// Breaks off as a crashed client does.
    pub(crate) fn drop_connection(&mut self) {
        let _ = self.tcp.shutdown(Shutdown::Both);
    }

    fn fill(&mut self) -> bool {
        self.fill_once().is_ok_and(|read| read > 0)
    }

    fn fill_once(&mut self) -> io::Result<usize> {
        let mut block = [0_u8; 32 << 10];
        let read = match self.stream.read(&mut block) {
            Err(error) if is_end(&error) => 0,
            read => read?,
        };
        self.input.extend_from_slice(&block[..read]);
        Ok(read)
    }
}

/// The end of a connection has several faces.
fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}
