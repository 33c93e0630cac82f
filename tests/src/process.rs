//! The programs as processes of their own, to be killed and started again.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lastpost::demo::installation::{Installation, Plan, Ports};

use crate::eventually;

/// Longer than a start takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A complete installation in a directory of its own: the demo's.
pub struct Site {
    _directory: tempfile::TempDir,
    installation: Installation,
    logs: PathBuf,
}

impl Site {
    /// Sets up an installation whose mail goes to `next_hop`.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn new(next_hop: SocketAddr, accounts: u32) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let plan = Plan {
            directory: directory.path().join("site"),
            accounts,
            next_hop: next_hop.to_string(),
            window: Duration::from_secs(20 * 60),
            ports: Some(ports()),
        };
        std::fs::create_dir(&plan.directory).expect("a directory");
        let installation = install(&plan);
        let logs = directory.path().join("logs");
        std::fs::create_dir(&logs).expect("a directory");
        Self { _directory: directory, installation, logs }
    }

    /// Accounts, ports and files.
    #[must_use]
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The loopback address of a port.
    #[must_use]
    pub fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    /// Starts `program` (`lastpost serve`, `lastpost-pop3d` or `lastpost-submissiond`) and
    /// waits until `ports` take connections.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(&self, program: &Path, role: &str, ports: &[u16]) -> Process {
        let log = self.logs.join(role);
        let output = File::options().create(true).append(true).open(&log).expect("a log file");
        let mut command = Command::new(program);
        command
            .arg("--config")
            .arg(self.installation.config_file())
            .env("LASTPOST_PROGRAM", role)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a log file"))
            .stderr(output);
        if role == "lastpost" {
            command.arg("serve");
        }
        let mut process = Process { child: command.spawn().expect("started"), log };
        for &port in ports {
            eventually(PATIENCE, "the daemon to listen", || {
                process.assert_running();
                TcpStream::connect(self.at(port)).is_ok()
            });
        }
        process
    }
}

/// Makes the installation on ports that nobody else is about to use. The demo prefers memorable
/// ones, and lets them go until its daemons start: another test may want them meanwhile.
fn install(plan: &Plan) -> Installation {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let hold = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok();
    let _memorable = [1110, 1995, 1025, 1587, 1465, 1080].map(hold);
    Installation::create(plan).unwrap_or_else(|error| panic!("{error:?}"))
}

/// Ports for daemons that are started again and again: below those that the system gives to
/// outgoing connections, so that no client sits on one of them meanwhile.
fn ports() -> Ports {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 600) as u16 * 20;
    let next = || loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 12_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    };
    Ports {
        pop3: next(),
        pop3s: next(),
        legacy: next(),
        submission: next(),
        submissions: next(),
        control: next(),
    }
}

/// A running program; killed when the test ends.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Its process ID.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills it as `kill -9` does, at whatever it is doing.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill_9(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }

    /// Sends a signal by name, such as `STOP`, `CONT` or `TERM`.
    ///
    /// # Panics
    /// If there is no `kill` command.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success());
    }

    /// Ends it by SIGTERM and waits.
    ///
    /// # Panics
    /// If it does not end.
    pub fn terminate(mut self) -> std::process::ExitStatus {
        self.signal("TERM");
        let mut status = None;
        eventually(PATIENCE, "the daemon to end", || {
            status = self.child.try_wait().expect("waited");
            status.is_some()
        });
        status.expect("ended")
    }

    fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().expect("waited") {
            panic!("the daemon ended with {status}:\n{}", self.log());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
