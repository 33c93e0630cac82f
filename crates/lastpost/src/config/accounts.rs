//! The accounts that the configuration names.

use std::sync::Arc;

use auth::{Clock, Directory};

use super::{Config, ConfigError};

impl Config {
    /// The sources of accounts, chained. Blocks: files are read. Within a tokio runtime, for
    /// sources that are asked over the network.
    ///
    /// # Errors
    /// What is wrong with the configuration or with a file that it names.
    pub fn directory(&self, clock: Arc<dyn Clock>) -> Result<Directory, ConfigError> {
        self.accounts.open(clock, &self.data_directory).map_err(|error| {
            let accounts::AccountsSetupError { key, problem, expected } = error;
            self.mistake(&key, format!("{problem}; expected {expected}"))
        })
    }
}
