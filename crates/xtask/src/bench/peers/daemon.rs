//! Another's daemon that this program starts in a directory of its own, and ends.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use tempfile::TempDir;

use crate::bench::BenchError;

const STEP: Duration = Duration::from_millis(50);
/// Steps until a daemon must listen.
const STARTING: usize = 400;
/// Steps until a daemon and all its processes must have ended by themselves.
const ENDING: usize = 200;
/// Lines of a log that an error message shows.
const TAIL: usize = 8;

/// A running daemon. Dropping it ends it with all its processes and removes its directory.
#[derive(Debug)]
pub(in crate::bench) struct Daemon {
    name: &'static str,
    child: Child,
    /// Where the leader of its processes writes its number, if it is not the child itself.
    pid_file: Option<PathBuf>,
    /// As [`ENDING`].
    patience: usize,
    directory: TempDir,
}

impl Daemon {
    /// Starts `command`, whose output goes to `output` in the directory.
    pub(super) fn start(
        name: &'static str,
        mut command: Command,
        directory: TempDir,
        pid_file: Option<PathBuf>,
    ) -> Result<Self, BenchError> {
        let failed = BenchError::peer(name);
        let output = File::create(directory.path().join("output")).map_err(&failed)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(&failed)?)
            .stderr(output)
            // Of its own, so that a Ctrl-C for this program reaches it in an orderly way only.
            .process_group(0)
            .spawn()
            .map_err(&failed)?;
        Ok(Self { name, child, pid_file, patience: ENDING, directory })
    }

    /// The process from which all others of the daemon descend.
    pub(in crate::bench) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` says so.
    pub(super) async fn wait_until(&mut self, ready: impl Fn() -> bool) -> Result<(), BenchError> {
        for _ in 0..STARTING {
            if ready() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.failed(&format!("it ended at once, {status}")));
            }
            tokio::time::sleep(STEP).await;
        }
        Err(self.failed("it is not ready after 20 s"))
    }

    pub(super) async fn wait_until_it_listens(
        &mut self,
        addr: SocketAddr,
    ) -> Result<(), BenchError> {
        self.wait_until(|| TcpStream::connect(addr).is_ok()).await
    }

    fn failed(&self, what: &str) -> BenchError {
        let mut why = what.to_owned();
        for file in ["output", "log"] {
            let text = fs::read(self.directory.path().join(file)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            for line in lines.iter().skip(lines.len().saturating_sub(TAIL)) {
                why.push_str("\n  ");
                why.push_str(line);
            }
        }
        BenchError::Peer { name: self.name, why }
    }

    fn leader(&self) -> Option<Pid> {
        let written = self.pid_file.as_deref().and_then(|path| fs::read_to_string(path).ok());
        let written = written.and_then(|text| text.trim().parse().ok());
        Pid::from_raw(written.unwrap_or(self.child.id().cast_signed()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(leader) = self.leader() {
            // A master ends its children when it is asked to end, not when it is killed.
            let _ = kill_process(leader, Signal::TERM);
            for _ in 0..self.patience {
                let ended = matches!(self.child.try_wait(), Ok(Some(_)));
                if ended && test_kill_process_group(leader).is_err() {
                    return;
                }
                if ended {
                    // Nobody else is left to ask the others.
                    let _ = kill_process_group(leader, Signal::TERM);
                }
                std::thread::sleep(STEP);
            }
            eprintln!("{}: its processes do not end by themselves", self.name);
            let _ = kill_process_group(leader, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory that the daemon's own user may enter.
pub(super) fn directory(name: &'static str, inside: &Path) -> Result<TempDir, BenchError> {
    tempfile::Builder::new()
        .prefix(&format!("lastpost-{name}-"))
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir_in(inside)
        .map_err(BenchError::peer(name))
}

/// Ports that nobody listens on now, all different.
pub(super) fn free_ports<const N: usize>() -> Result<[SocketAddr; N], BenchError> {
    let failed = || BenchError::io("looking for free ports");
    let held: Vec<TcpListener> = (0..N)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect::<io::Result<_>>()
        .map_err(failed())?;
    let mut addrs = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
    for (addr, listener) in addrs.iter_mut().zip(&held) {
        *addr = listener.local_addr().map_err(failed())?;
    }
    Ok(addrs)
}

/// What a program says of its version.
pub(super) fn version(name: &'static str, command: &mut Command) -> Result<String, BenchError> {
    let output = command
        .output()
        .map_err(|error| BenchError::Peer { name, why: format!("{error} (is it installed?)") })?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    eprintln!("{name} {version}");
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn shell(script: &str, pid_file: bool) -> Daemon {
        let directory = directory("test", &std::env::temp_dir()).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(directory.path());
        let pid_file = pid_file.then(|| directory.path().join("pid"));
        Daemon::start("test", command, directory, pid_file).unwrap()
    }

    fn exists(daemon: &Daemon, file: &str) -> PathBuf {
        daemon.directory.path().join(file)
    }

    async fn time_to_end(script: &str, patience: usize) -> Duration {
        let mut daemon = shell(script, false);
        daemon.patience = patience;
        let (ready, directory) = (exists(&daemon, "ready"), exists(&daemon, ""));
        daemon.wait_until(|| ready.exists()).await.unwrap();
        let group = daemon.leader().unwrap();
        assert!(test_kill_process_group(group).is_ok());
        let began = Instant::now();
        drop(daemon);
        let took = began.elapsed();
        assert!(!directory.exists());
        // Whoever was killed may still be on its way out.
        for _ in 0..100 {
            if test_kill_process_group(group).is_err() {
                return took;
            }
            std::thread::sleep(STEP);
        }
        panic!("processes are left of {script:?}");
    }

    #[tokio::test]
    async fn all_its_processes_end_with_it() {
        let polite = time_to_end("sleep 60 & touch ready; wait", ENDING).await;
        assert!(polite < STEP * 100, "{polite:?}");
        let deaf = "trap '' TERM; sleep 60 & touch ready; wait";
        assert!(time_to_end(deaf, 5).await >= STEP * 5);
    }

    #[tokio::test]
    async fn the_leader_may_be_another_than_the_child() {
        let mut daemon = shell("setsid sh -c 'echo $$ > pid; exec sleep 60'", true);
        let (pid, child) = (exists(&daemon, "pid"), daemon.pid());
        daemon.wait_until(|| fs::read(&pid).is_ok_and(|text| text.ends_with(b"\n"))).await.unwrap();
        let leader = daemon.leader().unwrap();
        assert_ne!(leader.as_raw_nonzero().get().cast_unsigned(), child);
        let began = Instant::now();
        drop(daemon);
        assert!(began.elapsed() < STEP * 100);
        assert!(test_kill_process_group(leader).is_err());
    }

    #[tokio::test]
    async fn a_failed_start_shows_what_was_said() {
        let mut daemon = shell("echo bad key >&2; echo worse > log; exit 3", false);
        let error = daemon.wait_until(|| false).await.unwrap_err().to_string();
        assert!(error.starts_with("test: it ended at once, exit status: 3"), "{error}");
        assert!(error.ends_with("\n  bad key\n  worse"), "{error}");
    }

    #[test]
    fn ports_differ() {
        let ports = free_ports::<20>().unwrap();
        let different: std::collections::BTreeSet<_> = ports.iter().collect();
        assert_eq!(different.len(), 20);
        assert!(version("nothing", &mut Command::new("/nowhere/at/all")).is_err());
    }
}
