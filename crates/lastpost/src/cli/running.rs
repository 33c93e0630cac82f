//! Commands that ask the running daemon.

use crate::cli::{CliError, CommonArgs};
use crate::config::Config;
use crate::control::{ControlClient, Reloaded, Status};

/// A client for the daemon that runs with this configuration.
///
/// # Errors
/// If the control side is switched off or its token cannot be read.
pub(crate) fn client(config: &Config) -> Result<ControlClient, CliError> {
    let address = config.control.listen.ok_or_else(|| {
        CliError::Usage("control.listen is not set: the daemon takes no commands".to_owned())
    })?;
    ControlClient::new(address, &config.control_token_file()).map_err(CliError::failed)
}

/// Decodes the daemon's JSON.
///
/// # Errors
/// If it is of another version of the program.
pub(crate) fn decode<T: serde::de::DeserializeOwned>(answer: &str) -> Result<T, CliError> {
    serde_json::from_str(answer).map_err(|error| {
        CliError::Failed(format!("the daemon's answer is not understood: {error}"))
    })
}

pub(crate) fn reload(common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    let answer = client(&config)?.post("/reload", "").map_err(CliError::failed)?;
    let reloaded: Reloaded = decode(&answer)?;
    common.output().show(&reloaded, |reloaded| {
        reloaded.parts.iter().map(|part| format!("{part}: read again\n")).collect()
    })
}

pub(crate) fn status(common: &CommonArgs) -> Result<(), CliError> {
    let config = common.load()?;
    let answer = client(&config)?.get("/status").map_err(CliError::failed)?;
    let status: Status = decode(&answer)?;
    common.output().show(&status, Status::describe)
}
