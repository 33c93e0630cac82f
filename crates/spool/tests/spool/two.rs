//! Two processes, one spool: the second does not start, and says why.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use spool::{Spool, SpoolError};

use crate::kit::*;

/// Set in the process that has the spool: where that is.
const CHILD: &str = "SPOOL_TWO_TEST_DIRECTORY";

fn child(directory: &Path) {
    let (_spool, _) = Spool::open(&config(directory), Arc::new(auth::SystemClock::new())).unwrap();
    println!("\nOPEN");
    // Until the other side has seen enough.
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[test]
fn a_second_process_is_refused_and_told_which_has_the_spool() {
    if let Some(directory) = std::env::var_os(CHILD) {
        child(Path::new(&directory));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut first = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "two::a_second_process_is_refused_and_told_which_has_the_spool"])
        .arg("--nocapture")
        .env(CHILD, directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(first.stdout.take().unwrap());
    assert!(out.lines().map_while(Result::ok).any(|line| line == "OPEN"));
    let refused = Spool::open(&config(directory.path()), clock());
    let Err(error @ SpoolError::InUse { holder, .. }) = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(*holder, Some(first.id()));
    let text = error.to_string();
    assert!(text.contains(&format!("process, {}", first.id())), "{text}");
    assert!(text.contains("stop that daemon first"), "{text}");
    // Killed, it leaves nothing that keeps the next one out.
    first.kill().unwrap();
    first.wait().unwrap();
    open(&config(directory.path()), &clock());
}
