//! The accounts that the configuration names.

use auth::Directory;

use super::{Config, ConfigError};

impl Config {
    /// The sources of accounts, chained. Blocks: files are read. Within a tokio runtime, for
    /// sources that are asked over the network.
    ///
    /// # Errors
    /// What is wrong with the configuration or with a file that it names.
    pub fn directory(&self) -> Result<Directory, ConfigError> {
        Directory::load(&self.accounts)
            .map_err(|error| self.mistake("accounts.passwd_file", error.to_string()))
    }
}
