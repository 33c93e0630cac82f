//! `lastpost queue`: the accepted messages that are not delivered yet.

use std::fmt::Write as _;

use clap::Subcommand;

use super::output::table;
use super::running::{client, decode};
use super::{CliError, CommonArgs};
use crate::control::{ControlError, QueueQuery, QueuedMessage};

/// What can be done with the queue.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List the queue, oldest first; reads the spool itself while no daemon runs.
    List {
        /// Only messages for this domain.
        #[arg(long)]
        domain: Option<String>,
        /// Only messages that came after this one.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Show one message.
    Show {
        /// Its ID.
        id: String,
    },
    /// Keep a message from being tried.
    Hold {
        /// Its ID.
        id: String,
    },
    /// Let a held message go.
    Release {
        /// Its ID.
        id: String,
    },
    /// Try a message now.
    Retry {
        /// Its ID.
        id: String,
    },
    /// Throw a message away, without a report to anybody.
    Delete {
        /// Its ID.
        id: String,
    },
    /// Try every deferred message now.
    Flush,
}

pub(crate) fn run(command: &QueueCommand, common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    match command {
        QueueCommand::List { domain, after, limit } => {
            let query =
                QueueQuery { after: after.clone(), domain: domain.clone(), limit: Some(*limit) };
            let messages = list(&config, &query)?;
            common.output().show(&messages, |messages| describe_list(messages))
        }
        QueueCommand::Show { id } => {
            let answer = client(&config)?.get(&format!("/queue/{id}")).map_err(CliError::failed)?;
            let message: QueuedMessage = decode(&answer)?;
            common.output().show(&message, describe)
        }
        QueueCommand::Hold { id } => act(&config, id, "hold"),
        QueueCommand::Release { id } => act(&config, id, "release"),
        QueueCommand::Retry { id } => act(&config, id, "retry"),
        QueueCommand::Delete { id } => act(&config, id, "delete"),
        QueueCommand::Flush => {
            let answer = client(&config)?.post("/queue/flush", "").map_err(CliError::failed)?;
            let hurried: usize = decode(&answer)?;
            common.output().show(&hurried, |hurried| format!("{hurried} messages are tried now"))
        }
    }
}

fn act(config: &crate::config::Config, id: &str, action: &str) -> Result<(), CliError> {
    client(config)?.post(&format!("/queue/{id}/{action}"), "").map_err(CliError::failed)?;
    Ok(())
}

/// From the running daemon, or from the disk if none runs.
fn list(
    config: &crate::config::Config,
    query: &QueueQuery,
) -> Result<Vec<QueuedMessage>, CliError> {
    let mut path = format!("/queue?limit={}", query.limit.unwrap_or(0));
    if let Some(domain) = &query.domain {
        let domain = address::Domain::parse(domain)
            .map_err(|error| CliError::Usage(format!("--domain: {error}")))?;
        let _ = write!(path, "&domain={domain}");
    }
    if let Some(after) = &query.after {
        let after: spool::QueueId =
            after.parse().map_err(|error| CliError::Usage(format!("--after: {error}")))?;
        let _ = write!(path, "&after={after}");
    }
    let asked = client(config).and_then(|client| match client.get(&path) {
        Ok(answer) => decode(&answer).map(Some),
        Err(ControlError::NotRunning { .. }) => Ok(None),
        Err(error) => Err(CliError::failed(error)),
    });
    if let Ok(Some(messages)) = asked {
        return Ok(messages);
    }
    let filter = query.filter().map_err(CliError::Usage)?;
    match spool::read::list(&config.spool.directory, &filter) {
        Ok(entries) => Ok(entries.into_iter().map(QueuedMessage::from).collect()),
        // A daemon has the spool open: then its own word counts.
        Err(spool::SpoolError::InUse { .. }) => asked.map(Option::unwrap_or_default),
        Err(error) => Err(CliError::failed(error)),
    }
}

fn describe_list(messages: &[QueuedMessage]) -> String {
    let rows = messages.iter().map(|message| {
        let pending: Vec<_> = message
            .recipients
            .iter()
            .filter(|recipient| recipient.state == "pending")
            .map(|recipient| recipient.address.as_str())
            .collect();
        let next = message.next_attempt.map_or_else(|| "-".to_owned(), |at| at.to_string());
        vec![
            message.id.clone(),
            message.received_at.to_string(),
            message.octets.to_string(),
            message.state.clone(),
            message.attempts.to_string(),
            next,
            message.sender.clone(),
            pending.join(","),
        ]
    });
    table(&["id", "received", "octets", "state", "tries", "next", "from", "to"], rows)
}

fn describe(message: &QueuedMessage) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}  {}  {} octets", message.id, message.state, message.octets);
    let _ = writeln!(text, "from      {}", message.sender);
    let _ = writeln!(text, "received  {} ({})", message.received_at, message.origin);
    if let (Some(account), Some(authority)) = (&message.account, &message.authority) {
        let _ = writeln!(text, "account   {account}, by {authority}");
    }
    for recipient in &message.recipients {
        let reply = match (&recipient.last_reply, recipient.state.as_str()) {
            (Some(reply), _) => format!(": {reply}"),
            (None, "pending") => ": not tried yet".to_owned(),
            (None, _) => String::new(),
        };
        let _ = writeln!(text, "to        {} {}{reply}", recipient.address, recipient.state);
    }
    text
}
