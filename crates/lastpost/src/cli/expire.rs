//! `lastpost maildrop expire`: removes what was kept long enough, or shows what would go.

use auth::{Account, Clock, SystemClock};
use clap::Args;
use maildrop::{ExpireReport, OpenError, Retention, expire, would_expire};
use serde::Serialize;

use super::output::table;
use super::{CliError, CommonArgs};
use crate::cli::accounts::Accounts;
use crate::config::Config;

/// Whose mail, and whether in earnest.
#[derive(Debug, Args)]
pub(crate) struct ExpireArgs {
    /// Login name.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    login: Option<String>,
    /// All accounts, except those that are disabled.
    #[arg(long)]
    all: bool,
    /// Show what would be removed, and remove nothing.
    #[arg(long)]
    dry_run: bool,
}

/// What was found for one account.
#[derive(Serialize)]
struct Line {
    login: String,
    #[serde(flatten)]
    report: ExpireReport,
    /// Why nothing could be said or done.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// What was found for all.
#[derive(Default, Serialize)]
struct Shown {
    dry_run: bool,
    accounts: u64,
    expired: u64,
    octets: u64,
    removed: u64,
    /// Those with something to say: an account whose mail is all kept is none.
    lines: Vec<Line>,
}

pub(crate) fn run(args: &ExpireArgs, common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    let now = SystemClock::new().now().wall.as_second();
    let shown = go_through(args, &config, now)?;
    common.output().show(&shown, Shown::describe)?;
    let troubled = |line: &&Line| line.problem.is_some() || line.report.failed > 0;
    match shown.lines.iter().filter(troubled).count() {
        0 => Ok(()),
        some => Err(CliError::Failed(format!("{some} maildrops were not dealt with in full"))),
    }
}

fn go_through(args: &ExpireArgs, config: &Config, now: i64) -> Result<Shown, CliError> {
    let accounts = Accounts::open(config)?;
    let mut shown = Shown { dry_run: args.dry_run, ..Shown::default() };
    if let Some(login) = &args.login {
        let account = accounts.account(login)?;
        shown.take(look(config, &account, now, args.dry_run), true);
        return Ok(shown);
    }
    for account in accounts.all()? {
        if !account.is_disabled() {
            shown.take(look(config, &account, now, args.dry_run), false);
        }
    }
    Ok(shown)
}

fn look(config: &Config, account: &Account, now: i64, dry_run: bool) -> Line {
    let retention: Retention = config.pop3.retention.of(account.policy());
    let options = config.pop3.open_options();
    let act = if dry_run { would_expire } else { expire };
    let (report, problem) = match act(account.maildir(), &retention, now, &options) {
        Ok(report) => (report, None),
        Err(OpenError::InUse { .. }) => {
            (ExpireReport::default(), Some("in use, try again later".to_owned()))
        }
        Err(error) => (ExpireReport::default(), Some(error.to_string())),
    };
    Line { login: account.key().to_string(), report, problem }
}

impl Shown {
    fn take(&mut self, line: Line, always: bool) {
        self.accounts += 1;
        self.expired += line.report.expired as u64;
        self.octets = self.octets.saturating_add(line.report.octets);
        self.removed += line.report.removed as u64;
        if always || line.report.expired > 0 || line.problem.is_some() {
            self.lines.push(line);
        }
    }

    fn describe(&self) -> String {
        let rows = self.lines.iter().map(|line| {
            let ExpireReport { messages, expired, octets, removed, .. } = line.report;
            vec![
                line.login.clone(),
                messages.to_string(),
                expired.to_string(),
                octets.to_string(),
                removed.to_string(),
                line.problem.clone().unwrap_or_default(),
            ]
        });
        let header = ["login", "messages", "expired", "octets", "removed", "problem"];
        let Self { accounts, expired, octets, removed, dry_run, .. } = self;
        let end = if *dry_run {
            format!("{expired} messages, {octets} octets, of {accounts} accounts would go")
        } else {
            format!("{removed} of {expired} messages of {accounts} accounts are gone")
        };
        if self.lines.is_empty() { end } else { format!("{}\n{end}", table(&header, rows)) }
    }
}

#[cfg(test)]
mod tests;
