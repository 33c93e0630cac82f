//! retire: whole file
//! The bridge's place in the house: where it is wired in, what of it the command line and the
//! control side show, and its part of the demo. Nothing else names the crate.

mod cli;
mod control;
mod demo;
mod usage;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auth::Clock;
use pop_before_smtp::remote::{GrantReceiver, RemotePublisher};
use pop_before_smtp::{Bridge, BridgeConfig};

pub use cli::BridgeCommand;
pub(crate) use cli::run;
pub(crate) use demo::{demo_steps, write_demo_config};

use crate::cli::CliError;
use crate::cli::accounts::Accounts;
use crate::config::Config;
use crate::control::Reload;
use crate::service::{Building, Role};
use usage::AuthUsage;

/// The bridge's own file, beside `lastpost.toml`.
const FILE: &str = "pop-before-smtp.toml";

fn file_of(config: &Config) -> PathBuf {
    config.file.parent().unwrap_or(Path::new("")).join(FILE)
}

/// Puts the bridge between the daemons, if its file is there. Without the file there is none.
///
/// # Errors
/// If the file has a mistake, or ledger or socket cannot be opened.
pub(crate) async fn attach(building: &mut Building, role: Role) -> Result<(), CliError> {
    let Building { config, directory, clock, seams, .. } = building;
    let file = file_of(config);
    if !file.exists() {
        return Ok(());
    }
    let domain = directory.default_domain().cloned();
    if role == Role::Pop3 {
        // The window lives with the process that consults it.
        let settings = BridgeConfig::load(&file, domain.as_ref()).map_err(usage_error)?;
        if settings.enabled {
            let publisher = RemotePublisher::start(&settings.socket.path);
            seams.observers.push(Arc::new(publisher));
        }
        return Ok(());
    }
    let (accounts, now) = (directory.clone(), clock.now());
    let loading = move || Bridge::load(&file, domain.as_ref(), accounts, now);
    let bridge = tokio::task::spawn_blocking(loading)
        .await
        .map_err(CliError::failed)?
        .map_err(usage_error)?;
    let bridge = Arc::new(bridge);
    seams.background.push(tokio::spawn(Arc::clone(&bridge).run_sweeper(Arc::clone(clock))));
    if role == Role::Submission && bridge.is_enabled() {
        let socket = bridge.config().socket.clone();
        let observer = Arc::clone(&bridge) as _;
        let receiver = GrantReceiver::bind(&socket, observer, directory.clone(), Arc::clone(clock))
            .map_err(CliError::failed)?;
        seams.background.push(tokio::spawn(receiver.run()));
    }
    if role == Role::Both {
        seams.observers.push(Arc::clone(&bridge) as _);
    }
    seams.rulings.push(Arc::new(AuthUsage::new(Arc::clone(bridge.recorder()))));
    seams
        .reloads
        .push(Arc::new(ReloadBridge { bridge: Arc::clone(&bridge), clock: Arc::clone(clock) }));
    seams.routes = std::mem::take(&mut seams.routes)
        .merge(control::routes(Arc::clone(&bridge), Arc::clone(clock)));
    let counting = Arc::clone(&bridge);
    seams.figures.push(Box::new(move || figures(&counting)));
    seams.authorities.push(bridge);
    Ok(())
}

/// For the status page.
fn figures(bridge: &Bridge) -> Vec<(String, u64)> {
    let counts = bridge.counts();
    let logins = counts.logins.iter().map(|(word, &count)| (format!("bridge.login.{word}"), count));
    let refused =
        counts.refused.iter().map(|(word, &count)| (format!("bridge.refused.{word}"), count));
    [("bridge.grants".to_owned(), counts.grants), ("bridge.accepted".to_owned(), counts.accepted)]
        .into_iter()
        .chain(logins.chain(refused).filter(|(_, count)| *count > 0))
        .collect()
}

fn usage_error(error: impl std::fmt::Display) -> CliError {
    CliError::Usage(error.to_string())
}

/// The bridge's part of `lastpost check`: adds its name to the authorities that may be named,
/// and its warnings.
///
/// # Errors
/// If the file has a mistake or does not fit the accounts.
pub(crate) fn check(
    config: &Config,
    accounts: &Accounts,
    authorities: &mut Vec<&'static str>,
    warnings: &mut Vec<String>,
) -> Result<(), CliError> {
    let file = file_of(config);
    if !file.exists() {
        return Ok(());
    }
    authorities.push(pop_before_smtp::NAME);
    let settings =
        BridgeConfig::load(&file, accounts.directory().default_domain()).map_err(usage_error)?;
    if !settings.enabled {
        warnings.push(format!("{}: the bridge is switched off", file.display()));
        return Ok(());
    }
    // A source that is away is a warning already, and no mistake.
    let Ok(accounts) = accounts.all() else { return Ok(()) };
    let report = settings.schedule.check(accounts.iter().map(|account| account.key()));
    let findings = report.findings.iter().map(ToString::to_string);
    if report.has_errors() {
        return Err(CliError::Usage(findings.collect::<Vec<_>>().join("\n")));
    }
    warnings.extend(findings);
    Ok(())
}

/// The bridge's file read again.
struct ReloadBridge {
    bridge: Arc<Bridge>,
    clock: Arc<dyn Clock>,
}

impl Reload for ReloadBridge {
    fn name(&self) -> String {
        FILE.to_owned()
    }

    fn reload(&self) -> Result<(), String> {
        self.bridge.reload(self.clock.now()).map(|_| ()).map_err(|error| error.to_string())
    }
}
