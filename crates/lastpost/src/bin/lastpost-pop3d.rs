//! The program `lastpost-pop3d`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lastpost::daemon::main_pop3d()
}
