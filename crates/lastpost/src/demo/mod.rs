//! `lastpost demo`: the whole story on one machine, in one command.

pub mod installation;
mod letters;
mod mail;
pub mod sink;
pub(crate) mod walkthrough;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::cli::CliError;
use crate::config::Config;
use crate::service::{Role, Service};
use installation::{Installation, Plan};
use sink::Sink;

/// What the demo can be told.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where to set everything up; kept afterwards. Default: a temporary directory, removed at
    /// the end.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How many accounts in all: the three of the story, and the others in the open cohort.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    accounts: u32,
    /// Deliver to this host instead of the built-in sink.
    #[arg(long, value_name = "HOST:PORT")]
    next_hop: Option<String>,
    /// How long after a POP3 login an address may send.
    #[arg(long, value_name = "DURATION", default_value = "20m", value_parser = duration)]
    window: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    let signed: jiff::SignedDuration =
        text.parse().map_err(|_| format!("{text:?} is no duration: write 20m, 90s or 1h"))?;
    let window = Duration::try_from(signed).map_err(|_| "it must not be negative".to_owned())?;
    if window < Duration::from_secs(1) || window > Duration::from_secs(24 * 60 * 60) {
        return Err("it must lie between 1s and 24h".to_owned());
    }
    Ok(window)
}

/// A directory that goes away at the end, or one that stays.
enum Place {
    Temporary(tempfile::TempDir),
    Kept(PathBuf),
}

impl Place {
    fn new(kept: Option<&Path>) -> Result<Self, CliError> {
        match kept {
            None => tempfile::Builder::new()
                .prefix("lastpost-demo-")
                .tempdir()
                .map(Self::Temporary)
                .map_err(|error| {
                    CliError::Failed(format!("no temporary directory can be made: {error}"))
                }),
            Some(path) => {
                let failed = |error| CliError::Failed(format!("{}: {error}", path.display()));
                std::fs::create_dir_all(path).map_err(failed)?;
                path.canonicalize().map(Self::Kept).map_err(failed)
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(directory) => directory.path(),
            Self::Kept(path) => path,
        }
    }
}

/// Runs the demo until Ctrl-C.
///
/// # Errors
/// If the directory already holds something else, a port is taken, or the daemons can't start.
pub fn run(args: &DemoArgs, json: bool) -> Result<(), CliError> {
    crate::logging::start_demo(json);
    let place = Place::new(args.dir.as_deref())?;
    crate::daemon::runtime()?.block_on(perform(args, place.path(), json))
}

async fn perform(args: &DemoArgs, directory: &Path, json: bool) -> Result<(), CliError> {
    let sink = match &args.next_hop {
        Some(_) => None,
        None => Some(Sink::bind(any_port()).await.map_err(CliError::failed)?),
    };
    let next_hop = match (&sink, &args.next_hop) {
        (Some(sink), _) => sink.address().to_string(),
        (None, given) => given.clone().unwrap_or_default(),
    };
    let plan = Plan {
        directory: directory.to_owned(),
        accounts: args.accounts,
        next_hop,
        window: args.window,
        ports: None,
    };
    let installation = tokio::task::spawn_blocking(move || Installation::create(&plan))
        .await
        .map_err(CliError::failed)??;
    let config = Config::load(&installation.config_file())?;
    let service = Service::start(config, Role::Both, Arc::new(auth::SystemClock::new())).await?;
    let steps = walkthrough::steps(&installation);
    installation.write_manifest(&steps).map_err(CliError::failed)?;
    if !json {
        walkthrough::print(&installation, &steps);
    }
    crate::signals::terminated().await;
    service.stop().await;
    if let Some(sink) = sink {
        sink.stop().await;
    }
    Ok(())
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
