//! `lastpost account import`: takes over the accounts of another server, all of them or none.

mod csv;
mod entry;
mod lines;
mod report;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use accounts::sqlite::Existing as SqliteExisting;
use accounts::{Common, Row};
use address::AccountKey;
use auth::{Account, NewAccount, Scheme};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use zeroize::Zeroizing;

use self::entry::{Entry, Options, Taken};
use self::report::Report;
use super::schemes::{Counting, Schemes};
use super::store::{self, Store};
use crate::cli::hash::parse_scheme;
use crate::cli::{CliError, CommonArgs};
use crate::config::Config;

/// Longest input in octets: some five million accounts.
const INPUT_MAX: u64 = 1 << 30;

/// Whose accounts, and what is done with them.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The other server's table; "-" for the standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// How the table is written.
    #[arg(long, value_enum)]
    from: From,
    /// The source to add the accounts to; default: the first that can be changed from here.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// What happens to accounts that exist already.
    #[arg(long, value_enum, default_value_t)]
    existing: Existing,
    /// Take over what can be, though other lines cannot.
    #[arg(long)]
    partial: bool,
    /// Only tell what would happen.
    #[arg(long)]
    dry_run: bool,
    /// The domain of logins without one; default: accounts.default_domain.
    #[arg(long)]
    domain: Option<address::Domain>,
    /// The home directory where the table has none, with %u for the login, %n and %d for its
    /// parts before and behind the @.
    #[arg(long, value_name = "PATH")]
    home: Option<String>,
    /// The scheme of passwords that name none, such as PLAIN or PLAIN-MD5.
    #[arg(long, value_parser = parse_scheme)]
    scheme: Option<Scheme>,
}

/// A table that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum From {
    /// A passwd-file of Dovecot, or of this server.
    PasswdFile,
    /// shadow(5) of this or another host; accounts without a password are passed over.
    Shadow,
    /// vpasswd of vpopmail; logins need --domain.
    Vpopmail,
    /// A userdb of Courier, as text.
    Userdb,
    /// Lines of values with a first line of column names: login, password, addresses, send_as,
    /// maildir, home, cohort, disabled, must_change, quota, login_delay, sessions,
    /// expire_retrieved, expire_arrived, limits.
    Csv,
}

/// What happens to accounts that exist already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Existing {
    /// Nothing is taken over.
    #[default]
    Fail,
    /// They stay as they are.
    Skip,
    /// They become what the table says.
    Replace,
}

/// An account to be taken over.
struct Candidate {
    key: AccountKey,
    row: Row,
    account: Account,
}

pub(crate) fn run(args: &ImportArgs, config: &Config, common: &CommonArgs) -> Result<(), CliError> {
    let report = args.import(&args.read()?, config)?;
    common.output().show(&report, Report::describe)?;
    match (report.troubled(), args.partial) {
        (0, _) => Ok(()),
        (bad, true) => Err(CliError::Failed(format!("{bad} lines could not be taken over"))),
        (bad, false) => Err(CliError::Failed(format!(
            "{bad} lines cannot be taken over, so nothing was written; --partial takes the others"
        ))),
    }
}

impl ImportArgs {
    fn import(&self, input: &[u8], config: &Config) -> Result<Report, CliError> {
        let mut taken = self.take(input, &config.accounts.default_domain);
        let shared = store::shared(config)?;
        let mut store = Store::open(config, self.source.as_deref())?;
        let mut counting = Counting::new(config)?;
        let candidates = self.check(&mut taken, &shared, &store)?;
        candidates.iter().for_each(|candidate| counting.count(&candidate.account));
        let passwords = counting.finish(Vec::new());
        let mut report = Report::new(self, taken.bad, taken.remarks, passwords);
        if report.troubled() == 0 || self.partial {
            self.put(&mut store, &candidates, &mut report)?;
            if !self.dry_run {
                store.finish()?;
                report.written = true;
            }
        }
        Ok(report)
    }

    fn read(&self) -> Result<Zeroizing<Vec<u8>>, CliError> {
        let mut input = Zeroizing::new(Vec::new());
        let limit = INPUT_MAX + 1;
        let read = if self.is_stdin() {
            std::io::stdin().lock().take(limit).read_to_end(&mut input)
        } else {
            std::fs::File::open(&self.file)
                .and_then(|file| file.take(limit).read_to_end(&mut input))
        };
        read.map_err(|error| CliError::Failed(format!("{}: {error}", self.name())))?;
        if input.len() as u64 > INPUT_MAX {
            return Err(CliError::Failed(format!("{}: longer than 1 GiB", self.name())));
        }
        Ok(input)
    }

    fn is_stdin(&self) -> bool {
        self.file == Path::new("-")
    }

    /// What messages call the input.
    fn name(&self) -> String {
        if self.is_stdin() { "stdin".to_owned() } else { self.file.display().to_string() }
    }

    fn take(&self, input: &[u8], default_domain: &str) -> Taken {
        let stated = self.domain.as_ref().map(ToString::to_string);
        let options = Options {
            domain: stated.or_else(|| Some(default_domain.to_owned())).filter(|d| !d.is_empty()),
            home: self.home.clone(),
            scheme: self.scheme,
        };
        let mut taken = match self.from {
            From::PasswdFile => lines::read(input, lines::passwd_file),
            From::Shadow => lines::read(input, lines::shadow),
            From::Vpopmail => lines::read(input, lines::vpopmail),
            From::Userdb => lines::read(input, lines::userdb),
            From::Csv => csv::read(input),
        };
        taken.entries.iter_mut().for_each(|entry| entry.complete(&options));
        taken
    }

    /// The accounts of those entries that make one; what is wrong with the others goes to
    /// `taken.bad`.
    fn check(
        &self,
        taken: &mut Taken,
        shared: &Common,
        store: &Store,
    ) -> Result<Vec<Candidate>, CliError> {
        let entries = std::mem::take(&mut taken.entries);
        let mut lines: HashMap<AccountKey, u32> = HashMap::with_capacity(entries.len());
        let mut candidates = Vec::with_capacity(entries.len());
        let bar = progress(entries.len(), "checked");
        for entry in entries {
            bar.inc(1);
            let Entry { row, .. } = &entry;
            let account = match row.clone().into_account(shared) {
                Ok(account) => account,
                Err(error) => {
                    let problem = format!("{}: {}", error.column, error.problem);
                    taken.bad.push(entry.remark(error.column, problem));
                    continue;
                }
            };
            let key = account.key().clone();
            if let Some(first) = lines.insert(key.clone(), entry.line) {
                let problem = format!("{key} stands in line {first} already");
                taken.bad.push(entry.remark("login", problem));
                continue;
            }
            if self.existing == Existing::Fail && store.has(&key)? {
                let problem = format!(
                    "there is an account {key} already; expected --existing skip or replace"
                );
                taken.bad.push(entry.remark("login", problem));
                continue;
            }
            if row.password.as_deref().is_none_or(|field| field.is_empty()) {
                taken.remarks.push(entry.remark("login", "no password: the account is locked"));
            }
            candidates.push(Candidate { key, row: entry.row, account });
        }
        bar.finish_and_clear();
        taken.bad.sort_by_key(|bad| (bad.line, bad.column));
        Ok(candidates)
    }

    fn put(
        &self,
        store: &mut Store,
        candidates: &[Candidate],
        report: &mut Report,
    ) -> Result<(), CliError> {
        let bar = progress(candidates.len(), "written");
        if let (Store::Sqlite(editor), false) = (&mut *store, self.dry_run) {
            let existing = match self.existing {
                Existing::Fail => SqliteExisting::Refuse,
                Existing::Skip => SqliteExisting::Keep,
                Existing::Replace => SqliteExisting::Replace,
            };
            let rows = candidates.iter().map(|candidate| candidate.row.clone());
            let imported = editor.import(rows, existing, &mut |done| bar.set_position(done));
            let imported = imported.map_err(CliError::failed)?;
            (report.added, report.replaced, report.skipped) =
                (imported.added, imported.replaced, imported.kept);
            bar.finish_and_clear();
            return Ok(());
        }
        for Candidate { key, row, account } in candidates {
            bar.inc(1);
            let known = store.has(key)?;
            if known && self.existing == Existing::Skip {
                report.skipped += 1;
                continue;
            }
            *(if known { &mut report.replaced } else { &mut report.added }) += 1;
            if let Store::Passwd(editor) = store {
                editor.replace(&new_account(row, account)?).map_err(|error| {
                    CliError::Failed(format!("{key}: {error}; nothing was written"))
                })?;
            }
        }
        bar.finish_and_clear();
        Ok(())
    }
}

fn new_account(row: &Row, account: &Account) -> Result<NewAccount, CliError> {
    let hash = account.hash().ok_or_else(|| CliError::Failed("no hash".to_owned()))?;
    let path = |text: &Option<String>| text.as_deref().filter(|t| !t.is_empty()).map(PathBuf::from);
    let addresses = if row.addresses.is_empty() { &[] } else { account.addresses() };
    Ok(NewAccount {
        key: account.key().clone(),
        hash: hash.clone(),
        addresses: addresses.to_vec(),
        send_as: account.delegations().to_vec(),
        home: path(&row.home),
        maildir: path(&row.maildir),
        disabled: account.is_disabled(),
        must_change: account.must_change(),
        cohort: account.cohort().map(str::to_owned),
        policy: account.policy().clone(),
    })
}

/// A bar on the standard error; nothing where that is no terminal.
fn progress(length: usize, done: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length as u64), ProgressDrawTarget::stderr());
    let style = format!("{{bar:40}} {{pos}} of {{len}} accounts {done}, {{eta}} left");
    match ProgressStyle::with_template(&style) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
