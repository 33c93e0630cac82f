//! retire: whole file
//! The command line beside a running house.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// Runs `lastpost --config CONFIG ARGUMENTS`.
pub(crate) fn run(config: &Path, arguments: &[&str]) -> Ended {
    let output = Command::new(PROGRAM)
        .arg("--config")
        .arg(config)
        .args(arguments)
        .env_remove("LASTPOST_PROGRAM")
        .env_remove("LASTPOST_CONFIG")
        .output()
        .unwrap();
    Ended {
        status: output.status.code(),
        output: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The same, which must succeed; its JSON.
pub(crate) fn json(config: &Path, arguments: &[&str]) -> Value {
    let ended = run(config, &[arguments, &["--json"]].concat());
    assert_eq!(ended.status, Some(0), "{arguments:?}: {}", ended.errors);
    serde_json::from_str(&ended.output).unwrap()
}
