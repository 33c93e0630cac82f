//! Running as a daemon: start, follow signals, end cleanly.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use crate::cli::{CliError, CommonArgs, finish};
use crate::config::warn_of_retired_files;
use crate::service::{Role, Service};
use crate::{logging, secrecy, signals};

/// Threads for blocking work of the runtime itself; the rooms bound their own work further.
const BLOCKING_THREADS_MAX: usize = 128;

/// The POP3 daemon alone; grants go to the submission daemon over a socket.
#[derive(Debug, Parser)]
#[command(name = "lastpost-pop3d", version)]
struct Pop3d {
    #[command(flatten)]
    common: CommonArgs,
}

/// The submission daemon alone, with spool and delivery.
#[derive(Debug, Parser)]
#[command(name = "lastpost-submissiond", version)]
struct Submissiond {
    #[command(flatten)]
    common: CommonArgs,
}

/// The program `lastpost-pop3d`.
#[must_use]
pub fn main_pop3d() -> ExitCode {
    finish(run(&Pop3d::parse().common, Role::Pop3))
}

/// The program `lastpost-submissiond`.
#[must_use]
pub fn main_submissiond() -> ExitCode {
    finish(run(&Submissiond::parse().common, Role::Submission))
}

/// Runs until SIGINT or SIGTERM; SIGHUP reads everything again.
///
/// # Errors
/// If the configuration has a mistake or the service cannot start.
pub fn run(common: &CommonArgs, role: Role) -> Result<(), CliError> {
    let config = common.load()?;
    if !config.core_dumps {
        secrecy::keep_memory_private().map_err(CliError::failed)?;
    }
    logging::start(&config.log).map_err(|message| config.mistake("log.filter", message))?;
    for warning in warn_of_retired_files(&config.file) {
        tracing::warn!(target: "lastpost::config", "{warning}");
    }
    runtime()?.block_on(async {
        let service = Service::start(config, role, Arc::new(auth::SystemClock::new())).await?;
        serve(service).await
    })
}

async fn serve(service: Service) -> Result<(), CliError> {
    let mut hangups = signals::hangups().map_err(CliError::failed)?;
    // Fails where no service manager listens, which is fine.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let end = signals::terminated();
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            _ = hangups.recv() => {
                let controls = Arc::clone(service.controls());
                // Both outcomes are logged where they happen.
                let _ = tokio::task::spawn_blocking(move || controls.reload()).await;
            }
        }
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    service.stop().await;
    Ok(())
}

/// As many descriptors as the system allows this process: each session holds one or two, and
/// the usual soft limit of 1024 was made for programs that use `select`.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum && setrlimit(Resource::Nofile, raised).is_err() {
        tracing::warn!(target: "lastpost::service", limit = ?limit.current, "the limit of descriptors could not be raised");
    }
}

/// The runtime that all sessions share.
///
/// # Errors
/// If the system gives no threads.
pub fn runtime() -> Result<Runtime, CliError> {
    raise_descriptor_limit();
    Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("lastpost")
        .build()
        .map_err(|error| CliError::Failed(format!("the runtime cannot start: {error}")))
}
