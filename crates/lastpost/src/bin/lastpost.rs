//! The program `lastpost`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lastpost::cli::main()
}
