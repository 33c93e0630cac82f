//! What is read again while the daemons run.

use auth::Directory;
use netio::Tls;

use crate::control::Reload;

/// The table of accounts.
pub(super) struct ReloadAccounts(pub(super) Directory);

impl Reload for ReloadAccounts {
    fn name(&self) -> String {
        "accounts".to_owned()
    }

    fn reload(&self) -> Result<(), String> {
        self.0.reload().map(|_| ()).map_err(|error| error.to_string())
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
