//! A client that says what it is told and waits for whole replies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

pub(crate) struct Client {
    stream: Option<Box<dyn Stream>>,
    read: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self { stream: Some(Box::new(stream)), read: Vec::new() }
    }

    /// Agrees on TLS, as after STARTTLS or on port 465.
    pub(crate) async fn start_tls(&mut self, certificate: &[u8]) {
        self.try_tls(certificate, &[]).await.unwrap();
    }

    /// The same, naming protocols (ALPN).
    pub(crate) async fn try_tls(
        &mut self,
        certificate: &[u8],
        protocols: &[&str],
    ) -> std::io::Result<()> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(certificate.to_vec())).unwrap();
        let mut config =
            ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("mail.example.net").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let plain = self.stream.take().unwrap();
        let tls = connector.connect(name, plain).await?;
        self.stream = Some(Box::new(tls));
        assert!(self.read.is_empty(), "the server spoke before the handshake");
        Ok(())
    }

    pub(crate) async fn send(&mut self, octets: impl AsRef<[u8]>) {
        let stream = self.stream.as_mut().unwrap();
        stream.write_all(octets.as_ref()).await.unwrap();
        stream.flush().await.unwrap();
    }

    /// Sends what the server may no longer want.
    pub(crate) async fn try_send(&mut self, octets: &[u8]) {
        let _ = self.stream.as_mut().unwrap().write_all(octets).await;
    }

    /// A reply with all its lines, joined by `\n`.
    pub(crate) async fn reply(&mut self) -> String {
        self.try_reply().await.expect("a reply, not the end")
    }

    /// A reply, or `None` if the server has closed.
    pub(crate) async fn try_reply(&mut self) -> Option<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            let last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if last {
                return Some(lines.join("\n"));
            }
        }
    }

    pub(crate) async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n")).await;
        self.reply().await
    }

    pub(crate) async fn expect(&mut self, line: &str, begin: &str) {
        let reply = self.say(line).await;
        assert!(reply.starts_with(begin), "{line}: {reply}");
    }

    /// `MAIL`, `RCPT` and `DATA`, all to be accepted.
    pub(crate) async fn begin(&mut self, sender: &str, recipients: &[&str]) {
        self.expect(&format!("MAIL FROM:<{sender}>"), "250 2.1.0").await;
        for recipient in recipients {
            self.expect(&format!("RCPT TO:<{recipient}>"), "250 2.1.5").await;
        }
        self.expect("DATA", "354 ").await;
    }

    /// A whole transaction; returns the last reply.
    pub(crate) async fn submit(
        &mut self,
        sender: &str,
        recipients: &[&str],
        text: impl AsRef<[u8]>,
    ) -> String {
        self.begin(sender, recipients).await;
        let whole = text.as_ref().ends_with(b"\r\n");
        self.send(text).await;
        self.say(if whole { "." } else { "\r\n." }).await
    }

    /// Whether the server closes without another word.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.line().await.is_none()
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.read.drain(..end + 2).take(end).collect();
                return Some(String::from_utf8(line).unwrap());
            }
            let stream = self.stream.as_mut().unwrap();
            let read = stream.read_buf(&mut self.read);
            let waited = tokio::time::timeout(Duration::from_secs(20), read).await;
            match waited.expect("the server answers in time") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}
