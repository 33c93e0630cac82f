//! What is read again while the daemons run.

use std::sync::Arc;

use auth::Directory;
use dkim::Signer;
use netio::Tls;
use tokio::runtime::Handle;

use super::Building;
use crate::cli::CliError;
use crate::control::Reload;

/// The table of accounts.
pub(super) struct ReloadAccounts {
    directory: Directory,
    /// A reload comes from whatever thread may block.
    runtime: Handle,
}

impl ReloadAccounts {
    /// Within the runtime of the daemons.
    pub(super) fn new(directory: Directory) -> Self {
        Self { directory, runtime: Handle::current() }
    }
}

impl Reload for ReloadAccounts {
    fn name(&self) -> String {
        "accounts".to_owned()
    }

    fn reload(&self) -> Result<(), String> {
        self.runtime.block_on(self.directory.reload())
    }
}

/// Certificates and keys.
pub(super) struct ReloadTls(pub(super) Tls);

impl Reload for ReloadTls {
    fn name(&self) -> String {
        "certificates".to_owned()
    }

    fn reload(&self) -> Result<(), String> {
        self.0.reload().map_err(|error| error.to_string())
    }
}

/// Keys that sign messages.
struct ReloadSigner(Signer);

impl Reload for ReloadSigner {
    fn name(&self) -> String {
        "DKIM keys".to_owned()
    }

    fn reload(&self) -> Result<(), String> {
        self.0.reload().map_err(|error| error.to_string())
    }
}

impl Building {
    /// The keys that sign messages, if there are any; a reload reads their files again.
    pub(super) fn signer(&mut self) -> Result<Option<Signer>, CliError> {
        if self.config.dkim.key.is_empty() {
            return Ok(None);
        }
        let signer = self.config.signer()?;
        self.seams.reloads.push(Arc::new(ReloadSigner(signer.clone())));
        Ok(Some(signer))
    }
}
