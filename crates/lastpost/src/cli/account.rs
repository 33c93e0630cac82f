//! `lastpost account`: the accounts of passwd-files and of databases of our own.

mod import;
mod list;
mod password;
mod policy;
mod schemes;
mod store;

use std::path::PathBuf;

use address::{AccountKey, Mailbox};
use auth::{Delegation, NewAccount, StoredHash, parse_cohort};
use clap::Subcommand;

use super::app_password::{self, AppPasswordCommand};
use super::{CliError, CommonArgs};
use crate::config::Config;
pub(crate) use password::PasswordArgs;
use policy::PolicyArgs;
use store::{Holder, Store};

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Add an account; asks for its password.
    Add {
        /// Login name.
        login: String,
        /// The source to add it to; default: the first that can be changed from here.
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
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
        /// The name by which a rollout schedule may select it.
        #[arg(long, value_parser = parse_cohort_name)]
        cohort: Option<String>,
        /// Have the password changed before it is good for anything.
        #[arg(long)]
        must_change: bool,
        #[command(flatten)]
        policy: PolicyArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Give an account a new password.
    Passwd {
        /// Login name.
        login: String,
        /// Have it changed again before it is good for anything.
        #[arg(long)]
        must_change: bool,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// List the accounts.
    List,
    /// Count how passwords are stored, and who can log in how.
    Schemes,
    /// Take over the accounts of another server.
    Import(import::ImportArgs),
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
    /// Further passwords of an account, made by the machine, one for each device.
    #[command(subcommand)]
    AppPassword(AppPasswordCommand),
}

pub(crate) fn run(command: &AccountCommand, common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    match command {
        AccountCommand::Add { .. } => add(&config, command),
        AccountCommand::Passwd { login, must_change, password } => {
            let key = key(&config, login)?;
            let hash = new_hash(&config, password)?;
            Holder::require(&config, &key)?.set_password(&key, &hash, *must_change)
        }
        AccountCommand::List => list::list(&config, common),
        AccountCommand::Schemes => schemes::run(&config, common),
        AccountCommand::Import(args) => import::run(args, &config, common),
        AccountCommand::Disable { login } => set_disabled(&config, login, true),
        AccountCommand::Enable { login } => set_disabled(&config, login, false),
        AccountCommand::AppPassword(command) => app_password::run(command, &config, common),
    }
}

fn add(config: &Config, command: &AccountCommand) -> Result<(), CliError> {
    let AccountCommand::Add {
        login,
        source,
        addresses,
        send_as,
        maildir,
        home,
        cohort,
        must_change,
        policy,
        password,
    } = command
    else {
        return Ok(());
    };
    let key = key(config, login)?;
    // Before the table is locked: somebody types.
    let hash = new_hash(config, password)?;
    let mut store = Store::open(config, source.as_deref())?;
    // What another source has would hide the new account, or be hidden by it.
    if !config.accounts.source.is_empty() && !store.has(&key)? {
        drop(store);
        if let Some(holder) = Holder::of(config, &key)? {
            let name = holder.source_name().unwrap_or("another");
            return Err(CliError::Failed(format!(
                "there is an account {key} already, of the source {name:?}"
            )));
        }
        store = Store::open(config, source.as_deref())?;
    }
    let new = NewAccount {
        key,
        hash,
        addresses: addresses.clone(),
        send_as: send_as.clone(),
        home: home.clone(),
        maildir: maildir.clone(),
        disabled: false,
        must_change: *must_change,
        cohort: cohort.clone(),
        policy: policy.policy(),
    };
    store.add(&new)?;
    store.finish()
}

fn parse_cohort_name(text: &str) -> Result<String, String> {
    parse_cohort(text).map(str::to_owned).map_err(|expected| format!("expected {expected}"))
}

fn key(config: &Config, login: &str) -> Result<AccountKey, CliError> {
    let domain = config.accounts.domain().map_err(CliError::failed)?;
    AccountKey::parse(login, domain.as_ref())
        .map_err(|error| CliError::Usage(format!("{login:?} is no login: {error}")))
}

fn set_disabled(config: &Config, login: &str, disabled: bool) -> Result<(), CliError> {
    let key = key(config, login)?;
    Holder::require(config, &key)?.set_disabled(&key, disabled)
}

fn new_hash(config: &Config, args: &PasswordArgs) -> Result<StoredHash, CliError> {
    let recipe = config.auth.new_hashes().map_err(CliError::failed)?;
    let password = args.read_new()?;
    recipe.make(password.as_bytes()).map_err(CliError::failed)
}
