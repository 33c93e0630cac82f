//! `lastpost maildrop compare`: what customers would notice if they were moved.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use netio::{TlsClient, Trust};
use serde::Serialize;

use super::crowd::progress;
use crate::cli::output::table;
use crate::cli::{CliError, CommonArgs};
use crate::compare::{Address, Compared, Plan, Security, Server, compare, read_accounts};

/// Which servers and accounts.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The server that customers use: HOST, HOST:PORT, or with pop3s://, pop3:// (STLS) or
    /// pop3+cleartext:// before it where the two servers differ in that.
    #[arg(long, value_name = "SERVER")]
    old: Address,
    /// The server that they are to use.
    #[arg(long, value_name = "SERVER")]
    new: Address,
    /// File with a login, a TAB and a password on each line; - for the standard input.
    #[arg(long, value_name = "FILE")]
    accounts: PathBuf,
    /// Messages of each account whose octets are compared.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    sample: usize,
    /// Fetch them by RETR, as clients do; servers may remember that. Default: by TOP.
    #[arg(long)]
    retr: bool,
    /// TLS from the first octet, on port 995. Default there.
    #[arg(long, group = "security")]
    tls: bool,
    /// TLS by STLS. Default on all other ports.
    #[arg(long, group = "security")]
    starttls: bool,
    /// No TLS: passwords can be read on the way.
    #[arg(long, group = "security")]
    cleartext: bool,
    /// Believe any certificate.
    #[arg(long, conflicts_with = "ca_file")]
    insecure: bool,
    /// Believe the authorities in this PEM file instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The name that both servers' certificates must have, where they are not reached by it.
    #[arg(long, value_name = "NAME")]
    tls_name: Option<String>,
    /// Seconds until a server must have said something.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Accounts at a time.
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    connections: u8,
}

#[derive(Serialize)]
struct Shown {
    accounts: usize,
    differ: usize,
    failed: usize,
    results: Vec<Compared>,
}

pub(crate) fn run(args: &CompareArgs, common: &CommonArgs) -> Result<(), CliError> {
    let plan = args.plan()?;
    let (accounts, warning) = read_accounts(&args.accounts).map_err(CliError::failed)?;
    if let Some(warning) = warning {
        anstream::eprintln!("warning: {warning}");
    }
    if accounts.is_empty() {
        return Err(CliError::Failed("there are no accounts to compare".to_owned()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::failed)?;
    let bar = progress(accounts.len());
    let count = accounts.len();
    let results = runtime.block_on(compare(plan, accounts, || bar.inc(1)));
    bar.finish_and_clear();
    let shown = Shown {
        accounts: count,
        differ: results.iter().filter(|result| !result.findings.is_empty()).count(),
        failed: count - results.iter().filter(|result| result.failure.is_none()).count(),
        results,
    };
    common.output().show(&shown, Shown::describe)?;
    if shown.differ == 0 && shown.failed == 0 {
        return Ok(());
    }
    Err(CliError::Failed(format!(
        "{} of {count} accounts differ, {} could not be compared in full",
        shown.differ, shown.failed
    )))
}

impl CompareArgs {
    fn plan(&self) -> Result<Plan, CliError> {
        let security = match (self.tls, self.starttls, self.cleartext) {
            (true, ..) => Some(Security::Implicit),
            (_, true, _) => Some(Security::StartTls),
            (.., true) => Some(Security::Cleartext),
            _ => None,
        };
        let clear = |address: &Address| address.security(security) == Security::Cleartext;
        let trust = match (&self.ca_file, self.insecure) {
            (Some(file), _) => Trust::File(file.clone()),
            (None, true) => Trust::Anybody,
            // Where nothing is encrypted nobody has to be trusted, and there may be nobody.
            (None, false) if clear(&self.old) && clear(&self.new) => Trust::Anybody,
            (None, false) => Trust::System,
        };
        let tls = TlsClient::new(&trust, &[b"pop3"]).map_err(CliError::failed)?;
        let server = |address: &Address| {
            Server::new(address, security, tls.clone(), self.tls_name.as_deref())
                .map_err(CliError::Usage)
        };
        Ok(Plan {
            old: server(&self.old)?,
            new: server(&self.new)?,
            sample: self.sample,
            retr: self.retr,
            patience: Duration::from_secs(self.timeout),
            connections: usize::from(self.connections),
        })
    }
}

impl Shown {
    fn describe(&self) -> String {
        let count = |count: Option<usize>| count.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let rows = self.results.iter().flat_map(|result| {
            let mut said: Vec<String> = result.findings.iter().map(ToString::to_string).collect();
            said.extend(result.failure.clone());
            if result.is_clean() {
                said.push("no difference".to_owned());
            }
            said.into_iter().enumerate().map(|(at, said)| match at {
                0 => vec![
                    result.login.clone(),
                    count(result.old_messages),
                    count(result.new_messages),
                    result.sampled.to_string(),
                    said,
                ],
                _ => vec![String::new(), String::new(), String::new(), String::new(), said],
            })
        });
        table(&["login", "old", "new", "sampled", "what customers would notice"], rows)
    }
}
