//! retire: whole file
//! `lastpost phaseout` and `lastpost grants`.

use std::fmt::Write as _;
use std::net::IpAddr;

use clap::Subcommand;
use jiff::Timestamp;
use phaseout::{CohortOverview, Explanation, Filter, UsageReport};
use pop_before_smtp::BridgeConfig;

use super::control::Revoke;
use super::{file_of, usage_error};
use crate::cli::accounts::Accounts;
use crate::cli::output::table;
use crate::cli::{CliError, CommonArgs, running};
use crate::config::Config;

/// The bridge's commands.
#[derive(Debug, Subcommand)]
pub enum BridgeCommand {
    /// Look at the schedule that ends POP-before-SMTP, and at who still relies on it.
    #[command(subcommand)]
    Phaseout(PhaseoutCommand),
    /// Look after the grants: who may send without a password right now.
    #[command(subcommand)]
    Grants(GrantsCommand),
}

/// What can be asked about the schedule.
#[derive(Debug, Subcommand)]
pub enum PhaseoutCommand {
    /// Show every cohort's phase, or explain one account's step by step.
    Show {
        /// For this moment, such as 2027-03-01 or 2027-03-01T09:00 in the schedule's zone, or
        /// with an offset. Default: now.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// For this account.
        #[arg(long, value_name = "LOGIN")]
        account: Option<String>,
    },
    /// List who used a grant and who SMTP AUTH, from the ledger.
    Who {
        /// Only this cohort.
        #[arg(long)]
        cohort: Option<String>,
        /// Only uses since this moment, as for `show --at`.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Print CSV.
        #[arg(long)]
        csv: bool,
    },
}

/// What can be done with grants.
#[derive(Debug, Subcommand)]
pub enum GrantsCommand {
    /// List the live grants.
    List,
    /// End grants at once.
    Revoke {
        /// Those of this account or this address.
        #[arg(value_name = "LOGIN|ADDRESS", required_unless_present = "all")]
        whose: Option<String>,
        /// All.
        #[arg(long, conflicts_with = "whose")]
        all: bool,
    },
}

/// Runs a command of the bridge.
///
/// # Errors
/// If there is no bridge, or the daemon that has the grants does not run.
pub(crate) fn run(command: &BridgeCommand, common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    match command {
        BridgeCommand::Phaseout(PhaseoutCommand::Show { at, account }) => {
            show(&config, common, at.as_deref(), account.as_deref())
        }
        BridgeCommand::Phaseout(PhaseoutCommand::Who { cohort, since, csv }) => {
            who(&config, common, cohort.as_deref(), since.as_deref(), *csv)
        }
        BridgeCommand::Grants(GrantsCommand::List) => grants(&config, common),
        BridgeCommand::Grants(GrantsCommand::Revoke { whose, all }) => {
            revoke(&config, common, whose.as_deref(), *all)
        }
    }
}

fn settings(config: &Config) -> Result<BridgeConfig, CliError> {
    let domain = config.accounts.domain().map_err(CliError::failed)?;
    BridgeConfig::load(&file_of(config), domain.as_ref()).map_err(usage_error)
}

#[allow(clippy::disallowed_methods, reason = "a command runs at the moment it is typed")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// `TIME` of the command line: an instant, or a civil time in the schedule's zone.
fn moment(settings: &BridgeConfig, text: Option<&str>) -> Result<Timestamp, CliError> {
    let Some(text) = text else { return Ok(now()) };
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let civil = text.parse::<jiff::civil::DateTime>().ok();
    civil.and_then(|civil| settings.schedule.zone().instant(civil)).ok_or_else(|| {
        CliError::Usage(format!(
            "{text:?} is no time: write 2027-03-01, 2027-03-01T09:00 or 2027-03-01T00:00:00Z"
        ))
    })
}

fn show(
    config: &Config,
    common: &CommonArgs,
    at: Option<&str>,
    account: Option<&str>,
) -> Result<(), CliError> {
    let settings = settings(config)?;
    let at = moment(&settings, at)?;
    let Some(login) = account else {
        let cohorts = settings.schedule.overview(at);
        return common.output().show(&cohorts, |cohorts| describe_cohorts(cohorts));
    };
    let accounts = Accounts::open(config)?;
    let key = accounts.key(login)?;
    let known = accounts.find(&key)?.is_some();
    let explanation = settings.schedule.explain(&key, at);
    common.output().show(&explanation, |explanation| describe(explanation, known))
}

fn describe_cohorts(cohorts: &[CohortOverview]) -> String {
    let rows = cohorts.iter().map(|cohort| {
        let starts: Vec<_> =
            cohort.starts.iter().map(|start| format!("{} {}", start.phase, start.at)).collect();
        vec![
            cohort.name.to_string(),
            cohort.phase.to_string(),
            cohort.selects.clone(),
            starts.join("  "),
            cohort.place.to_string(),
        ]
    });
    table(&["cohort", "phase", "takes", "dates", "written in"], rows)
}

fn describe(explanation: &Explanation, known: bool) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} at {}", explanation.account, explanation.at);
    if !known {
        let _ = writeln!(text, "  (there is no such account; this is what would be)");
    }
    let honoured = if explanation.honoured { "honoured" } else { "refused" };
    let _ =
        writeln!(text, "  cohort {}, phase {}: {honoured}", explanation.cohort, explanation.phase);
    if let Some(since) = &explanation.since {
        let _ = writeln!(text, "  since {since}");
    }
    if let Some(next) = &explanation.next {
        let _ = writeln!(text, "  next: {} {}", next.phase, next.at);
    }
    for (number, step) in explanation.steps.iter().enumerate() {
        let place = step.place.as_ref().map_or_else(String::new, |place| format!("  [{place}]"));
        let _ = writeln!(text, "  {}. {}{place}", number + 1, step.text);
    }
    text
}

fn who(
    config: &Config,
    common: &CommonArgs,
    cohort: Option<&str>,
    since: Option<&str>,
    csv: bool,
) -> Result<(), CliError> {
    let settings = settings(config)?;
    // A running daemon still holds the last second in memory.
    if let Ok(client) = running::client(config) {
        let _ = client.post("/ledger/flush", "");
    }
    let filter = Filter {
        from: since.map(|since| moment(&settings, Some(since))).transpose()?,
        cohort: cohort.map(ToOwned::to_owned),
        ..Filter::default()
    };
    let report = phaseout::read_usage(&settings.ledger.path, &filter).map_err(CliError::failed)?;
    if csv {
        anstream::print!("{}", phaseout::usage_csv(&report.accounts));
        return Ok(());
    }
    common.output().show(&report, describe_usage)
}

fn describe_usage(report: &UsageReport) -> String {
    let last = |at: Option<Timestamp>| {
        at.map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
    };
    let rows = report.accounts.iter().map(|usage| {
        vec![
            usage.account.clone(),
            usage.cohort.clone(),
            usage.phase.to_string(),
            usage.reliance.as_str().to_owned(),
            usage.legacy.allowed.to_string(),
            usage.legacy.refused.to_string(),
            last(usage.legacy.last_allowed),
            usage.modern.allowed.to_string(),
            last(usage.modern.last_allowed),
            usage.helo.join(","),
        ]
    });
    let header = [
        "account",
        "cohort",
        "phase",
        "relies on",
        "grants",
        "refused",
        "last",
        "auth",
        "last",
        "programs",
    ];
    let mut text = table(&header, rows);
    if report.truncated {
        text += "(more accounts than shown: use --cohort or --since)\n";
    }
    text
}

/// The daemon's answer about grants, as this program reads it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Grants {
    grants: Vec<Grant>,
    truncated: bool,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Grant {
    address: IpAddr,
    account: String,
    login: Timestamp,
    until: Timestamp,
    messages: u16,
    recipients: u16,
    pinned: bool,
}

fn grants(config: &Config, common: &CommonArgs) -> Result<(), CliError> {
    let answer = running::client(config)?.get("/grants").map_err(CliError::failed)?;
    let list: Grants = running::decode(&answer)?;
    common.output().show(&list, |list| {
        let rows = list.grants.iter().map(|grant| {
            vec![
                grant.address.to_string(),
                grant.account.clone(),
                grant.login.strftime("%H:%M:%S").to_string(),
                grant.until.strftime("%H:%M:%S").to_string(),
                grant.messages.to_string(),
                grant.recipients.to_string(),
            ]
        });
        let header = ["address", "account", "login", "until", "messages", "recipients"];
        let mut text = table(&header, rows);
        if list.truncated {
            text += "(more grants than shown)\n";
        }
        text
    })
}

fn revoke(
    config: &Config,
    common: &CommonArgs,
    whose: Option<&str>,
    all: bool,
) -> Result<(), CliError> {
    let wish = match whose.map(|whose| (whose, whose.parse::<IpAddr>())) {
        Some((_, Ok(address))) => Revoke { address: Some(address), ..Revoke::default() },
        Some((login, Err(_))) => Revoke { account: Some(login.to_owned()), ..Revoke::default() },
        None => Revoke { all, ..Revoke::default() },
    };
    let body = serde_json::to_string(&wish).map_err(CliError::failed)?;
    let answer =
        running::client(config)?.post("/grants/revoke", &body).map_err(CliError::failed)?;
    let revoked: usize = running::decode(&answer)?;
    common.output().show(&revoked, |revoked| format!("{revoked} grants ended"))
}
