//! `lastpost queue`: the accepted messages that are not delivered yet.

mod describe;
mod order;
mod select;

use auth::{Clock, SystemClock};
use clap::Subcommand;

use super::running::{client, decode};
use super::{CliError, CommonArgs};
use crate::config::Config;
use crate::control::{
    ControlError, LISTED_MAX, QueueAction, QueueQuery, QueueShape, QueuedMessage, ShapeOrder,
};
use order::OrderArgs;
use select::Select;

/// What can be done with the queue.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List the queue, oldest first; reads the spool itself while no daemon runs.
    List {
        #[command(flatten)]
        select: Select,
        /// Only messages that came after this one.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Count the queue by domain and age; reads the spool itself while no daemon runs.
    Shape {
        /// Count messages by the domains of their senders, not recipients by theirs.
        #[arg(long)]
        sender: bool,
        /// Only messages in these states: incoming, active, deferred, held, scheduled.
        #[arg(long, value_name = "STATE,…", default_value = "")]
        state: String,
        /// So many domains; the others are counted together.
        #[arg(long, default_value_t = 20)]
        top: usize,
    },
    /// Show one message.
    Show {
        /// Its ID.
        id: String,
        /// Show its header section too.
        #[arg(long, conflicts_with = "body")]
        header: bool,
        /// Show its whole text too.
        #[arg(long)]
        body: bool,
        /// At most so many octets of the text.
        #[arg(long, default_value_t = 1 << 20)]
        octets: usize,
    },
    /// Keep messages from being tried.
    Hold(OrderArgs),
    /// Let held messages go.
    Release(OrderArgs),
    /// Try messages now.
    Retry(OrderArgs),
    /// Throw messages away, without a report to anybody.
    Delete(OrderArgs),
    /// Try every deferred message now, and next hops that were down.
    Flush,
}

pub(crate) fn run(command: &QueueCommand, common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    match command {
        QueueCommand::List { select, after, limit } => {
            let query = QueueQuery { after: after.clone(), ..select.query()? };
            let messages = list(&config, query, *limit)?;
            common.output().show(&messages, |messages| describe::list(messages))
        }
        QueueCommand::Shape { sender, state, top } => {
            let order = ShapeOrder { sender: *sender, states: state.clone(), top: *top };
            let shape = shape(&config, &order)?;
            common.output().show(&shape, |shape| describe::shape(shape, *sender))
        }
        QueueCommand::Show { id, header, body, octets } => {
            let message = show(&config, id)?;
            if !header && !body {
                return common.output().show(&message, describe::message);
            }
            let path = format!("/queue/{id}/text?header={header}&octets={octets}");
            let text = client(&config)?.get(&path).map_err(CliError::failed)?;
            if common.json {
                let whole = serde_json::json!({ "message": message, "text": text });
                return common.output().show(&whole, |_| String::new());
            }
            common.output().show(&message, |message| {
                let cut = *body && text.len() as u64 >= *octets as u64;
                let more = if cut { "\n… cut; --octets shows more\n" } else { "" };
                format!("{}\n{}{more}", describe::message(message), text.replace('\r', ""))
            })
        }
        QueueCommand::Hold(args) => order::run(&config, common, QueueAction::Hold, args),
        QueueCommand::Release(args) => order::run(&config, common, QueueAction::Release, args),
        QueueCommand::Retry(args) => order::run(&config, common, QueueAction::Retry, args),
        QueueCommand::Delete(args) => order::run(&config, common, QueueAction::Delete, args),
        QueueCommand::Flush => {
            let client = client(&config)?;
            // Next hops that are left alone, too.
            client.post("/relay/try", "").map_err(CliError::failed)?;
            let answer = client.post("/queue/flush", "").map_err(CliError::failed)?;
            let hurried: usize = decode(&answer)?;
            common.output().show(&hurried, |hurried| format!("{hurried} messages are tried now"))
        }
    }
}

/// This machine's wall clock: for reading the spool without a daemon.
fn now() -> jiff::Timestamp {
    SystemClock::new().now().wall
}

/// Asks the running daemon; `None` if none runs.
fn ask<T: serde::de::DeserializeOwned>(config: &Config, path: &str) -> Result<Option<T>, CliError> {
    match client(config)?.get(path) {
        Ok(answer) => decode(&answer).map(Some),
        Err(ControlError::NotRunning { .. }) => Ok(None),
        Err(error) => Err(CliError::failed(error)),
    }
}

/// From the running daemon, or by `read` from the disk if none runs.
fn ask_or_read<T>(
    asked: Result<Option<T>, CliError>,
    read: impl FnOnce() -> Result<T, spool::SpoolError>,
) -> Result<T, CliError> {
    if let Ok(Some(answer)) = asked {
        return Ok(answer);
    }
    match (read(), asked) {
        (Ok(found), _) => Ok(found),
        // A daemon has the spool open: then its own word counts.
        (Err(spool::SpoolError::InUse { .. }), Err(error)) => Err(error),
        (Err(error), _) => Err(CliError::failed(error)),
    }
}

fn list(
    config: &Config,
    mut query: QueueQuery,
    limit: usize,
) -> Result<Vec<QueuedMessage>, CliError> {
    let filter = |query: &QueueQuery| query.filter(now()).map_err(CliError::Usage);
    filter(&query)?;
    let mut messages: Vec<QueuedMessage> = Vec::new();
    while messages.len() < limit {
        query.limit = Some((limit - messages.len()).min(LISTED_MAX));
        let asked = ask::<Vec<QueuedMessage>>(config, &format!("/queue{}", query.to_url()));
        let filter = filter(&query)?;
        let page = ask_or_read(asked, || {
            let entries = spool::read::list(&config.spool.directory, &filter)?;
            Ok(entries.into_iter().map(QueuedMessage::in_list).collect())
        })?;
        let Some(last) = page.last() else { break };
        query.after = Some(last.id.clone());
        messages.extend(page);
    }
    Ok(messages)
}

fn show(config: &Config, id: &str) -> Result<QueuedMessage, CliError> {
    let name: spool::QueueId =
        id.parse().map_err(|error| CliError::Usage(format!("{id}: {error}")))?;
    let asked = match client(config)?.get(&format!("/queue/{name}")) {
        Ok(answer) => decode(&answer).map(Some),
        Err(ControlError::NotRunning { .. }) => Ok(None),
        Err(error) => return Err(CliError::failed(error)),
    };
    let filter = spool::Filter { id: Some(name), ..spool::Filter::default() };
    let found = ask_or_read(asked.map(|found| found.map(Some)), || {
        let entries = spool::read::list(&config.spool.directory, &filter)?;
        Ok(entries.into_iter().next().map(QueuedMessage::from))
    })?;
    found.ok_or_else(|| CliError::failed(spool::AdminError::NotFound(name)))
}

fn shape(config: &Config, order: &ShapeOrder) -> Result<QueueShape, CliError> {
    let query = order.query().map_err(CliError::Usage)?;
    let path = format!(
        "/queue/shape?sender={}&states={}&top={}",
        order.sender,
        order.states.replace(' ', ""),
        order.top
    );
    ask_or_read(ask(config, &path), || {
        spool::read::shape(&config.spool.directory, query, now()).map(QueueShape::from)
    })
}
