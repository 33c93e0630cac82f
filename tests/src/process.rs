//! The programs as processes of their own, to be killed and started again.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lastpost::demo::installation::{Installation, Plan};

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
        };
        std::fs::create_dir(&plan.directory).expect("a directory");
        let installation = Installation::create(&plan).unwrap_or_else(|error| panic!("{error:?}"));
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
