//! The servers: each started once, by its own user, and gone with the test program.

mod mariadb;
mod postgresql;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::RwLock;

/// Longest wait for a server, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The password of the user that Lastpost connects as.
pub(crate) const PASSWORD: &str = "it's a \"secret\" ü";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgresql,
    Mariadb,
}

/// A server that runs.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    folder: TempDir,
    pub(crate) port: u16,
    pub(crate) authority: PathBuf,
    child: Mutex<Child>,
}

static POSTGRESQL: LazyLock<Option<RwLock<Server>>> =
    LazyLock::new(|| start(Kind::Postgresql).map(RwLock::new));
static MARIADB: LazyLock<Option<RwLock<Server>>> =
    LazyLock::new(|| start(Kind::Mariadb).map(RwLock::new));

pub(crate) fn server(kind: Kind) -> Option<&'static RwLock<Server>> {
    match kind {
        Kind::Postgresql => POSTGRESQL.as_ref(),
        Kind::Mariadb => MARIADB.as_ref(),
    }
}

/// Starts the server on a thread that stays: the kernel ends the server with that thread.
fn start(kind: Kind) -> Option<Server> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let commands = std::sync::mpsc::channel::<()>();
        let program = match kind {
            Kind::Postgresql => postgresql::program(),
            Kind::Mariadb => mariadb::program(),
        };
        sender.send(program.map(|program| Server::start(kind, &program))).unwrap();
        // For as long as the process lives.
        let _ = commands.1.recv();
    });
    receiver.recv().unwrap_or_else(|_| panic!("{kind:?} does not start"))
}

/// Says that a server is not there; fails where it must be.
fn absent(what: &str) {
    let required = std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_some();
    assert!(!required, "{what} is not installed");
    eprintln!("skipped: {what} is not installed");
}

/// Runs a program as the server's user where we are root, for the servers refuse root; it ends
/// with the thread that starts it.
fn as_user(program: &Path, user: &str) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).env("LC_ALL", "C.UTF-8");
    command
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn done(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    fn start(kind: Kind, program: &Path) -> Self {
        let mut folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let path = |name: &str| root.join(name);
        let mut authority_file = path("ca.pem");
        let (authority, certificate, private) = certificate();
        std::fs::write(&authority_file, authority).unwrap();
        std::fs::write(path("cert.pem"), certificate).unwrap();
        std::fs::write(path("key.pem"), private).unwrap();
        done(Command::new("chmod").arg("0600").arg(path("key.pem")));
        if is_root() {
            done(Command::new("chown").arg("-R").arg(kind.user()).arg(folder.path()));
        }
        kind.install(program, folder.path());
        // Somebody may take the port meanwhile.
        for _ in 0..5 {
            let port = free_port();
            let child = kind.command(program, folder.path(), port).spawn().unwrap();
            let server =
                Self { kind, folder, port, authority: authority_file, child: Mutex::new(child) };
            if server.wait() {
                server.sql("", kind.welcome());
                return server;
            }
            (folder, authority_file) = (server.folder, server.authority);
        }
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        panic!("{kind:?} does not start: {log}");
    }

    /// Whether it answers; not, if it ends.
    fn wait(&self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self
                .kind
                .client(self.folder.path(), self.port, "")
                .output()
                .unwrap()
                .status
                .success()
            {
                return true;
            }
            if self.child.lock().unwrap().try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Has the server's administrator say something.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let file = self.folder.path().join(format!("{}.sql", next()));
        std::fs::write(&file, sql).unwrap();
        let mut client = self.kind.client(self.folder.path(), self.port, database);
        client.stdin(std::fs::File::open(&file).unwrap());
        done(&mut client)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join(match self.kind {
            Kind::Postgresql => format!(".s.PGSQL.{}", self.port),
            Kind::Mariadb => "server.sock".to_owned(),
        })
    }

    /// Its process, and those that it has made: PostgreSQL serves each connection by one.
    fn family(&self) -> Vec<String> {
        let id = self.child.lock().unwrap().id().to_string();
        let children = Command::new("pgrep").args(["-P", &id]).output().unwrap();
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        std::iter::once(id).chain(children.lines().map(str::to_owned)).collect()
    }

    pub(crate) fn signal(&self, name: &str) {
        for id in self.family() {
            // One of them may be gone already.
            let _ = Command::new("kill").args([name, &id]).stderr(Stdio::null()).status();
        }
    }

    /// Stops it as an administrator does, without waiting for clients, or as a power cut does.
    pub(crate) fn stop(&self, kill: bool) {
        let family = self.family();
        match (kill, self.kind) {
            (true, _) => self.signal("-KILL"),
            (false, Kind::Postgresql) => {
                drop(done(Command::new("kill").args(["-INT", &family[0]])))
            }
            (false, Kind::Mariadb) => drop(done(Command::new("kill").args(["-TERM", &family[0]]))),
        }
        self.child.lock().unwrap().wait().unwrap();
        let runs = |id: &String| {
            let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            state.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
        };
        let begun = Instant::now();
        while family.iter().any(runs) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts it again where it was, on a thread that stays.
    pub(crate) fn resume(&self) {
        let program = match self.kind {
            Kind::Postgresql => postgresql::program(),
            Kind::Mariadb => mariadb::program(),
        };
        let program = program.unwrap();
        // What was killed leaves children behind, which hold the folder for a moment.
        for _ in 0..100 {
            let mut command = self.kind.command(&program, self.folder.path(), self.port);
            let (sender, receiver) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                let forever = std::sync::mpsc::channel::<()>();
                sender.send(command.spawn().unwrap()).unwrap();
                let _ = forever.1.recv();
            });
            *self.child.lock().unwrap() = receiver.recv().unwrap();
            if self.wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        panic!("{:?} does not start again: {log}", self.kind);
    }
}

impl Kind {
    fn user(self) -> &'static str {
        match self {
            Self::Postgresql => "postgres",
            Self::Mariadb => "mysql",
        }
    }

    fn install(self, program: &Path, folder: &Path) {
        match self {
            Self::Postgresql => postgresql::install(program, folder),
            Self::Mariadb => mariadb::install(folder),
        }
    }

    fn command(self, program: &Path, folder: &Path, port: u16) -> Command {
        match self {
            Self::Postgresql => postgresql::command(program, folder, port),
            Self::Mariadb => mariadb::command(program, folder, port),
        }
    }

    fn client(self, folder: &Path, port: u16, database: &str) -> Command {
        match self {
            Self::Postgresql => postgresql::client(folder, port, database),
            Self::Mariadb => mariadb::client(folder, database),
        }
    }

    /// What makes the user that Lastpost connects as.
    fn welcome(self) -> &'static str {
        match self {
            Self::Postgresql => postgresql::WELCOME,
            Self::Mariadb => mariadb::WELCOME,
        }
    }

    pub(crate) fn page(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql.md",
            Self::Mariadb => "mysql.md",
        }
    }
}

pub(crate) fn next() -> usize {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// A certificate for 127.0.0.1: the authority that signed it, itself, and its key, all PEM.
fn certificate() -> (String, String, String) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let server = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let server = server.signed_by(&key, &issuer).unwrap();
    (authority_pem, server.pem(), key.serialize_pem())
}
