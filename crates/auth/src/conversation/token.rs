//! OAUTHBEARER and XOAUTH2: a token, and whoever verifies it.

use sasl::{Step, TokenCheck, TokenHelp};

use super::{Between, Conversation, Turn};
use crate::authenticator::{Case, Outcome, Reason, Shared};
use crate::{Denied, Moment, TokenError, Unavailable};

impl Conversation {
    /// Verifies the token. What fails is counted and held back at once, and not when the client
    /// has taken note of why: it may never do.
    pub(super) async fn token(&mut self, check: &TokenCheck, at: Moment) -> Turn {
        let named = check.authzid().unwrap_or_default();
        let mut case = match self.shared().open_case(named, &self.origin, at).await {
            Ok(case) => case,
            Err(denied) => return Turn::Denied(denied),
        };
        let outcome = self.shared().decide_token(&mut case, check).await;
        let turn = self.close(&case, outcome).await;
        if !matches!(turn, Turn::Denied(Denied::Invalid)) {
            return turn;
        }
        let config = &self.shared().sasl;
        let help = TokenHelp {
            openid_configuration: &config.openid_configuration,
            scope: &config.oauth_scope,
        };
        let Step::Challenge(challenge, exchange) = check.refuse(&help) else { return turn };
        self.between = Between::Verdict(Denied::Invalid);
        self.ask(challenge, exchange)
    }
}

impl Shared {
    async fn decide_token(
        &self,
        case: &mut Case,
        check: &TokenCheck,
    ) -> Result<Outcome, Unavailable> {
        let Some(verifier) = self.helpers.tokens.get() else {
            return Ok(Outcome::failed(Reason::Malformed));
        };
        let nameless = check.authzid().is_none();
        if check.token().is_empty() || case.master.is_some() || (case.key.is_none() && !nameless) {
            return Ok(Outcome::failed(Reason::Malformed));
        }
        let identity = match verifier.verify(check.token(), case.at).await {
            Ok(identity) => identity,
            Err(TokenError::Invalid) => return Ok(self.wrong_token(case, check)),
            Err(TokenError::Unavailable) => {
                let (source_name, problem) = ("oauth", TokenError::Unavailable.to_string());
                return Err(Unavailable { source_name: source_name.to_owned(), problem });
            }
        };
        if nameless {
            case.login.clone_from(&identity.login);
        }
        let Ok(key) = self.directory.key(&identity.login) else {
            return Ok(Outcome::failed(Reason::Malformed));
        };
        if case.key.as_ref().is_some_and(|named| *named != key) {
            return Ok(self.wrong_token(case, check));
        }
        Ok(match self.directory.find(&key).await? {
            Some(account) if !account.is_disabled() => Outcome::WithoutPassword(account),
            other => Outcome::failed(Reason::of(other.as_deref())),
        })
    }

    /// The same token again, as a program sends it that has not noticed its end, is not one more
    /// attempt to guess; but it is looked at each time, for it may be good by then.
    fn wrong_token(&self, case: &Case, check: &TokenCheck) -> Outcome {
        let parts = [b"wrong-token", case.login.as_bytes(), check.token().expose()];
        let [a, b, c, d, e, f, g, h, ..] = self.seal.digest(&parts);
        Outcome::Failed { reason: Reason::Wrong, wrong: Some([a, b, c, d, e, f, g, h]) }
    }
}
