//! Whom the authenticator asks beside the directory: the verifier of tokens, app passwords.

use std::sync::Arc;

use accounts::app_passwords::AppPasswordStore;
use auth::{Authenticator, Clock};
use tokio::runtime::Handle;

use super::Seams;
use crate::cli::CliError;
use crate::config::{Config, ConfigError};
use crate::control::Reload;

/// The verifier of tokens, if there is to be one. Blocking: reads keys and secrets.
///
/// # Errors
/// If something in `[oauth]`, or a file that it names, cannot be used.
pub(crate) fn token_verifier(
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<oauth::Verifier>>, ConfigError> {
    let Some(section) = &config.oauth else { return Ok(None) };
    let opened = oauth::Verifier::open(section, Arc::clone(clock));
    opened.map(Some).map_err(|error| {
        config.mistake(error.key, format!("{}; expected {}", error.problem, error.expected))
    })
}

/// The issuer's keys.
struct ReloadTokenKeys {
    verifier: Arc<oauth::Verifier>,
    /// A reload comes from whatever thread may block.
    runtime: Handle,
}

impl Reload for ReloadTokenKeys {
    fn name(&self) -> String {
        "token keys".to_owned()
    }

    fn reload(&self) -> Result<(), String> {
        self.runtime.block_on(self.verifier.reload())
    }
}

/// Gives the authenticator its helpers. Within the runtime of the daemons.
pub(super) fn attach(
    config: &Config,
    clock: &Arc<dyn Clock>,
    mut authenticator: Authenticator,
    seams: &mut Seams,
) -> Result<Authenticator, CliError> {
    if let Some(verifier) = token_verifier(config, clock)? {
        seams.background.push(tokio::spawn(Arc::clone(&verifier).keep_fresh()));
        let runtime = Handle::current();
        let reload = ReloadTokenKeys { verifier: Arc::clone(&verifier), runtime };
        seams.reloads.push(Arc::new(reload));
        authenticator = authenticator.with_tokens(verifier);
    }
    let store = AppPasswordStore::open(&config.data_directory).map_err(CliError::failed)?;
    let store = Arc::new(store);
    let kept = Arc::clone(&store);
    // A failure is in the log.
    seams.at_end.push(Box::new(move || {
        let _ = kept.flush();
    }));
    Ok(authenticator.with_app_passwords(store))
}
