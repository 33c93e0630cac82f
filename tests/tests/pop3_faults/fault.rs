//! System calls of a running daemon that fail as told: `strace` attaches itself, injects, and
//! lets go. Calls go straight to the kernel, so no library in between could do it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lastpost_tests::eventually;

use crate::kit::{PATIENCE, Shop};

/// How a message may be read, by whatever way the daemon reads it.
pub(crate) const READS: &str = "read,pread64,preadv,preadv2,readv";
/// How a file may be opened.
pub(crate) const OPENS: &str = "openat,openat2";
/// How a file may be written.
pub(crate) const WRITES: &str = "write,pwrite64,writev,pwritev,pwritev2";
/// How something may be put on disk for certain.
pub(crate) const SYNCS: &str = "fsync,fdatasync,syncfs";

/// Whether faults can be injected here. Where they must be (`LASTPOST_REQUIRE_CLIENTS`), a
/// missing `strace` fails the test; elsewhere the test says that it was skipped.
pub(crate) fn possible() -> bool {
    if let Err(error) = Command::new("strace").arg("--version").output() {
        let required = std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_some();
        assert!(!required, "strace is not installed: {error}");
        eprintln!("skipped: strace is not installed: {error}");
        return false;
    }
    // Some systems let nobody look into a process that is not a child of his own.
    let directory = tempfile::tempdir().unwrap();
    let mut patient = Command::new("sleep").arg("60").spawn().unwrap();
    let attached = Strace::attach(patient.id(), directory.path(), &[]);
    let possible = match attached {
        Ok(strace) => {
            drop(strace);
            true
        }
        Err(why) => {
            eprintln!("skipped: strace may not be used: {why}");
            false
        }
    };
    patient.kill().unwrap();
    patient.wait().unwrap();
    possible
}

/// What is to fail.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// System calls, separated by commas.
    pub(crate) calls: &'static str,
    /// Such as `EIO`.
    pub(crate) error: &'static str,
    /// Which of the calls of each thread: `1` the first, `2+` all but the first, `1+` all.
    pub(crate) when: &'static str,
    /// Only calls on one of these: as the call names it, or as the descriptor's file is called.
    pub(crate) paths: Vec<PathBuf>,
}

impl Plan {
    pub(crate) fn all(calls: &'static str, error: &'static str, paths: Vec<PathBuf>) -> Self {
        Self { calls, error, when: "1+", paths }
    }

    pub(crate) fn once(calls: &'static str, error: &'static str, paths: Vec<PathBuf>) -> Self {
        Self { calls, error, when: "1", paths }
    }
}

/// A file of a Maildir in all the ways in which a call may name it.
pub(crate) fn names(maildir: &Path, place: &str, name: &str) -> Vec<PathBuf> {
    vec![maildir.join(place).join(name), Path::new(place).join(name), name.into()]
}

/// Faults that are being injected; they end with this value.
pub(crate) struct Fault(Strace);

impl Fault {
    /// Attaches to the daemon; when this returns, the calls fail.
    pub(crate) fn inject(shop: &Shop, plan: &Plan) -> Self {
        let Plan { calls, error, when, paths } = plan;
        let mut what: Vec<OsString> = vec!["-e".into(), format!("trace={calls}").into()];
        what.extend(["-e".into(), format!("inject={calls}:error={error}:when={when}").into()]);
        what.extend(paths.iter().flat_map(|path| ["-P".into(), path.into()]));
        let directory = shop.site.installation().directory();
        Self(Strace::attach(shop.daemon().id(), directory, &what).unwrap())
    }

    /// Lets the daemon go; the calls that failed, as `strace` shows them.
    pub(crate) fn lift(mut self) -> Vec<String> {
        self.0.detach();
        let trace = fs::read_to_string(&self.0.trace).unwrap();
        trace.lines().filter(|line| line.ends_with("(INJECTED)")).map(str::to_owned).collect()
    }

    /// As [`lift`](Self::lift), where at least one call must have failed: a test in which none
    /// did has tested nothing.
    pub(crate) fn lift_after_hits(self) -> usize {
        let hits = self.lift();
        assert!(!hits.is_empty(), "no call has failed");
        hits.len()
    }
}

/// A running `strace`.
struct Strace {
    child: Child,
    trace: PathBuf,
}

impl Strace {
    /// Attaches to a process and all its threads; what went wrong if that is not allowed.
    fn attach(pid: u32, directory: &Path, what: &[OsString]) -> Result<Self, String> {
        let (trace, errors) = (directory.join("trace"), directory.join("trace.errors"));
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &pid.to_string(), "-o"]).arg(&trace).args(what);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(File::create(&errors).unwrap()).spawn().unwrap();
        let mut said = String::new();
        let mut ended = false;
        eventually(PATIENCE, "strace to attach", || {
            ended = child.try_wait().unwrap().is_some();
            said = fs::read_to_string(&errors).unwrap();
            ended || said.contains(" attached")
        });
        if ended { Err(said.trim().to_owned()) } else { Ok(Self { child, trace }) }
    }

    fn detach(&mut self) {
        // Only when it is asked to end does it let go of the process first.
        if matches!(self.child.try_wait(), Ok(None)) {
            let asked = Command::new("kill").arg(self.child.id().to_string()).status();
            assert!(asked.unwrap().success() || self.child.try_wait().unwrap().is_some());
            let _ = self.child.wait();
        }
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        self.detach();
    }
}
