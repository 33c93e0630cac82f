//! Hosts with an authenticator each, and a private server.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use address::AccountKey;
use auth::{
    Account, AuthConfig, Authenticator, Channel, Clock, Denied, Directory, ManualClock, Origin,
    Service, ShareKey, StoredHash,
};
use auth_share::{Publisher, Settings, open};
use sasl::Secret;

/// Nothing here takes so long, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn key(octet: u8) -> ShareKey {
    ShareKey::new(&[octet; 32]).unwrap()
}

/// An authenticator that shares. It ends with its last clone.
pub(crate) struct Host {
    pub(crate) auth: Authenticator,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) clock: Arc<ManualClock>,
    running: tokio::task::JoinHandle<()>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Host {
    pub(crate) fn new(local: Option<(&Path, &str, &str)>, server: Option<&str>) -> Self {
        Self::with(local, server.map(|url| (url, None)), &key(9))
    }

    pub(crate) fn with(
        local: Option<(&Path, &str, &str)>,
        server: Option<(&str, Option<&str>)>,
        key: &ShareKey,
    ) -> Self {
        // Clocks of hosts need not agree.
        let wall = jiff::Timestamp::UNIX_EPOCH;
        let clock = Arc::new(ManualClock::new(wall));
        let settings = Settings {
            local: local.map(|(d, own, peer)| (d.to_owned(), own.to_owned(), peer.to_owned())),
            server: server.map(|(url, password)| (url.to_owned(), password.map(str::to_owned))),
            key: key.clone(),
            clock: Arc::clone(&clock) as _,
        };
        let account = |login: &str| {
            let hash = StoredHash::parse("{PLAIN}right").unwrap();
            let key = AccountKey::parse(login, None).unwrap();
            Account::new(key, Vec::new(), hash, PathBuf::from("/m"), false)
        };
        let accounts = vec![account("ann@example.net"), account("bob@example.net")];
        let directory = Directory::from_accounts(accounts, None).unwrap();
        // Waits are of no interest here; blocks are.
        let mut config = AuthConfig { failure_delay: Duration::ZERO, ..AuthConfig::default() };
        config.attack.failures_max = 10;
        let (publisher, courier) = open(settings).unwrap();
        let auth = Authenticator::new(&config, directory).unwrap();
        let auth = auth.with_share(Arc::clone(&publisher) as _, key.clone());
        let running = tokio::spawn(courier.run(auth.clone()));
        Self { auth, publisher, clock, running }
    }

    pub(crate) async fn login(
        &self,
        login: &str,
        password: &str,
        client: &str,
    ) -> Result<(), Denied> {
        let channel = Channel { service: Service::Pop3, tls: true, genuine_address: true };
        let origin = Origin { client: client.parse().unwrap(), channel };
        let secret = Secret::from(password);
        self.auth.verify(login, &secret, &origin, self.clock.now()).await.map(drop)
    }

    /// So many different wrong passwords for Ann.
    pub(crate) async fn fail(&self, client: &str, count: u32) {
        for n in 0..count {
            let guess = format!("guess-{client}-{n}");
            let _ = self.login("ann@example.net", &guess, client).await;
        }
    }

    pub(crate) fn heard(&self) -> u64 {
        self.publisher.statistics().heard
    }

    pub(crate) fn connected(&self) -> bool {
        self.publisher.statistics().connected
    }

    /// Networks that are blocked here.
    pub(crate) fn blocks(&self) -> Vec<String> {
        let blocks = self.auth.blocks(self.clock.now());
        blocks.iter().map(|block| block.network.to_string()).collect()
    }
}

/// A port on which somebody listens.
pub(crate) fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}/0", listener.local_addr().unwrap());
    (listener, url)
}

/// A server of this test alone, on a Unix socket.
pub(crate) struct Server {
    pub(crate) url: String,
    directory: tempfile::TempDir,
    options: Vec<String>,
    child: Child,
}

impl Server {
    /// `None`, said aloud, if no server is installed.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let Some(child) = spawn(directory.path(), &options) else {
            assert!(
                std::env::var("LASTPOST_REQUIRE_CLIENTS").is_err(),
                "neither valkey-server nor redis-server is installed"
            );
            eprintln!("skipped: neither valkey-server nor redis-server is installed");
            return None;
        };
        let url = format!("unix://{}", directory.path().join("socket").display());
        Some(Self { url, directory, options, child })
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn restart(&mut self) {
        let _ = std::fs::remove_file(self.directory.path().join("socket"));
        self.child = spawn(self.directory.path(), &self.options).unwrap();
    }

    /// Sends it a signal by kill(1).
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Asks it something from outside.
    pub(crate) fn ask(&self, words: &[&[u8]]) -> redis::RedisResult<redis::Value> {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        let client = redis::Client::open(self.url.as_str()).unwrap();
        command.query(&mut client.get_connection().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(directory: &Path, options: &[String]) -> Option<Child> {
    let socket = directory.join("socket");
    let start = |program: &str| {
        Command::new(program)
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(directory)
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()
    };
    let child = start("valkey-server").or_else(|| start("redis-server"))?;
    let end = Instant::now() + PATIENCE;
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        assert!(Instant::now() < end, "the server does not come up");
        std::thread::sleep(Duration::from_millis(5));
    }
    Some(child)
}
