//! `lastpost account app-password`: passwords that the machine makes, one for each device.

use accounts::app_passwords::{AppPassword, AppPasswordEditor};
use address::AccountKey;
use auth::{Clock as _, Service, SystemClock};
use clap::{Subcommand, ValueEnum};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil::Date};
use serde::Serialize;

use super::output::table;
use super::{CliError, CommonArgs};
use crate::cli::accounts::Accounts;
use crate::config::Config;

/// App passwords that are read at once.
const PAGE: u32 = 1000;

/// What can be done with app passwords.
#[derive(Debug, Subcommand)]
pub(crate) enum AppPasswordCommand {
    /// Make an app password for an account; it is shown this once.
    Add {
        /// Login name of the account.
        login: String,
        /// What the customer knows it by, such as "phone".
        #[arg(long)]
        name: String,
        /// The only service at which it is good.
        #[arg(long, value_name = "SERVICE")]
        only: Option<OnlyService>,
        /// The day from which it is good no more, such as 2027-03-31, or an instant such as
        /// 2027-03-31T12:00:00Z.
        #[arg(long, value_name = "DATE", value_parser = parse_expires)]
        expires: Option<Timestamp>,
    },
    /// List app passwords and when they were used last; all of them without a login.
    List {
        /// Login name of the account.
        login: Option<String>,
    },
    /// Revoke an app password; it counts from the next login on.
    Revoke {
        /// Login name of the account.
        login: String,
        /// Its name.
        #[arg(required_unless_present = "all")]
        name: Option<String>,
        /// Revoke all app passwords of the account.
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
    /// Remove the app passwords of accounts that exist no more.
    Prune,
}

/// A service as the command line has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnlyService {
    /// Fetching mail.
    Pop3,
    /// Sending mail.
    Submission,
}

impl From<OnlyService> for Service {
    fn from(only: OnlyService) -> Self {
        match only {
            OnlyService::Pop3 => Self::Pop3,
            OnlyService::Submission => Self::Submission,
        }
    }
}

#[derive(Serialize)]
struct Made<'a> {
    account: &'a str,
    name: &'a str,
    password: &'a str,
}

#[derive(Serialize)]
struct Listed {
    account: String,
    name: String,
    only: Option<&'static str>,
    created: Timestamp,
    expires: Option<Timestamp>,
    used: Option<Timestamp>,
    used_from: Option<String>,
    used_by: Option<&'static str>,
}

impl From<AppPassword> for Listed {
    fn from(one: AppPassword) -> Self {
        let AppPassword { account, name, only, created, expires, last_use } = one;
        Self {
            account,
            name,
            only: only.map(word),
            created,
            expires,
            used: last_use.map(|last| last.at),
            used_from: last_use.map(|last| last.client.to_string()),
            used_by: last_use.map(|last| word(last.service)),
        }
    }
}

pub(crate) fn run(
    command: &AppPasswordCommand,
    config: &Config,
    common: &CommonArgs,
) -> Result<(), CliError> {
    match command {
        AppPasswordCommand::Add { login, name, only, expires } => {
            let account = Accounts::open(config)?.account(login)?;
            std::fs::create_dir_all(&config.data_directory).map_err(CliError::failed)?;
            let editor = AppPasswordEditor::open(&config.data_directory);
            let mut editor = editor.map_err(CliError::failed)?;
            let now = SystemClock::new().now().wall;
            let only = only.map(Service::from);
            let made = editor.add(account.key(), name, only, *expires, now);
            let password = made.map_err(CliError::failed)?;
            let made = Made { account: account.key().as_str(), name, password: &password };
            common.output().show(&made, |made| made.password.to_owned())
        }
        AppPasswordCommand::List { login } => list(login.as_deref(), config, common),
        AppPasswordCommand::Revoke { login, name, .. } => {
            let key = key(config, login)?;
            let missing = || CliError::Failed(format!("{key} has no such app password"));
            let mut editor = existing(config)?.ok_or_else(missing)?;
            let count = match name {
                Some(name) => usize::from(editor.revoke(&key, name).map_err(CliError::failed)?),
                None => editor.revoke_all(key.as_str()).map_err(CliError::failed)?,
            };
            match count {
                0 => Err(missing()),
                count => common.output().show(&count, |count| format!("{count} revoked")),
            }
        }
        AppPasswordCommand::Prune => prune(config, common),
    }
}

fn existing(config: &Config) -> Result<Option<AppPasswordEditor>, CliError> {
    AppPasswordEditor::open_existing(&config.data_directory).map_err(CliError::failed)
}

/// The key of a login, whether or not the account is there: what it has can be revoked while
/// its source is down.
fn key(config: &Config, login: &str) -> Result<AccountKey, CliError> {
    let domain = config.accounts.domain().map_err(CliError::failed)?;
    AccountKey::parse(login, domain.as_ref())
        .map_err(|error| CliError::Usage(format!("{login:?} is no login: {error}")))
}

fn list(login: Option<&str>, config: &Config, common: &CommonArgs) -> Result<(), CliError> {
    let key = login.map(|login| key(config, login)).transpose()?;
    let mut listed: Vec<Listed> = Vec::new();
    if let Some(editor) = existing(config)? {
        loop {
            let last = listed.last().map(|last| (last.account.as_str(), last.name.as_str()));
            let page = editor.page(key.as_ref(), last, PAGE).map_err(CliError::failed)?;
            if page.is_empty() {
                break;
            }
            listed.extend(page.into_iter().map(Listed::from));
        }
    }
    common.output().show(&listed, |listed| {
        let day = |instant: Option<Timestamp>| instant.map_or(String::new(), |at| at.to_string());
        let rows = listed.iter().map(|one| {
            vec![
                one.account.clone(),
                one.name.clone(),
                one.only.unwrap_or("any").to_owned(),
                one.created.to_string(),
                day(one.expires),
                day(one.used),
                one.used_from.clone().unwrap_or_default(),
                one.used_by.unwrap_or_default().to_owned(),
            ]
        });
        let header = ["account", "name", "service", "made", "expires", "last used", "from", "at"];
        table(&header, rows)
    })
}

fn prune(config: &Config, common: &CommonArgs) -> Result<(), CliError> {
    let accounts = Accounts::open(config)?;
    let mut removed = 0;
    if let Some(mut editor) = existing(config)? {
        let mut after = String::new();
        loop {
            let page = editor.accounts(&after, PAGE).map_err(CliError::failed)?;
            let Some(last) = page.last() else { break };
            after.clone_from(last);
            for login in &page {
                // What cannot be anybody's login is nobody's; a source that cannot say ends it.
                let gone = match AccountKey::parse(login, None) {
                    Ok(key) => accounts.find(&key)?.is_none(),
                    Err(_) => true,
                };
                if gone {
                    removed += editor.revoke_all(login).map_err(CliError::failed)?;
                }
            }
        }
    }
    common.output().show(&removed, |removed| format!("{removed} removed"))
}

fn word(service: Service) -> &'static str {
    match service {
        Service::Pop3 => "pop3",
        Service::Submission => "submission",
    }
}

/// A date, whose first instant on this machine's clock is meant, or an instant.
fn parse_expires(text: &str) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let expected = "expected a date such as 2027-03-31, or an instant such as 2027-03-31T12:00:00Z";
    let date: Date = text.parse().map_err(|_| expected.to_owned())?;
    let midnight = date.at(0, 0, 0, 0);
    TimeZone::system().to_timestamp(midnight).map_err(|error| format!("{error}; {expected}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Cli, Command};
    use super::*;
    use crate::cli::account::AccountCommand;

    fn parse(line: &str) -> Result<AppPasswordCommand, String> {
        let line = format!("lastpost account app-password {line}");
        match Cli::try_parse_from(line.split_whitespace()) {
            Ok(Cli { command: Command::Account(AccountCommand::AppPassword(command)), .. }) => {
                Ok(command)
            }
            Ok(_) => Err("another command".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn what_can_be_said() {
        let all = "add ann --name phone --only pop3 --expires 2027-03-31T12:00:00Z";
        let Ok(AppPasswordCommand::Add { login, name, only, expires }) = parse(all) else {
            panic!("{all}");
        };
        assert_eq!((&*login, &*name, only), ("ann", "phone", Some(OnlyService::Pop3)));
        assert_eq!(expires.map(Timestamp::as_second), Some(1_806_494_400));
        for good in ["list", "list ann", "revoke ann phone", "revoke ann --all", "prune"] {
            parse(good).unwrap();
        }
        for (wrong, says) in [
            ("add ann", "--name"),
            ("add ann --name x --only imap", "pop3, submission"),
            ("add ann --name x --expires tomorrow", "expected a date"),
            ("add ann --name x --expires 2027-02-30", "expected a date"),
            ("revoke ann", "NAME"),
            ("revoke ann phone --all", "cannot be used with"),
        ] {
            let problem = parse(wrong).unwrap_err();
            assert!(problem.contains(says), "{wrong}: {problem}");
        }
        assert!(parse_expires("2027-03-31").is_ok());
    }
}
