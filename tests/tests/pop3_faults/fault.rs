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
    let traced = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    let why = match traced {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => {
            let required = std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_some();
            assert!(!required, "strace is not installed: {error}");
            error.to_string()
        }
    };
    eprintln!("skipped: strace cannot be used: {why}");
    false
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
pub(crate) struct Fault {
    strace: Child,
    trace: PathBuf,
}

impl Fault {
    /// Attaches to the daemon; when this returns, the calls fail.
    pub(crate) fn inject(shop: &Shop, plan: &Plan) -> Self {
        let directory = shop.site.installation().directory();
        let (trace, errors) = (directory.join("trace"), directory.join("trace.errors"));
        let Plan { calls, error, when, paths } = plan;
        let mut command = Command::new("strace");
        command.args(["-f", "-p", &shop.daemon().id().to_string(), "-o"]).arg(&trace);
        command.args(["-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={calls}:error={error}:when={when}")]);
        for path in paths {
            command.args([OsString::from("-P"), path.into()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut strace = command.stderr(File::create(&errors).unwrap()).spawn().unwrap();
        eventually(PATIENCE, "strace to attach", || {
            let said = fs::read_to_string(&errors).unwrap();
            assert!(strace.try_wait().unwrap().is_none(), "strace has ended: {said}");
            said.contains(" attached")
        });
        Self { strace, trace }
    }

    /// Lets the daemon go; the calls that failed, as `strace` shows them.
    pub(crate) fn lift(mut self) -> Vec<String> {
        self.detach();
        let trace = fs::read_to_string(&self.trace).unwrap();
        trace.lines().filter(|line| line.ends_with("(INJECTED)")).map(str::to_owned).collect()
    }

    /// As [`lift`](Self::lift), where at least one call must have failed: a test in which none
    /// did has tested nothing.
    pub(crate) fn lift_after_hits(self) -> usize {
        let hits = self.lift();
        assert!(!hits.is_empty(), "no call has failed");
        hits.len()
    }

    fn detach(&mut self) {
        // Only when it is asked to end does it let go of the daemon first.
        if matches!(self.strace.try_wait(), Ok(None)) {
            let asked = Command::new("kill").arg(self.strace.id().to_string()).status();
            assert!(asked.unwrap().success() || self.strace.try_wait().unwrap().is_some());
            let _ = self.strace.wait();
        }
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        self.detach();
    }
}
