//! Holding, releasing, retrying and deleting: messages that are named, or all that match.

use clap::Args;

use super::describe;
use super::select::Select;
use crate::cli::running::{client, decode};
use crate::cli::{CliError, CommonArgs};
use crate::config::Config;
use crate::control::{LISTED_MAX, QueueAction, QueueDone, QueueOrder, QueueQuery};

/// Messages by name, or by what they are.
#[derive(Debug, Args)]
pub(crate) struct OrderArgs {
    /// Their IDs.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    select: Select,
    /// Every message in the queue.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Only list what would be done.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(
    config: &Config,
    common: &CommonArgs,
    action: QueueAction,
    args: &OrderArgs,
) -> Result<(), CliError> {
    let query = args.select.query()?;
    let done = match (args.ids.is_empty(), query.means_all()) {
        (false, true) => by_name(config, action, args)?,
        (false, false) => {
            return Err(CliError::Usage("name messages, or say which: not both".to_owned()));
        }
        (true, true) if !args.all => {
            let usage = format!(
                "say which messages to {}: their IDs, options such as --account, or --all",
                action.name()
            );
            return Err(CliError::Usage(usage));
        }
        (true, _) => by_query(config, action, query, args.dry_run)?,
    };
    common.output().show(&done, |done| describe::done(action, args.dry_run, done))?;
    match done.failed.as_slice() {
        [] => Ok(()),
        [only] if args.ids.len() == 1 => Err(CliError::Failed(only.error.clone())),
        failed => Err(CliError::Failed(format!("{} messages are as they were", failed.len()))),
    }
}

fn by_name(config: &Config, action: QueueAction, args: &OrderArgs) -> Result<QueueDone, CliError> {
    let mut all = QueueDone::default();
    for ids in args.ids.chunks(LISTED_MAX) {
        let order = QueueOrder {
            action,
            ids: ids.to_vec(),
            query: QueueQuery::default(),
            dry_run: args.dry_run,
            by: user(),
        };
        let done = give(config, &order)?;
        all.done.extend(done.done);
        all.failed.extend(done.failed);
    }
    Ok(all)
}

fn by_query(
    config: &Config,
    action: QueueAction,
    mut query: QueueQuery,
    dry_run: bool,
) -> Result<QueueDone, CliError> {
    let mut all = QueueDone::default();
    loop {
        let order =
            QueueOrder { action, ids: Vec::new(), query: query.clone(), dry_run, by: user() };
        let done = give(config, &order)?;
        all.done.extend(done.done);
        all.failed.extend(done.failed);
        let Some(next) = done.next else { return Ok(all) };
        query.after = Some(next);
    }
}

fn give(config: &Config, order: &QueueOrder) -> Result<QueueDone, CliError> {
    let order = serde_json::to_string(order).map_err(CliError::failed)?;
    decode(&client(config)?.post("/queue/order", &order).map_err(CliError::failed)?)
}

/// Who runs this, as the environment says: for the daemon's log.
fn user() -> String {
    ["SUDO_USER", "LOGNAME", "USER"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_default()
}
