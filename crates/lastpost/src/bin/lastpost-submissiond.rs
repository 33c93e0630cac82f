//! The program `lastpost-submissiond`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lastpost::daemon::main_submissiond()
}
