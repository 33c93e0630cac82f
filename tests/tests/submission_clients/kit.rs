//! A house that takes mail, and programs to send it.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use lastpost_tests::{House, Plan, eventually};

pub(crate) const AIKO: &str = "aiko@open.example";
/// A mailbox of this house: what is sent to it can be looked at as it was stored.
pub(crate) const BERT: &str = "bert@open.example";
pub(crate) const FRIEND: &str = "friend@elsewhere.example";

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn house() -> House {
    House::start(Plan::default())
}

/// A house with further lines in `[submission]`.
pub(crate) fn house_with(submission: &'static str) -> House {
    House::start(Plan { submission, ..Plan::default() })
}

/// Whether a program is there. Where it must be (`LASTPOST_REQUIRE_CLIENTS`), its absence fails
/// the test; elsewhere the test says that it was skipped.
pub(crate) fn has(program: &str, arguments: &[&str]) -> bool {
    let found = Command::new(program).args(arguments).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        let required = std::env::var_os("LASTPOST_REQUIRE_CLIENTS").is_some();
        assert!(!required, "{program} {arguments:?} does not run");
        eprintln!("skipped: {program} {arguments:?} does not run");
    }
    found
}

/// Runs a program that must succeed.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    output
}

pub(crate) fn said(output: &Output) -> String {
    let text = |octets| String::from_utf8_lossy(octets).into_owned();
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}

pub(crate) fn port(house: &House, listener: &str) -> String {
    house.address(listener).port().to_string()
}

pub(crate) fn certificate(house: &House) -> PathBuf {
    house.path("certificate.pem")
}

/// What lies in bert's mailbox, once there are `count` messages; in any order.
pub(crate) fn arrived(house: &House, count: usize) -> Vec<String> {
    let folder = house.maildir(BERT).join("new");
    let files = || -> Vec<PathBuf> {
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    eventually(PATIENCE, "local mail", || files().len() >= count);
    let read = |path: &PathBuf| String::from_utf8(std::fs::read(path).unwrap()).unwrap();
    let all: Vec<_> = files().iter().map(read).collect();
    assert_eq!(all.len(), count);
    all
}

/// The lines of the header whose name it is, unfolded.
pub(crate) fn field(message: &str, name: &str) -> Vec<String> {
    let message = message.replace("\r\n", "\n");
    let header = message.split("\n\n").next().unwrap().replace("\n\t", " ").replace("\n ", " ");
    let begin = format!("{}:", name.to_lowercase());
    header
        .lines()
        .filter(|line| line.to_lowercase().starts_with(&begin))
        .map(str::to_owned)
        .collect()
}

/// How many messages are queued.
pub(crate) fn queued(house: &House) -> u64 {
    let status = house.control().get("/status").unwrap();
    let json: serde_json::Value = serde_json::from_str(&status).unwrap();
    json["queued"].as_u64().unwrap()
}
