//! `lastpost route`: where mail for an address would go.

mod exchangers;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use address::{AccountKey, Domain, Mailbox, ReversePath};
use clap::Args;
use relay::config::{MX, NEXT_HOP};
use relay::route::{Course, Question, Stop};
use relay::{Destination, HopState, HopStatus, LocalAccounts, LocalDelivery, Settings};
use serde::Serialize;

use super::running::{client, decode};
use super::{CliError, CommonArgs};
use crate::cli::accounts::Accounts;
use crate::config::Config;
use exchangers::Exchangers;

/// What can be asked about routes.
#[derive(Debug, Args)]
pub(crate) struct RouteArgs {
    /// The recipients' addresses.
    #[arg(required = true, value_name = "ADDRESS")]
    addresses: Vec<String>,
    /// The sender's address; without one, mail without a sender, as reports are.
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// The account that submits it.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
}

/// Where mail for one address would go.
#[derive(Debug, Serialize)]
struct Shown {
    address: String,
    /// What in the configuration says so.
    by: Option<String>,
    /// `hops`, `maildir`, `refused`, `discarded`, `unknown` or `waits`.
    delivery: &'static str,
    /// The Maildir, or what the sender is told.
    detail: Option<String>,
    /// In order of preference; those of one group share the load.
    hops: Vec<Vec<ShownHop>>,
}

/// One hop.
#[derive(Debug, Serialize)]
struct ShownHop {
    name: String,
    address: String,
    /// What the running daemon knows of it; nothing if no daemon runs, or it has not met it.
    status: Option<HopStatus>,
    /// Of the recipient's domain, where mail goes to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    exchangers: Option<Exchangers>,
}

pub(crate) fn run(args: &RouteArgs, common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    let settings = config.relay_settings()?;
    let accounts = Accounts::open(&config)?;
    let sender = sender(args.sender.as_deref())?;
    let account = args.account.as_deref().map(|name| account(&accounts, name)).transpose()?;
    let local = LocalAccounts::new(accounts.directory().clone(), &settings.local_domains);
    let map =
        Map { settings: &settings, local: &local, accounts: &accounts, known: known(&config) };
    let mut shown = args
        .addresses
        .iter()
        .map(|address| map.show(address, &sender, account.as_ref()))
        .collect::<Result<Vec<_>, _>>()?;
    ask_dns(&mut shown, &settings)?;
    common.output().show(&shown, |shown| shown.iter().map(describe).collect())
}

/// Adds the mail exchangers where mail goes to them.
fn ask_dns(shown: &mut [Shown], settings: &Settings) -> Result<(), CliError> {
    let mut hops: Vec<_> = shown
        .iter_mut()
        .flat_map(|shown| shown.hops.iter_mut().flatten())
        .filter(|hop| hop.name == MX)
        .filter_map(|hop| Some((Domain::parse(&hop.address).ok()?, hop)))
        .collect();
    let domains: HashSet<_> = hops.iter().map(|(domain, _)| domain.clone()).collect();
    let found: HashMap<_, _> = exchangers::find(domains.into_iter().collect(), settings)?;
    for (domain, hop) in &mut hops {
        hop.exchangers = found.get(domain).cloned();
    }
    Ok(())
}

fn sender(text: Option<&str>) -> Result<ReversePath, CliError> {
    let text = text.unwrap_or("").trim_matches(['<', '>']);
    ReversePath::parse(&format!("<{text}>"))
        .map_err(|error| CliError::Usage(format!("--sender {text}: {error}")))
}

fn account(accounts: &Accounts, name: &str) -> Result<AccountKey, CliError> {
    accounts
        .directory()
        .key(name)
        .map_err(|error| CliError::Usage(format!("--account {name}: {error}")))
}

/// What the running daemon says of its destinations; without one, nothing.
fn known(config: &Config) -> Vec<HopStatus> {
    let asked = client(config).ok().and_then(|client| client.get("/relay/hops").ok());
    asked.and_then(|answer| decode(&answer).ok()).unwrap_or_default()
}

struct Map<'a> {
    settings: &'a Settings,
    local: &'a LocalAccounts,
    accounts: &'a Accounts,
    known: Vec<HopStatus>,
}

impl Map<'_> {
    fn show(
        &self,
        address: &str,
        sender: &ReversePath,
        account: Option<&AccountKey>,
    ) -> Result<Shown, CliError> {
        let recipient = Mailbox::parse(address)
            .map_err(|error| CliError::Usage(format!("{address}: {error}")))?;
        let shown = |delivery, by: Option<String>, detail| Shown {
            address: recipient.to_string(),
            by,
            delivery,
            detail,
            hops: Vec::new(),
        };
        let maildir = match self.accounts.wait(self.local.destination(&recipient)) {
            Destination::Maildir(place) => Some(place.maildir.display().to_string()),
            Destination::Elsewhere => None,
            Destination::Undecided => {
                let message = format!("{recipient}: the accounts cannot be looked up");
                return Err(CliError::Failed(message));
            }
            Destination::Unknown => {
                let by = Some("relay.local_domains".to_owned());
                return Ok(shown("unknown", by, None));
            }
        };
        let is_local = maildir.is_some();
        let question = Question { recipient: &recipient, is_local, sender, account };
        Ok(match (self.settings.routes.find(&question), maildir) {
            (Some((number, Course::Hops(groups))), _) => {
                let hop = |stop: &Stop| self.hop(*stop, &recipient);
                let group = |group: &Vec<Stop>| group.iter().map(hop).collect();
                let hops = groups.iter().map(group).collect();
                Shown { hops, ..shown("hops", Some(self.name(number, groups)), None) }
            }
            (Some((number, Course::Refuse(text))), _) => {
                shown("refused", Some(self.name(number, &[])), Some(text.to_string()))
            }
            (Some((number, Course::Discard)), _) => {
                shown("discarded", Some(self.name(number, &[])), None)
            }
            (None, Some(maildir)) => {
                shown("maildir", Some("relay.local_domains".to_owned()), Some(maildir))
            }
            (None, None) => shown("waits", None, None),
        })
    }

    /// The section of the route with this number.
    fn name(&self, number: usize, groups: &[Vec<Stop>]) -> String {
        let is_last = number + 1 == self.settings.routes.len();
        let to_next_hop = groups.iter().flatten().all(|stop| match stop {
            Stop::Hop(place) => {
                self.settings.hops.get(*place).is_some_and(|hop| &*hop.name == NEXT_HOP)
            }
            Stop::Mx => false,
        });
        match is_last && !groups.is_empty() && to_next_hop {
            true => "relay.next_hop".to_owned(),
            false => format!("relay.route[{number}]"),
        }
    }

    fn hop(&self, stop: Stop, recipient: &Mailbox) -> ShownHop {
        let (name, address) = match stop {
            Stop::Hop(place) => match self.settings.hops.get(place) {
                Some(hop) => (hop.name.to_string(), hop.target.to_string()),
                None => (String::new(), String::new()),
            },
            Stop::Mx => {
                let domain = recipient.domain().map_or("", |domain| domain.as_str());
                (MX.to_owned(), domain.to_owned())
            }
        };
        let meant = if stop == Stop::Mx { &address } else { &name };
        let status = self.known.iter().find(|hop| hop.name == *meant).cloned();
        ShownHop { name, address, status, exchangers: None }
    }
}

fn describe(shown: &Shown) -> String {
    let mut text = String::new();
    let Shown { address, by, delivery, detail, hops } = shown;
    let meaning = match *delivery {
        "hops" => "goes to a hop",
        "maildir" => "goes into a Maildir",
        "refused" => "comes back to its sender (5.7.1)",
        "discarded" => "is discarded",
        "unknown" => "comes back to its sender (5.1.1): there is no such account",
        _ => "waits in the queue until it expires: no route takes it",
    };
    // Writing to a String cannot fail.
    let _ = write!(text, "{address} {meaning}");
    if let Some(by) = by {
        let _ = write!(text, ", by {by}");
    }
    text.push('\n');
    if let Some(detail) = detail {
        let _ = writeln!(text, "  {detail}");
    }
    for (place, group) in hops.iter().enumerate() {
        for hop in group {
            let _ = write!(text, "  {}. {:<16} {}", place + 1, hop.name, hop.address);
            if let Some(status) = &hop.status {
                let _ = write!(text, "  {}", describe_status(status));
            }
            text.push('\n');
            if let Some(exchangers) = &hop.exchangers {
                exchangers.describe(&mut text);
            }
        }
    }
    text
}

fn describe_status(status: &HopStatus) -> String {
    let mut text = status.state.to_string();
    let waiting = status.queued + status.in_line;
    if waiting > 0 {
        let _ = write!(text, ", {waiting} waiting");
    }
    if let Some(seconds) = status.retry_in_s {
        let _ = write!(text, ", tried again in {seconds} s");
    }
    if let (HopState::Down | HopState::Doubtful, Some(reason)) = (status.state, &status.reason) {
        let _ = write!(text, ": {reason}");
    }
    text
}
