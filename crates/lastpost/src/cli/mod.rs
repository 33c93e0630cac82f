//! The command line: what can be said, and who does it.

mod account;
pub(crate) mod accounts;
mod app_password;
mod auth;
mod check;
mod dkim;
mod expire;
mod hash;
mod limits;
mod maildrop;
pub(crate) mod output;
mod queue;
mod route;
pub(crate) mod running;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

pub use output::Output;

use crate::config::{Config, ConfigError};

/// POP3 and submission for mail providers, with a bridge that knows its own end date.
#[derive(Debug, Parser)]
#[command(name = "lastpost", version, arg_required_else_help = true)]
#[command(after_help = "Try it: lastpost demo")]
struct Cli {
    #[command(flatten)]
    common: CommonArgs,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
pub struct CommonArgs {
    /// The configuration file.
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        env = "LASTPOST_CONFIG",
        default_value = "/etc/lastpost/lastpost.toml"
    )]
    pub config: PathBuf,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub json: bool,
}

impl CommonArgs {
    /// Reads the configuration that `--config` names.
    ///
    /// # Errors
    /// If it has a mistake.
    pub fn load(&self) -> Result<Config, CliError> {
        Config::load(&self.config).map_err(CliError::from)
    }

    /// Where results go.
    #[must_use]
    pub fn output(&self) -> Output {
        Output::new(self.json)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole story on this machine: both daemons, seeded mail, a walk-through.
    Demo(crate::demo::DemoArgs),
    /// Run both daemons in one process.
    Serve,
    /// Read the configuration and everything it names; say what is wrong.
    Check,
    /// Tell the running daemon to read its certificates, accounts and schedules again.
    Reload,
    /// Show what the running daemon is doing.
    Status,
    /// Look after the accounts in the passwd-file.
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Read a password from the terminal (or the standard input) and print its hash.
    Hash(hash::HashArgs),
    /// Look after the queue of accepted messages.
    #[command(subcommand)]
    Queue(queue::QueueCommand),
    /// Show where mail for an address would go, and how the hops on the way are.
    Route(route::RouteArgs),
    /// See who attacks, who is blocked, and forgive.
    #[command(subcommand)]
    Auth(auth::AuthCommand),
    /// Look after what accounts may send.
    #[command(subcommand)]
    Limits(limits::LimitsCommand),
    /// Make and show the keys that sign messages (DKIM).
    #[command(subcommand)]
    Dkim(dkim::DkimCommand),
    /// Find the customer behind a Received field whose client is a token.
    Trace(trace::TraceArgs),
    /// Look into a maildrop as a POP3 client would see it.
    #[command(subcommand)]
    Maildrop(maildrop::MaildropCommand),
    #[cfg(feature = "pop-before-smtp")] // retire
    #[command(flatten)] // retire
    Bridge(crate::bridge::BridgeCommand), // retire
    /// Print the completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// How a command fails: with what message, and with which exit status.
#[derive(Debug)]
pub enum CliError {
    /// The configuration or the command's own words are wrong: exit status 2.
    Usage(String),
    /// The command was understood and did not succeed: exit status 1.
    Failed(String),
}

impl CliError {
    /// A failure with `error`'s text.
    pub fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Runs the command line of `lastpost`.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    finish(run(&cli))
}

/// Turns a command's result into message and exit status: 0 fine, 1 failed, 2 usage or
/// configuration.
pub(crate) fn finish(result: Result<(), CliError>) -> ExitCode {
    let (message, status) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(CliError::Failed(message)) => (message, 1),
        Err(CliError::Usage(message)) => (message, 2),
    };
    anstream::eprintln!("{}error:{:#} {message}", output::ERROR, output::ERROR);
    ExitCode::from(status)
}

fn run(cli: &Cli) -> Result<(), CliError> {
    let common = &cli.common;
    match &cli.command {
        Command::Demo(args) => crate::demo::run(args, common.json),
        Command::Serve => crate::daemon::run(common, crate::service::Role::Both),
        Command::Check => check::run(common),
        Command::Reload => running::reload(common),
        Command::Status => running::status(common),
        Command::Account(command) => account::run(command, common),
        Command::Hash(args) => hash::run(args, common),
        Command::Queue(command) => queue::run(command, common),
        Command::Route(args) => route::run(args, common),
        Command::Auth(command) => auth::run(command, common),
        Command::Limits(command) => limits::run(command, common),
        Command::Dkim(command) => dkim::run(command, common),
        Command::Trace(args) => trace::run(args, common),
        Command::Maildrop(command) => maildrop::run(command, common),
        #[cfg(feature = "pop-before-smtp")] // retire
        Command::Bridge(command) => crate::bridge::run(command, common), // retire
        Command::Completions { shell } => {
            clap_complete::generate(
                *shell,
                &mut Cli::command(),
                "lastpost",
                &mut std::io::stdout(),
            );
            Ok(())
        }
        Command::Man => {
            let page = clap_mangen::Man::new(Cli::command());
            page.render(&mut std::io::stdout()).map_err(CliError::failed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
