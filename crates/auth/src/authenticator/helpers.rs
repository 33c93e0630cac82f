//! What an authenticator is given beside its directory: verifiers of tokens, app passwords, a key.

use std::sync::{Arc, OnceLock};

use address::AccountKey;
use sasl::Secret;

use super::{Authenticator, Case};
use crate::{AppPasswords, Origin, ShareKey, TokenVerifier, Unavailable};

/// Set once, before the first login.
#[derive(Default)]
pub(crate) struct Helpers {
    pub(crate) tokens: OnceLock<Arc<dyn TokenVerifier>>,
    app_passwords: OnceLock<Arc<dyn AppPasswords>>,
    pub(crate) salt_key: OnceLock<ShareKey>,
}

impl Authenticator {
    /// Has tokens (OAUTHBEARER, XOAUTH2) verified by `tokens`. Only the first call counts.
    #[must_use]
    pub fn with_tokens(self, tokens: Arc<dyn TokenVerifier>) -> Self {
        let _ = self.shared.helpers.tokens.set(tokens);
        self
    }

    /// Has what looks like an app password looked up in `app_passwords`. Only the first call
    /// counts.
    #[must_use]
    pub fn with_app_passwords(self, app_passwords: Arc<dyn AppPasswords>) -> Self {
        let _ = self.shared.helpers.app_passwords.set(app_passwords);
        self
    }

    /// Has the salts that SCRAM names for accounts without stored keys made under `key`. All
    /// daemons of a site need the same one, at each start: a salt that changes would tell that
    /// nobody has the name. Without this call a key of the process is used. Only the first call
    /// counts.
    #[must_use]
    pub fn with_salt_key(self, key: ShareKey) -> Self {
        let _ = self.shared.helpers.salt_key.set(key);
        self
    }
}

impl Helpers {
    /// Whether `password` is an app password of `account`, which may be nobody's name, good at this service.
    pub(super) async fn is_app_password(
        &self,
        case: &Case,
        account: &AccountKey,
        password: &Secret,
    ) -> Result<bool, Unavailable> {
        let Some(app_passwords) = self.app_passwords.get() else { return Ok(false) };
        if !app_passwords.has_shape(password) {
            return Ok(false);
        }
        let Origin { client, channel } = case.origin;
        let service = channel.service;
        let checking = app_passwords.check(account, password, service, client, case.at);
        let Some(name) = checking.await? else { return Ok(false) };
        tracing::debug!(
            target: "lastpost::auth",
            user = %account,
            app_password = ?name.0,
            rip = %client,
            "app password used"
        );
        Ok(true)
    }
}
