//! Where a command gets a password from: a terminal, or a pipe.

use std::io::{IsTerminal, Read};

use clap::Args;
use zeroize::Zeroizing;

use crate::cli::CliError;

/// A password from a pipe is never longer.
const PASSWORD_INPUT_MAX: u64 = 4096;

/// Where a password comes from.
#[derive(Debug, Args)]
pub(crate) struct PasswordArgs {
    /// Read the password from the standard input instead of the terminal.
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordArgs {
    /// A new password; on a terminal it is asked for twice.
    ///
    /// # Errors
    /// If there is none, or the two differ.
    pub(crate) fn read_new(&self) -> Result<Zeroizing<String>, CliError> {
        if let Some(password) = self.piped()? {
            return Ok(password);
        }
        let once = ask("Password: ")?;
        if once != ask("Again: ")? {
            return Err(CliError::Usage("the two passwords differ".to_owned()));
        }
        some(once)
    }

    /// A password that exists.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn read_existing(&self) -> Result<Zeroizing<String>, CliError> {
        match self.piped()? {
            Some(password) => Ok(password),
            None => some(ask("Password: ")?),
        }
    }

    fn piped(&self) -> Result<Option<Zeroizing<String>>, CliError> {
        if !self.password_stdin && std::io::stdin().is_terminal() {
            return Ok(None);
        }
        let mut text = Zeroizing::new(String::new());
        std::io::stdin()
            .take(PASSWORD_INPUT_MAX)
            .read_to_string(&mut text)
            .map_err(CliError::failed)?;
        some(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())).map(Some)
    }
}

fn some(password: Zeroizing<String>) -> Result<Zeroizing<String>, CliError> {
    if password.is_empty() {
        return Err(CliError::Usage("the password is empty".to_owned()));
    }
    Ok(password)
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, CliError> {
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(CliError::failed)
}
