//! `lastpost auth`: who attacks, who is blocked, and forgiving.

use std::fmt::Write as _;
use std::net::IpAddr;

use clap::{Args, Subcommand};
use ipnet::IpNet;

use super::output::table;
use super::running::{client, decode};
use super::{CliError, CommonArgs};
use crate::config::Config;
use crate::control::{AttackedShown, AuthReport, BlockShown, EventShown, UnblockOrder, Unblocked};

/// What can be asked of the running daemon about logins.
#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Show how logins go, which accounts are attacked, and the latest events.
    Status,
    /// List the networks that are blocked.
    Blocks,
    /// End the block of a network, or forget what was counted for an account.
    Unblock(UnblockArgs),
}

/// What is to be forgiven.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct UnblockArgs {
    /// An address or a network such as 192.0.2.0/24; all within it and around it.
    #[arg(value_parser = network)]
    network: Option<IpNet>,
    /// The login name of an account.
    #[arg(long)]
    account: Option<String>,
}

/// An address stands for itself alone.
fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    address
        .or_else(|_| text.parse::<IpNet>())
        .map_err(|_| "expected an address or a network such as 192.0.2.0/24".to_owned())
}

pub(crate) fn run(command: &AuthCommand, common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    match command {
        AuthCommand::Status => {
            let report: AuthReport = decode(&get(&config, "/auth")?)?;
            common.output().show(&report, describe)
        }
        AuthCommand::Blocks => {
            let blocks: Vec<BlockShown> = decode(&get(&config, "/auth/blocks")?)?;
            common.output().show(&blocks, |blocks| describe_blocks(blocks))
        }
        AuthCommand::Unblock(UnblockArgs { network, account }) => {
            let order = UnblockOrder { network: *network, account: account.clone() };
            let body = serde_json::to_string(&order).map_err(CliError::failed)?;
            let answer = client(&config)?.post("/auth/unblock", &body).map_err(CliError::failed)?;
            let unblocked: Unblocked = decode(&answer)?;
            common.output().show(&unblocked, |unblocked| match account {
                Some(account) => describe_account(account, unblocked),
                None => describe_unblocked(unblocked),
            })
        }
    }
}

fn get(config: &Config, path: &str) -> Result<String, CliError> {
    client(config)?.get(path).map_err(CliError::failed)
}

fn describe(report: &AuthReport) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for (name, value) in &report.figures {
        let _ = writeln!(text, "{name:<30} {value:>12}");
    }
    let _ = writeln!(text, "{:<30} {:>12}", "networks blocked now", report.blocked_networks);
    if !report.attacked.is_empty() {
        let _ = writeln!(text, "\nAccounts attacked from many networks:");
        let rows = report.attacked.iter().map(|AttackedShown { account, since, until }| {
            vec![named(account.as_deref()), format!("{since:.0}"), format!("{until:.0}")]
        });
        text += &table(&["account", "since", "until"], rows);
    }
    if !report.events.is_empty() {
        let _ = writeln!(text, "\nThe latest events:");
        text += &table(&["at", "event", "details"], report.events.iter().map(event));
    }
    text
}

/// What a client wrote must not paint the terminal.
fn named(account: Option<&str>) -> String {
    let shown = |account: &str| account.escape_debug().to_string();
    account.map_or_else(|| "(found elsewhere)".to_owned(), shown)
}

fn event(event: &EventShown) -> Vec<String> {
    let mut details = Vec::new();
    details.extend(event.network.map(|network| network.to_string()));
    if event.event == "attacked" {
        details.push(named(event.account.as_deref()));
    }
    details.extend(event.reason.clone());
    details.extend(event.seconds.map(|seconds| format!("for {seconds} s")));
    let counts =
        [(event.failures, "failures"), (event.accounts, "accounts"), (event.networks, "networks")];
    details.extend(counts.iter().filter_map(|(count, what)| Some(format!("{} {what}", (*count)?))));
    if event.learned {
        details.push("found elsewhere".to_owned());
    }
    vec![format!("{:.0}", event.at), event.event.clone(), details.join(", ")]
}

fn describe_blocks(blocks: &[BlockShown]) -> String {
    let rows = blocks.iter().map(|block| {
        let by = if block.learned { "elsewhere" } else { "here" };
        vec![
            block.network.to_string(),
            block.reason.clone(),
            format!("{:.0}", block.since),
            format!("{:.0}", block.until),
            block.strikes.to_string(),
            by.to_owned(),
        ]
    });
    table(&["network", "reason", "since", "until", "strikes", "found"], rows)
}

fn describe_unblocked(unblocked: &Unblocked) -> String {
    if unblocked.networks.is_empty() {
        return "it was not blocked; what was counted for it is forgotten".to_owned();
    }
    unblocked
        .networks
        .iter()
        .map(|network| format!("{network} is not blocked any more\n"))
        .collect()
}

fn describe_account(account: &str, unblocked: &Unblocked) -> String {
    match unblocked.account {
        true => format!("what was counted for {account} is forgotten"),
        false => format!("nothing was counted for {account}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_network_of_its_own() {
        let read = |text: &str| network(text).map(|network| network.to_string());
        assert_eq!(read("192.0.2.7"), Ok("192.0.2.7/32".to_owned()));
        assert_eq!(read("::ffff:192.0.2.7"), Ok("192.0.2.7/32".to_owned()));
        assert_eq!(read("2001:db8::/48"), Ok("2001:db8::/48".to_owned()));
        for nonsense in ["", "example.net", "192.0.2.7/33", "192.0.2"] {
            assert!(read(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn a_hostile_name_stays_text() {
        assert_eq!(named(Some("\u{1b}[2Jx\n")), "\\u{1b}[2Jx\\n");
        assert_eq!(named(None), "(found elsewhere)");
    }
}
