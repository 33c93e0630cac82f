//! `lastpost limits`: what accounts send, and who may not send.

use std::fmt::Write as _;

use clap::Subcommand;
use limits::{Figures, SuspendedAccount};

use super::output::table;
use super::running::{client, decode};
use super::{CliError, CommonArgs};
use crate::config::Config;
use crate::control::LimitsOrder;

/// What can be done with the limits of the running daemon.
#[derive(Debug, Subcommand)]
pub(crate) enum LimitsCommand {
    /// Show the counters of an account, or of those nearest to a limit.
    Show {
        /// The account's login name.
        account: Option<String>,
        /// So many accounts.
        #[arg(long, default_value_t = 20, conflicts_with = "account")]
        top: usize,
    },
    /// List the accounts that may not send.
    Suspended,
    /// Keep an account from sending.
    Suspend {
        /// Its login name.
        account: String,
        /// Why, for whoever looks later; the customer is not shown it.
        #[arg(long)]
        reason: String,
    },
    /// Let a suspended account send again, and begin its counters anew.
    Resume {
        /// Its login name.
        account: String,
    },
    /// Forget an account's counters, and to whom it has written.
    Forget {
        /// Its login name.
        account: String,
    },
}

pub(crate) fn run(command: &LimitsCommand, common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    match command {
        LimitsCommand::Show { account, top } => {
            let path = match account {
                Some(account) => format!("/limits?account={}", escaped(account)),
                None => format!("/limits?top={top}"),
            };
            let all: Vec<Figures> = decode(&get(&config, &path)?)?;
            common.output().show(&all, |all| match (account, all.as_slice()) {
                (Some(_), [one]) => describe(one),
                _ => describe_all(all),
            })
        }
        LimitsCommand::Suspended => {
            let all: Vec<SuspendedAccount> = decode(&get(&config, "/limits/suspended")?)?;
            common.output().show(&all, |all| describe_suspended(all))
        }
        LimitsCommand::Suspend { account, reason } => {
            let new: bool = decode(&order(&config, "suspend", account, reason)?)?;
            common.output().show(&new, |new| match new {
                true => format!("{account} may not send any more"),
                false => format!("{account} was suspended before"),
            })
        }
        LimitsCommand::Resume { account } => order(&config, "resume", account, "").map(drop),
        LimitsCommand::Forget { account } => {
            let forgot: bool = decode(&order(&config, "forget", account, "")?)?;
            common.output().show(&forgot, |forgot| match forgot {
                true => format!("the counters of {account} are forgotten"),
                false => format!("nothing was counted of {account}"),
            })
        }
    }
}

fn get(config: &Config, path: &str) -> Result<String, CliError> {
    client(config)?.get(path).map_err(CliError::failed)
}

fn order(config: &Config, what: &str, account: &str, reason: &str) -> Result<String, CliError> {
    let order = LimitsOrder { account: account.to_owned(), reason: reason.to_owned() };
    let body = serde_json::to_string(&order).map_err(CliError::failed)?;
    client(config)?.post(&format!("/limits/{what}"), &body).map_err(CliError::failed)
}

/// RFC 3986 section 2.1: whatever an account may be called, it stays one value.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~@".contains(&octet) {
            out.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{octet:02X}");
        }
    }
    out
}

fn describe_all(all: &[Figures]) -> String {
    const SHOWN: [(&str, &str); 8] = [
        ("messages_per_hour", "msgs/h"),
        ("messages_per_day", "msgs/d"),
        ("recipients_per_hour", "rcpts/h"),
        ("recipients_per_day", "rcpts/d"),
        ("first_time_recipients_per_day", "new/d"),
        ("failed_recipients_per_hour", "failed/h"),
        ("octets_per_day", "KiB/d"),
        ("networks_per_hour", "nets/h"),
    ];
    let rows = all.iter().map(|account| {
        let figure = |key: &str| {
            let found = account.figures.iter().find(|figure| figure.limit == key);
            found.map_or_else(String::new, |figure| match figure.most {
                Some(most) => format!("{}/{most}", figure.count),
                None => figure.count.to_string(),
            })
        };
        let state = match (&account.suspension, account.exempt) {
            (Some(_), _) => "suspended",
            (None, true) => "exempt",
            (None, false) => "",
        };
        let mut row = vec![account.account.clone()];
        row.extend(SHOWN.iter().map(|(key, _)| figure(key)));
        row.extend([account.refused_today.to_string(), state.to_owned()]);
        row
    });
    let mut head = vec!["account"];
    head.extend(SHOWN.iter().map(|(_, head)| *head));
    head.extend(["refused/d", "state"]);
    table(&head, rows)
}

fn describe(account: &Figures) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", account.account);
    for figure in &account.figures {
        let unit = if figure.limit == "octets_per_day" { " KiB" } else { "" };
        let bound = match (figure.most, figure.action) {
            (Some(most), Some(action)) => format!("of {most}{unit}, then {action}"),
            _ => "no limit".to_owned(),
        };
        let _ = writeln!(text, "{:<30} {:>10}{unit} {bound}", figure.limit, figure.count);
    }
    let _ = writeln!(text, "{:<30} {:>10}", "refused within a day", account.refused_today);
    let _ = writeln!(text, "{:<30} {:>10}", "known recipients", account.known_recipients);
    if account.exempt {
        let _ = writeln!(text, "It is exempt: no limit holds for it.");
    }
    if let Some(suspension) = &account.suspension {
        let by = suspension.limit.as_deref().unwrap_or("an admin");
        let _ = writeln!(
            text,
            "Suspended since {:.0} by {by}: {}",
            suspension.since, suspension.reason
        );
    }
    text
}

fn describe_suspended(all: &[SuspendedAccount]) -> String {
    let rows = all.iter().map(|account| {
        let by = account.limit.clone().unwrap_or_else(|| "admin".to_owned());
        vec![account.account.clone(), format!("{:.0}", account.since), by, account.reason.clone()]
    });
    table(&["account", "since", "by", "reason"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_account_becomes_more_than_a_value() {
        assert_eq!(escaped("anna@example.net"), "anna@example.net");
        assert_eq!(escaped("a&top=9#?%+ü"), "a%26top%3D9%23%3F%25%2B%C3%BC");
    }
}
