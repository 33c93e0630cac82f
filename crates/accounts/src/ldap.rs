//! Accounts in a directory (LDAP version 3, RFC 4511).
//!
//! The operations that a mail server needs are few and are written here, on bounded messages:
//! ldap3 0.12 reads answers recursively and without a limit, so that a server that has gone
//! wrong could end the process.

mod attributes;
mod ber;
mod config;
mod connection;
mod dn;
mod entry;
mod filter;
mod listing;
mod live;
mod message;
mod pool;
mod server;
mod template;

use std::sync::Arc;

use address::{AccountKey, Mailbox};
use arc_swap::ArcSwap;
use auth::{Account, AccountSource, Answer, Origin, PolicySpread, Reload, Unavailable};
use sasl::Secret;

use crate::{AccountsSetupError, Common};
use live::Live;

pub use attributes::Column as LdapColumn;
pub use config::{LdapConfig, LdapMode, LdapSearch};
pub use message::Scope as LdapScope;

/// A directory.
pub struct LdapSource {
    name: String,
    config: LdapConfig,
    common: Common,
    live: ArcSwap<Live>,
}

impl LdapSource {
    /// A source that connects when it is asked for the first time. Blocks: reads certificates
    /// and the password.
    ///
    /// # Errors
    /// The first value of the configuration that cannot be obeyed.
    pub fn open(
        name: &str,
        config: &LdapConfig,
        common: &Common,
    ) -> Result<Self, AccountsSetupError> {
        let live = ArcSwap::from_pointee(Live::open(name, config, common)?);
        Ok(Self { name: name.to_owned(), config: config.clone(), common: common.clone(), live })
    }
}

impl AccountSource for LdapSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn find<'a>(
        &'a self,
        key: &'a AccountKey,
    ) -> Answer<'a, Result<Option<Arc<Account>>, Unavailable>> {
        let live = self.live.load_full();
        Box::pin(async move { live.find_account(key).await })
    }

    fn owners<'a>(
        &'a self,
        address: &'a Mailbox,
    ) -> Answer<'a, Result<Vec<Arc<Account>>, Unavailable>> {
        let live = self.live.load_full();
        Box::pin(async move { live.find_owners(address).await })
    }

    fn page<'a>(
        &'a self,
        after: Option<&'a AccountKey>,
        limit: usize,
    ) -> Answer<'a, Result<Option<Vec<Arc<Account>>>, Unavailable>> {
        let live = self.live.load_full();
        Box::pin(async move { live.page(after, limit).await })
    }

    fn verify<'a>(
        &'a self,
        account: &'a Arc<Account>,
        password: &'a Secret,
        _origin: &'a Origin,
    ) -> Answer<'a, Result<bool, Unavailable>> {
        let live = self.live.load_full();
        Box::pin(async move {
            // An empty password is an anonymous bind, which succeeds (RFC 4513 section 5.1.2).
            if password.is_empty() || self.config.mode != LdapMode::Bind {
                return Ok(false);
            }
            live.verify_by_bind(account.key(), password).await
        })
    }

    fn policies(&self) -> PolicySpread {
        self.live.load().policies()
    }

    fn warnings(&self) -> Vec<String> {
        self.live.load().warnings()
    }

    /// Reads certificates and the password again; connections are made anew with them.
    fn reload(&self) -> Answer<'_, Result<Reload, String>> {
        let (name, config, common) = (self.name.clone(), self.config.clone(), self.common.clone());
        Box::pin(async move {
            let open = move || Live::open(&name, &config, &common);
            let opened = tokio::task::spawn_blocking(open).await.map_err(|e| e.to_string())?;
            self.live.store(Arc::new(opened.map_err(|e| e.to_string())?));
            Ok(Reload::Unchanged)
        })
    }
}
