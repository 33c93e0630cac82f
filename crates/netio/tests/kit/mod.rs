//! A daemon that answers what it knows of a connection and then repeats what it is told.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test's helpers may fail by panic")]

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use netio::{
    Connection, Drain, DrainTrigger, Gate, Limits, ListenConfig, Listener, ServeOptions, Tls,
    TlsConfig, TlsMode,
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// Longer than anything here may take.
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// The host that most certificates here are for.
pub(crate) const HOST: &str = "mail.example.jp";
pub(crate) const BUSY: &[u8] = b"-ERR busy\r\n";

pub(crate) struct Daemon {
    pub(crate) address: SocketAddr,
    pub(crate) gate: Gate,
    pub(crate) trigger: DrainTrigger,
    pub(crate) serving: JoinHandle<()>,
}

pub(crate) struct Setup {
    pub(crate) listen: ListenConfig,
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Tls>,
    pub(crate) trusted: Vec<&'static str>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            listen: ListenConfig {
                address: "127.0.0.1:0".parse().unwrap(),
                tls: TlsMode::None,
                proxy_protocol: false,
            },
            limits: Limits { sessions_per_ip_max: 1000, ..Limits::default() },
            tls: None,
            trusted: Vec::new(),
        }
    }
}

impl Setup {
    pub(crate) fn tls(mode: TlsMode, tls: &Tls) -> Self {
        let mut setup = Self { tls: Some(tls.clone()), ..Self::default() };
        setup.listen.tls = mode;
        setup
    }

    pub(crate) fn options(&self, gate: &Gate) -> ServeOptions {
        ServeOptions {
            gate: gate.clone(),
            tls: self.tls.clone(),
            busy_line: BUSY,
            trusted_proxies: self.trusted.iter().map(|net| net.parse().unwrap()).collect(),
        }
    }

    pub(crate) fn start<H, F>(self, handler: H) -> Daemon
    where
        H: Fn(Connection) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let gate = Gate::new(self.limits.clone());
        let options = self.options(&gate);
        let listener = Listener::bind(&self.listen).unwrap();
        let address = listener.local_addr();
        let (trigger, drain) = Drain::new();
        let serving = tokio::spawn(async move {
            listener.serve(options, drain, handler).await.unwrap();
        });
        Daemon { address, gate, trigger, serving }
    }

    pub(crate) fn echo(self) -> Daemon {
        self.start(echo)
    }
}

/// Greets with what is known of the client, then repeats what comes.
pub(crate) async fn echo(mut connection: Connection) {
    let tls = connection.tls_info().map_or("clear", |info| info.version);
    let (peer, genuine) = (connection.peer_addr(), connection.genuine_address());
    let greeting = format!("{peer} {genuine} {tls}\r\n");
    connection.write_all(greeting.as_bytes(), LONG).await.unwrap();
    loop {
        let mut buffer = Vec::new();
        match connection.read(&mut buffer, LONG).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {
                if connection.write_all(&buffer, LONG).await.is_err() {
                    break;
                }
            }
        }
    }
    connection.close().await;
}

pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    within(TcpStream::connect(address)).await.unwrap()
}

/// Connects from another address of this host.
pub(crate) async fn connect_from(source: &str, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let source: IpAddr = source.parse().unwrap();
    socket.bind(SocketAddr::new(source, 0)).unwrap();
    within(socket.connect(address)).await.unwrap()
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it took too long")
}

/// Reads up to and including LF, or to the end.
pub(crate) async fn line<S: AsyncReadExt + Unpin>(stream: &mut S) -> String {
    let mut octets = Vec::new();
    while octets.last() != Some(&b'\n') {
        match within(stream.read_u8()).await {
            Ok(octet) => octets.push(octet),
            Err(_) => break,
        }
    }
    String::from_utf8(octets).unwrap()
}

/// What comes until the end; a reset counts as an end.
pub(crate) async fn rest<S: AsyncReadExt + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut octets = Vec::new();
    let _ = within(stream.read_to_end(&mut octets)).await;
    octets
}

pub(crate) async fn send<S: AsyncWriteExt + Unpin>(stream: &mut S, octets: &[u8]) {
    within(async {
        stream.write_all(octets).await.unwrap();
        stream.flush().await.unwrap();
    })
    .await;
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never came true: {what}");
}

/// A self-signed certificate in a directory of its own.
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) der: CertificateDer<'static>,
}

pub(crate) fn make_pair(directory: &Path, file: &str, names: &[&str]) -> Pair {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let certificate = directory.join(format!("{file}.crt"));
    let key = directory.join(format!("{file}.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let der = CertificateDer::from_pem_file(&certificate).unwrap();
    Pair { certificate, key, der }
}

impl Pair {
    pub(crate) fn config(&self) -> TlsConfig {
        TlsConfig {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            client_ca: None,
            named: vec![],
        }
    }
}

/// A pair for `names`, loaded; the directory goes with the first of the three.
pub(crate) fn loaded(names: &[&str]) -> (TempDir, Pair, Tls) {
    let directory = tempfile::tempdir().unwrap();
    let pair = make_pair(directory.path(), "mail", names);
    let tls = Tls::load(&pair.config()).unwrap();
    (directory, pair, tls)
}

/// A client that trusts these certificates alone.
pub(crate) fn client(trusted: &[&CertificateDer<'static>], alpn: &[&[u8]]) -> ClientConfig {
    client_with(trusted, alpn, rustls::ALL_VERSIONS)
}

pub(crate) fn client_with(
    trusted: &[&CertificateDer<'static>],
    alpn: &[&[u8]],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add((*certificate).clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    config
}

pub(crate) type TlsClient = tokio_rustls::client::TlsStream<TcpStream>;

pub(crate) async fn handshake(
    stream: TcpStream,
    config: impl Into<Arc<ClientConfig>>,
    name: &str,
) -> std::io::Result<TlsClient> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    within(TlsConnector::from(config.into()).connect(name, stream)).await
}
