//! A private server, and hosts that share it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::address::{AccountKey, Mailbox};
use auth::{Clock, ManualClock, Moment};

use crate::limits::Who;
use crate::shared::Shared;
use crate::{Limits, LimitsConfig, Ruling, Verdict};

/// Nothing here takes so long, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn read(section: &str, url: &str) -> LimitsConfig {
    toml::from_str(&format!("shared = \"{url}\"\n{section}\n")).unwrap()
}

pub(super) fn address(name: &str) -> AccountKey {
    AccountKey::parse(name, None).unwrap()
}

/// A port on which somebody listens and nobody speaks.
pub(super) fn unused() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}/0", listener.local_addr().unwrap());
    (listener, url)
}

pub(super) async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    eventually_async(what, async || done()).await;
}

pub(super) async fn eventually_async(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done().await {
        assert!(Instant::now() < end, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A server of this test alone, on a Unix socket.
pub(super) struct Server {
    pub(super) url: String,
    directory: tempfile::TempDir,
    options: Vec<String>,
    child: Child,
}

impl Server {
    /// `None`, said aloud, if no server is installed.
    pub(super) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    pub(super) fn start_with(options: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let Some(child) = spawn(directory.path(), &options) else {
            eprintln!("SKIPPED: neither valkey-server nor redis-server is installed");
            return None;
        };
        let url = format!("unix://{}", directory.path().join("socket").display());
        Some(Self { url, directory, options, child })
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) fn restart(&mut self) {
        let _ = std::fs::remove_file(self.directory.path().join("socket"));
        self.child = spawn(self.directory.path(), &self.options).unwrap();
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.directory.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(directory: &std::path::Path, options: &[String]) -> Option<Child> {
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

/// A host, with what it does in the background.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) limits: Limits,
    pub(super) clock: Arc<ManualClock>,
    _keeping: Arc<tokio::task::JoinSet<()>>,
    _directory: Arc<tempfile::TempDir>,
}

impl Host {
    /// One that has come to terms with the server.
    pub(super) async fn sharing(config: &LimitsConfig) -> Self {
        let host = Self::alone(config, PATIENCE);
        eventually("the server answers", || host.limits.statistics().sharing).await;
        host
    }

    pub(super) fn alone(config: &LimitsConfig, patience: Duration) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let clock = Arc::new(ManualClock::new(super::NOW.parse().unwrap()));
        let limits =
            Limits::open_patient(config, directory.path(), clock.clone(), patience).unwrap();
        let mut keeping = tokio::task::JoinSet::new();
        keeping.spawn(limits.clone().keep(std::future::pending()));
        Self { limits, clock, _keeping: Arc::new(keeping), _directory: directory }
    }

    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    pub(super) fn shared(&self) -> &Shared {
        self.limits.core().shared.as_ref().unwrap()
    }

    pub(super) fn wake(&self) {
        self.shared().wake();
    }

    pub(super) fn who(&self, account: &str, client: &str) -> Who<'static> {
        // Tests are short: what they name may live as long as they do.
        let account = Box::leak(Box::new(address(account)));
        let client = Some(client.parse().unwrap());
        Who { account, client, listener: "submission", profile: None }
    }

    pub(super) async fn rule(&self, account: &str, client: &str, to: &[&str]) -> Ruling {
        let to: Vec<Mailbox> = to.iter().map(|to| Mailbox::parse(to).unwrap()).collect();
        self.limits.message(&self.who(account, client), &to, 2000, self.now()).await
    }

    pub(super) async fn send(&self, account: &str, client: &str, to: &[&str]) -> Verdict {
        let ruling = self.rule(account, client, to).await;
        if let Some(charge) = ruling.charge {
            charge.keep();
        }
        ruling.verdict
    }
}
