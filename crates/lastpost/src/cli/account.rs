//! `lastpost account` and `lastpost hash`: the passwd-file.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::time::Duration;

use address::{AccountKey, Mailbox};
use auth::{
    AccountPolicy, Delegation, NewAccount, PasswdEditor, Quota, RetentionDays,
    StoredHash, parse_login_delay, parse_sessions,
};
use clap::{Args, Subcommand};
use serde::Serialize;
use zeroize::Zeroizing;

use super::output::table;
use super::{CliError, CommonArgs};
use crate::cli::accounts::Accounts;
use crate::config::Config;

/// A password from a pipe is never longer.
const PASSWORD_INPUT_MAX: u64 = 4096;

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Add an account; asks for its password.
    Add {
        /// Login name.
        login: String,
        /// Addresses that it may send as; default: the login itself.
        #[arg(long = "address", value_name = "ADDRESS")]
        addresses: Vec<Mailbox>,
        /// What others let it send as: an address, or @DOMAIN for all of a domain.
        #[arg(long, value_name = "ADDRESS|@DOMAIN", value_parser = Delegation::parse)]
        send_as: Vec<Delegation>,
        /// Its Maildir; default: as accounts.maildir says.
        #[arg(long)]
        maildir: Option<PathBuf>,
        /// Its home directory, below which the Maildir lies by default.
        #[arg(long)]
        home: Option<PathBuf>,
        #[command(flatten)]
        policy: PolicyArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Give an account a new password.
    Passwd {
        /// Login name.
        login: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// List the accounts.
    List,
    /// Let an account log in no more.
    Disable {
        /// Login name.
        login: String,
    },
    /// Let a disabled account log in again.
    Enable {
        /// Login name.
        login: String,
    },
}

/// What is agreed with one customer; default: what the configuration says for all.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// Least time between two of its POP3 logins, such as 60s or 10m.
    #[arg(long, value_name = "PERIOD", value_parser = parse_login_delay)]
    login_delay: Option<Duration>,
    /// POP3 sessions that it may have at once.
    #[arg(long, value_name = "NUMBER", value_parser = parse_sessions)]
    sessions: Option<u32>,
    /// How long its mail is kept after POP3 has fetched it, such as 30d, or never.
    #[arg(long, value_name = "DAYS", value_parser = RetentionDays::parse)]
    expire_retrieved: Option<RetentionDays>,
    /// How long its mail is kept after it came, such as 365d, or never.
    #[arg(long, value_name = "DAYS", value_parser = RetentionDays::parse)]
    expire_arrived: Option<RetentionDays>,
    /// How much mail it may have: octets, and messages behind a comma, such as 1G,10000.
    #[arg(long, value_name = "OCTETS[,MESSAGES]", value_parser = Quota::parse)]
    quota: Option<Quota>,
    /// The profile of [limits] that holds for what it sends.
    #[arg(long, value_name = "PROFILE")]
    limits: Option<String>,
}

impl PolicyArgs {
    fn policy(&self) -> AccountPolicy {
        AccountPolicy {
            login_delay: self.login_delay,
            sessions_max: self.sessions,
            expire_after_retrieval: self.expire_retrieved,
            expire_after_arrival: self.expire_arrived,
            quota: self.quota,
            limits: self.limits.as_deref().map(Into::into),
        }
    }
}

/// Where a password comes from.
#[derive(Debug, Args)]
pub(crate) struct PasswordArgs {
    /// Read the password from the standard input instead of the terminal.
    #[arg(long)]
    password_stdin: bool,
}

/// What `hash` can be told.
#[derive(Debug, Args)]
pub(crate) struct HashArgs {
    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Serialize)]
struct ListedAccount {
    login: String,
    addresses: Vec<String>,
    send_as: Vec<String>,
    maildir: PathBuf,
    scheme: String,
    disabled: bool,
    /// As the table has it: `quota=1G` and the like.
    policy: Vec<String>,
}

pub(crate) fn run(command: &AccountCommand, common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    match command {
        AccountCommand::Add { login, addresses, send_as, maildir, home, policy, password } => {
            let key = key(&config, login)?;
            let hash = new_hash(&config, password)?;
            let mut editor = open(&config)?;
            let account = NewAccount {
                key,
                hash,
                addresses: addresses.clone(),
                send_as: send_as.clone(),
                home: home.clone(),
                maildir: maildir.clone(),
                disabled: false,
                policy: policy.policy(),
            };
            editor.add(&account).map_err(CliError::failed)?;
            editor.save().map_err(CliError::failed)
        }
        AccountCommand::Passwd { login, password } => {
            let key = key(&config, login)?;
            let hash = new_hash(&config, password)?;
            let mut editor = open(&config)?;
            editor.set_password(&key, &hash).map_err(CliError::failed)?;
            editor.save().map_err(CliError::failed)
        }
        AccountCommand::List => list(&config, common),
        AccountCommand::Disable { login } => set_disabled(&config, login, true),
        AccountCommand::Enable { login } => set_disabled(&config, login, false),
    }
}

fn open(config: &Config) -> Result<PasswdEditor, CliError> {
    PasswdEditor::open(&config.accounts).map_err(CliError::failed)
}

fn key(config: &Config, login: &str) -> Result<AccountKey, CliError> {
    let domain = config.accounts.domain().map_err(CliError::failed)?;
    AccountKey::parse(login, domain.as_ref())
        .map_err(|error| CliError::Usage(format!("{login:?} is no login: {error}")))
}

fn set_disabled(config: &Config, login: &str, disabled: bool) -> Result<(), CliError> {
    let key = key(config, login)?;
    let mut editor = open(config)?;
    editor.set_disabled(&key, disabled).map_err(CliError::failed)?;
    editor.save().map_err(CliError::failed)
}

fn list(config: &Config, common: &CommonArgs) -> Result<(), CliError> {
    let accounts: Vec<ListedAccount> = Accounts::open(config)?
        .all()?
        .iter()
        .map(|account| ListedAccount {
            login: account.key().to_string(),
            addresses: account.addresses().iter().map(ToString::to_string).collect(),
            send_as: account.delegations().iter().map(ToString::to_string).collect(),
            maildir: account.maildir().to_owned(),
            scheme: account.hash().map_or("at source", |hash| hash.scheme().as_str()).to_owned(),
            disabled: account.is_disabled(),
            policy: account.policy().words(),
        })
        .collect();
    common.output().show(&accounts, |accounts| {
        let rows = accounts.iter().map(|account| {
            vec![
                account.login.clone(),
                account.scheme.clone(),
                if account.disabled { "disabled" } else { "" }.to_owned(),
                [&account.addresses[..], &account.send_as].concat().join(","),
                account.maildir.display().to_string(),
                account.policy.join(" "),
            ]
        });
        table(&["login", "scheme", "state", "sends as", "maildir", "policy"], rows)
    })
}

pub(crate) fn hash(args: &HashArgs, common: &CommonArgs) -> Result<(), CliError> {
    // Without a configuration the default cost serves.
    let config = Config::load(&common.config).map(|config| config.auth).unwrap_or_default();
    let password = read_password(&args.password)?;
    let cost = config.argon2().map_err(CliError::failed)?;
    let hash = auth::hash_new(password.as_bytes(), &cost).map_err(CliError::failed)?;
    common.output().show(&*hash.to_field(), Clone::clone)
}

fn new_hash(config: &Config, args: &PasswordArgs) -> Result<StoredHash, CliError> {
    let password = read_password(args)?;
    let cost = config.auth.argon2().map_err(CliError::failed)?;
    auth::hash_new(password.as_bytes(), &cost).map_err(CliError::failed)
}

fn read_password(args: &PasswordArgs) -> Result<Zeroizing<String>, CliError> {
    let password = if args.password_stdin || !std::io::stdin().is_terminal() {
        let mut text = Zeroizing::new(String::new());
        std::io::stdin()
            .take(PASSWORD_INPUT_MAX)
            .read_to_string(&mut text)
            .map_err(CliError::failed)?;
        Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())
    } else {
        let once = Zeroizing::new(ask("Password: ")?);
        let again = Zeroizing::new(ask("Again: ")?);
        if once != again {
            return Err(CliError::Usage("the two passwords differ".to_owned()));
        }
        once
    };
    if password.is_empty() {
        return Err(CliError::Usage("the password is empty".to_owned()));
    }
    Ok(password)
}

fn ask(prompt: &str) -> Result<String, CliError> {
    rpassword::prompt_password(prompt).map_err(CliError::failed)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, Command};
    use super::*;

    fn words(arguments: &str) -> Result<Vec<String>, String> {
        let line = format!("lastpost account add ann {arguments}");
        match Cli::try_parse_from(line.split_whitespace()) {
            Ok(Cli { command: Command::Account(AccountCommand::Add { policy, .. }), .. }) => {
                Ok(policy.policy().words())
            }
            Ok(_) => Err("another command".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn what_is_agreed_with_a_customer_is_said_on_the_command_line() {
        assert_eq!(words(""), Ok(Vec::new()));
        let all = "--login-delay 10m --sessions 4 --expire-retrieved 30d --expire-arrived never \
                   --quota 1GiB,10000";
        let expected = [
            "login_delay=600s",
            "sessions=4",
            "expire_retrieved=30d",
            "expire_arrived=never",
            "quota=1G,10000",
        ];
        assert_eq!(words(all), Ok(expected.map(str::to_owned).to_vec()));
        for (wrong, says) in [
            ("--quota 1X", "octets such as"),
            ("--sessions 0", "1 to 100000"),
            ("--login-delay 60", "whole seconds"),
            ("--expire-retrieved 30", "\"30d\""),
        ] {
            let problem = words(wrong).unwrap_err();
            assert!(problem.contains(says), "{wrong}: {problem}");
        }
    }
}
