//! `lastpost demo` as a stranger runs it: every line of its walk-through does what it says, and
//! the directory is a complete installation afterwards.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lastpost_tests::eventually;

const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");
const PATIENCE: Duration = Duration::from_secs(60);

struct Demo(Child);

/// The demo likes memorable ports: one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Demo {
    fn start(directory: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("demo").arg("--dir").arg(directory).args(more);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    /// Ctrl-C; whether it ended cleanly.
    fn interrupt(mut self) -> bool {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let mut status = None;
        eventually(PATIENCE, "the demo to end", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        status.is_some_and(|status| status.success())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn manifest(directory: &Path) -> serde_json::Value {
    let file = directory.join("demo.json");
    eventually(PATIENCE, "demo.json", || file.exists());
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

#[test]
fn each_line_of_the_walk_through_gives_what_it_says() {
    if Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_none(), "curl is not installed");
        eprintln!("skipped: curl is not installed");
        return;
    }
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let demo = Demo::start(directory.path(), &[]);
    let manifest = manifest(directory.path());
    let steps = manifest["walkthrough"].as_array().unwrap();
    assert!(steps.len() >= 6);
    for step in steps {
        let command = step["command"].as_str().unwrap();
        let expected = step["expect"].as_str().unwrap();
        let output = Command::new("sh").args(["-c", command]).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(shown.contains(expected), "{command}\nexpected {expected:?} in\n{shown}");
    }
    assert!(demo.interrupt());
}

#[test]
fn the_manifest_names_everything_and_serve_runs_it_again() {
    let _alone = alone();
    let directory = tempfile::tempdir().unwrap();
    let demo = Demo::start(directory.path(), &["--accounts", "7", "--next-hop", "127.0.0.1:9"]);
    let manifest = manifest(directory.path());
    for port in ["pop3", "pop3s", "legacy", "submission", "submissions", "control"] {
        assert!(manifest["ports"][port].as_u64().is_some_and(|port| port > 0), "{port}");
    }
    let accounts = manifest["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), 7);
    let cohorts: Vec<_> = accounts.iter().map(|a| a["cohort"].as_str().unwrap()).collect();
    assert_eq!(cohorts, ["open", "notice", "closed", "open", "open", "open", "open"]);
    for account in accounts {
        for file in ["login", "password", "maildir"] {
            assert!(account[file].as_str().is_some_and(|text| !text.is_empty()), "{file}");
        }
        assert!(Path::new(account["maildir"].as_str().unwrap()).join("new").is_dir());
    }
    for file in ["certificate", "spool", "config"] {
        assert!(Path::new(manifest[file].as_str().unwrap()).exists(), "{file}");
    }
    assert!(demo.interrupt());

    let config = manifest["config"].as_str().unwrap();
    let child = Command::new(PROGRAM)
        .args(["serve", "--config", config])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let serving = Demo(child);
    let mut status = None;
    eventually(PATIENCE, "the installation to serve again", || {
        let output =
            Command::new(PROGRAM).args(["status", "--json", "--config", config]).output().unwrap();
        status = serde_json::from_slice::<serde_json::Value>(&output.stdout).ok();
        status.is_some()
    });
    assert_eq!(status.unwrap()["listeners"].as_array().unwrap().len(), 6);
    assert!(serving.interrupt());
}

#[test]
fn a_directory_with_something_else_in_it_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let precious = directory.path().join("thesis.tex");
    std::fs::write(&precious, "years of work").unwrap();
    let output =
        Command::new(PROGRAM).arg("demo").arg("--dir").arg(directory.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not empty"));
    assert_eq!(std::fs::read_to_string(precious).unwrap(), "years of work");
}
