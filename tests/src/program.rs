//! The three programs in one binary, so that tests can start, kill and restart them.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::var("LASTPOST_PROGRAM").as_deref() {
        Ok("lastpost-pop3d") => lastpost::daemon::main_pop3d(),
        Ok("lastpost-submissiond") => lastpost::daemon::main_submissiond(),
        _ => lastpost::cli::main(),
    }
}
