//! Whom an authenticator asks beside its directory: verifiers of tokens, app passwords.

use std::sync::{Arc, OnceLock};

use sasl::Secret;

use super::{Authenticator, Case};
use crate::{Account, AppPasswords, Origin, TokenVerifier, Unavailable};

/// Set once, before the first login.
#[derive(Default)]
pub(crate) struct Helpers {
    pub(crate) tokens: OnceLock<Arc<dyn TokenVerifier>>,
    app_passwords: OnceLock<Arc<dyn AppPasswords>>,
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
}

impl Helpers {
    /// Whether `password` is an app password of `account`, good at this service.
    pub(super) async fn is_app_password(
        &self,
        case: &Case,
        account: &Account,
        password: &Secret,
    ) -> Result<bool, Unavailable> {
        let Some(app_passwords) = self.app_passwords.get() else { return Ok(false) };
        if !app_passwords.has_shape(password) {
            return Ok(false);
        }
        let Origin { client, channel } = case.origin;
        let service = channel.service;
        let checking = app_passwords.check(account.key(), password, service, client, case.at);
        let Some(name) = checking.await? else { return Ok(false) };
        tracing::debug!(
            target: "lastpost::auth",
            user = %account.key(),
            app_password = ?name.0,
            rip = %client,
            "app password used"
        );
        Ok(true)
    }
}
