//! A daemon on loopback, and a client that speaks line by line.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::{
    Account, AccountPolicy, AuthConfig, Authenticator, Clock, Directory, LoginObserver, StoredHash,
    SystemClock,
};
use netio::{Drain, DrainTrigger, ListenConfig, Tls, TlsConfig, TlsMode};
use pop3d::{Pop3Config, Pop3d};
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, StreamOwned};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Longer than anything may take that is not meant to hang.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) const NAME: &str = "pop.example.net";

/// What a daemon is made of.
pub(crate) struct Setup {
    pub(crate) config: Pop3Config,
    pub(crate) observers: Vec<Arc<dyn LoginObserver>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) auth: AuthConfig,
    /// Instead of the accounts that were named one by one.
    pub(crate) accounts_of: Option<Directory>,
    /// Who vouches for clients.
    pub(crate) client_ca: Option<PathBuf>,
    directory: TempDir,
    accounts: Vec<Account>,
}

impl Setup {
    /// No account, and two listeners: one in clear with STLS, one under TLS.
    pub(crate) fn new() -> Self {
        let listen = |tls| ListenConfig {
            address: "127.0.0.1:0".parse().unwrap(),
            tls,
            proxy_protocol: false,
        };
        let config = Pop3Config {
            listen: vec![listen(TlsMode::Starttls), listen(TlsMode::Implicit)],
            sessions_per_ip_max: 10_000,
            ..Pop3Config::default()
        };
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock::new());
        let auth = AuthConfig { failure_delay: Duration::ZERO, ..AuthConfig::default() };
        Self {
            config,
            observers: Vec::new(),
            clock,
            auth,
            accounts_of: None,
            client_ca: None,
            directory,
            accounts: Vec::new(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// An account with a Maildir of its own; returns the Maildir.
    pub(crate) fn account(&mut self, login: &str, password: &str) -> PathBuf {
        let maildir = self.path().join(login);
        maildrop::create(&maildir).unwrap();
        self.account_at(login, password, maildir.clone());
        maildir
    }

    pub(crate) fn account_at(&mut self, login: &str, password: &str, maildir: PathBuf) {
        let hash = StoredHash::parse(&format!("{{PLAIN}}{password}")).unwrap();
        self.account_stored(login, hash, maildir);
    }

    pub(crate) fn account_stored(&mut self, login: &str, hash: StoredHash, maildir: PathBuf) {
        let key = address::AccountKey::parse(login, None).unwrap();
        self.accounts.push(Account::new(key, Vec::new(), hash, maildir, false));
    }

    /// The last account has an agreement of its own.
    pub(crate) fn agree(&mut self, policy: AccountPolicy) {
        let account = self.accounts.pop().unwrap();
        self.accounts.push(account.with_policy(policy));
    }

    /// The last account has a password that is to be changed.
    pub(crate) fn must_change(&mut self) {
        let account = self.accounts.pop().unwrap();
        self.accounts.push(account.with_must_change(true));
    }

    /// `aiko` with `secret` and these messages.
    pub(crate) fn aiko(messages: &[&[u8]]) -> Self {
        let mut setup = Self::new();
        let maildir = setup.account("aiko", "secret");
        for (at, stored) in messages.iter().enumerate() {
            put(&maildir, &format!("{:03}.m", at + 1), stored);
        }
        setup
    }

    pub(crate) fn start(self) -> Daemon {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        self.start_on(runtime)
    }

    pub(crate) fn start_on(self, runtime: Runtime) -> Daemon {
        let (tls, certificate) = certificate(self.path(), self.client_ca.clone());
        let (pop3d, trigger, addresses) = runtime.block_on(async {
            let accounts = Directory::from_accounts(self.accounts, None).unwrap();
            let accounts = self.accounts_of.unwrap_or(accounts);
            let authenticator = Authenticator::new(&self.auth, accounts).unwrap();
            let (config, observers, clock) = (self.config, self.observers, self.clock);
            let pop3d =
                Pop3d::new(config, NAME, authenticator, observers, clock, Some(&tls)).unwrap();
            let listeners = pop3d.bind().unwrap();
            let addresses: Vec<SocketAddr> =
                listeners.iter().map(netio::Listener::local_addr).collect();
            let (trigger, drain) = Drain::new();
            let daemon = pop3d.clone();
            tokio::spawn(async move { daemon.serve(listeners, drain).await.unwrap() });
            (pop3d, trigger, addresses)
        });
        Daemon { runtime, pop3d, trigger, addresses, certificate, directory: self.directory }
    }
}

fn certificate(directory: &Path, client_ca: Option<PathBuf>) -> (Tls, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
    let config = TlsConfig {
        certificate: directory.join("certificate.pem"),
        key: directory.join("key.pem"),
        client_ca,
        named: Vec::new(),
    };
    std::fs::write(&config.certificate, made.cert.pem()).unwrap();
    std::fs::write(&config.key, made.signing_key.serialize_pem()).unwrap();
    let der = CertificateDer::from_pem_file(&config.certificate).unwrap();
    (Tls::load(&config).unwrap(), der)
}

/// A daemon at work. Dropping it cuts everything off.
pub(crate) struct Daemon {
    pub(crate) runtime: Runtime,
    pub(crate) pop3d: Pop3d,
    pub(crate) trigger: DrainTrigger,
    addresses: Vec<SocketAddr>,
    pub(crate) certificate: CertificateDer<'static>,
    directory: TempDir,
}

impl Daemon {
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// A client on the port in clear, greeting unread.
    pub(crate) fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address()).unwrap())
    }

    /// A client in clear at another address of this host, which has read the greeting.
    pub(crate) fn greeted_from(&self, source: &str) -> Client {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let (socket, source) = (socket.unwrap(), format!("{source}:0"));
        socket.bind(&source.parse::<SocketAddr>().unwrap().into()).unwrap();
        socket.connect(&self.address().into()).unwrap();
        let mut client = Client::new(socket.into());
        client.expect("+OK ");
        client
    }

    /// A client on the port in clear that has read the greeting.
    pub(crate) fn greeted(&self) -> Client {
        let mut client = self.connect();
        client.expect("+OK ");
        client
    }

    /// A client that has logged in.
    pub(crate) fn logged_in(&self, login: &str, password: &str) -> Client {
        let mut client = self.greeted();
        client.log_in(login, password);
        client
    }

    /// A client on the port under TLS, greeting unread.
    pub(crate) fn connect_tls(&self) -> Client {
        let plain = Client::new(TcpStream::connect(self.addresses[1]).unwrap());
        self.secure(plain, &[]).unwrap()
    }

    /// Shakes hands on a connection in clear.
    pub(crate) fn secure(&self, client: Client, alpn: &[&[u8]]) -> std::io::Result<Client> {
        let mut config = self.trusting().with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        secure_with(client, config)
    }

    /// A TLS client that believes this daemon.
    pub(crate) fn trusting(&self) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
    }
}

/// Shakes hands on a connection in clear, as this client.
pub(crate) fn secure_with(client: Client, config: ClientConfig) -> std::io::Result<Client> {
    Ok(secure_bound(client, config)?.0)
}

/// The same, with `tls-exporter` as the client has it.
pub(crate) fn secure_bound(
    client: Client,
    config: ClientConfig,
) -> std::io::Result<(Client, [u8; 32])> {
    let name = ServerName::try_from(NAME).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    assert!(client.unread.is_empty(), "octets in clear before the handshake");
    let mut socket = client.socket.try_clone().unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    let socket = client.socket.try_clone().unwrap();
    let label = b"EXPORTER-Channel-Binding";
    let exporter = connection.export_keying_material([0; 32], label, Some(b"")).unwrap();
    let stream = Box::new(StreamOwned::new(connection, client.socket));
    Ok((Client { stream, socket, unread: Vec::new() }, exporter))
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A client that reads lines and fails rather than wait for ever.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    pub(crate) socket: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub(crate) fn new(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket.set_write_timeout(Some(LONG)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { stream: Box::new(socket.try_clone().unwrap()), socket, unread: Vec::new() }
    }

    pub(crate) fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).unwrap();
        self.stream.flush().unwrap();
    }

    /// The next line without CRLF; `None` at the end of the connection.
    pub(crate) fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let mut line: Vec<u8> = self.unread.drain(..end + 2).collect();
                line.truncate(end);
                return Some(line);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Reads on; `false` at the end. A reset counts as an end.
    fn fill(&mut self) -> bool {
        let mut block = vec![0; 64 * 1024];
        match self.stream.read(&mut block) {
            Ok(0) => false,
            Ok(count) => {
                self.unread.extend_from_slice(&block[..count]);
                true
            }
            Err(error) => {
                let kind = error.kind();
                use std::io::ErrorKind as Kind;
                assert!(!matches!(kind, Kind::WouldBlock | Kind::TimedOut), "nothing comes");
                false
            }
        }
    }

    /// A line that begins like this.
    pub(crate) fn expect(&mut self, start: &str) -> String {
        let line = self.line().unwrap_or_else(|| panic!("closed instead of {start:?}"));
        let line = String::from_utf8_lossy(&line).into_owned();
        assert!(line.starts_with(start), "{line:?} instead of {start:?}");
        line
    }

    /// Sends a command and expects its reply.
    pub(crate) fn ask(&mut self, command: &str, start: &str) -> String {
        self.send(format!("{command}\r\n"));
        self.expect(start)
    }

    pub(crate) fn log_in(&mut self, login: &str, password: &str) {
        self.ask(&format!("USER {login}"), "+OK ");
        self.ask(&format!("PASS {password}"), "+OK ");
    }

    /// The lines of a multi-line reply up to the dot, unstuffed, behind its first line.
    pub(crate) fn listing(&mut self) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        loop {
            match self.line().expect("closed in the middle of a reply") {
                line if line == b"." => return lines,
                line if line.first() == Some(&b'.') => lines.push(line[1..].to_vec()),
                line => lines.push(line),
            }
        }
    }

    /// Everything until the server closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.unread)
    }

    pub(crate) fn expect_closed(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "{:?} before the end", String::from_utf8_lossy(&rest));
    }

    /// What is left of a client that only holds its connection.
    pub(crate) fn idle(self) -> TcpStream {
        self.socket
    }

    /// At least so many octets of what comes.
    pub(crate) fn some(&mut self, octets: usize) -> Vec<u8> {
        while self.unread.len() < octets {
            assert!(self.fill(), "closed too early");
        }
        std::mem::take(&mut self.unread)
    }
}

/// Puts a message into a Maildir.
pub(crate) fn put(maildir: &Path, name: &str, stored: &[u8]) {
    std::fs::write(maildir.join("new").join(name), stored).unwrap();
}

/// The names of a Maildir's messages.
pub(crate) fn names(maildir: &Path) -> Vec<String> {
    let mut names: Vec<String> = ["new", "cur"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(maildir.join(folder)).unwrap())
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < end, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
