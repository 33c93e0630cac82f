//! The verifier of one issuer's tokens.

use std::sync::Arc;

use auth::{Answer, Clock, Moment, TokenError, TokenIdentity, TokenVerifier};
use sasl::Secret;

use crate::claims::{Refusal, Strictness};
use crate::config::OAuthConfig;
use crate::introspection::Introspection;
use crate::jwks::Signed;
use crate::jws::{Jws, TOKEN_MAX};
use crate::keys::Keys;
use crate::rules::Rules;

/// A value in `[oauth]` that cannot be obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}; expected {expected}")]
pub struct OAuthError {
    /// The key, with its section.
    pub key: &'static str,
    /// What is wrong with the value.
    pub problem: String,
    /// What should stand there.
    pub expected: &'static str,
}

impl OAuthError {
    pub(crate) fn new(
        key: &'static str,
        problem: impl Into<String>,
        expected: &'static str,
    ) -> Self {
        Self { key, problem: problem.into(), expected }
    }
}

impl From<auth::ConfigError> for OAuthError {
    fn from(error: auth::ConfigError) -> Self {
        Self { key: error.key, problem: error.problem, expected: error.expected }
    }
}

/// Verifies the tokens of one issuer.
pub struct Verifier {
    rules: Rules,
    means: Means,
}

/// How it is known that a token is the issuer's.
enum Means {
    Keys(Keys),
    Introspection(Box<Introspection>),
}

/// Why there is no identity.
pub(crate) enum Failure {
    Refused(Refusal),
    Unavailable,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl OAuthConfig {
    /// Checks every value, without reading the files that it names.
    ///
    /// # Errors
    /// The first value that cannot be obeyed.
    pub fn check(&self) -> Result<(), OAuthError> {
        Rules::new(self)?;
        const EITHER: &str = "one of the tables [oauth.keys] and [oauth.introspection]";
        match (&self.keys, &self.introspection) {
            (Some(keys), None) => {
                if self.issuer.is_empty() {
                    let expected = "the issuer as its tokens name it (iss)";
                    return Err(OAuthError::new("oauth.issuer", "it is empty", expected));
                }
                if self.audience.is_empty() {
                    let expected = "a name of this service as tokens have it (aud)";
                    return Err(OAuthError::new("oauth.audience", "it is empty", expected));
                }
                keys.check()
            }
            (None, Some(introspection)) => introspection.check(),
            (None, None) => {
                Err(OAuthError::new("oauth", "nothing says how to verify tokens", EITHER))
            }
            (Some(_), Some(_)) => Err(OAuthError::new("oauth", "both are there", EITHER)),
        }
    }
}

impl Verifier {
    /// Reads files and secrets. The issuer is not asked yet: it may be down when mail starts.
    /// Blocking.
    ///
    /// # Errors
    /// The first value or file that cannot be used.
    pub fn open(config: &OAuthConfig, clock: Arc<dyn Clock>) -> Result<Arc<Self>, OAuthError> {
        config.check()?;
        let means = match (&config.keys, &config.introspection) {
            (Some(keys), _) => Means::Keys(Keys::open(keys, clock)?),
            (None, Some(asked)) => Means::Introspection(Box::new(Introspection::open(asked)?)),
            (None, None) => {
                return Err(OAuthError::new("oauth", "nothing verifies tokens", "[oauth.keys]"));
            }
        };
        Ok(Arc::new(Self { rules: Rules::new(config)?, means }))
    }

    /// Keeps the keys fresh as long as it is polled: to be spawned.
    pub async fn keep_fresh(self: Arc<Self>) {
        if let Means::Keys(keys) = &self.means {
            keys.keep_fresh().await;
        }
    }

    /// Gets the issuer's keys again, or forgets what it said of tokens. A shared secret stays
    /// what it is.
    ///
    /// # Errors
    /// Why there are no new ones; those that were in force stay in force.
    pub async fn reload(&self) -> Result<(), String> {
        match &self.means {
            Means::Keys(keys) => keys.reload().await,
            Means::Introspection(asked) => {
                asked.forget();
                Ok(())
            }
        }
    }

    async fn identify(&self, token: &Secret, at: Moment) -> Result<TokenIdentity, Failure> {
        let octets = token.expose();
        match &self.means {
            Means::Introspection(_) if octets.len() > TOKEN_MAX => Err(Refusal::TooLong.into()),
            Means::Introspection(asked) => asked.ask(&self.rules, token, at).await,
            Means::Keys(keys) => {
                let token = Jws::parse(octets)?;
                if !keys.allows(token.algorithm) {
                    return Err(Refusal::Algorithm.into());
                }
                if token.kind.as_ref().is_some_and(|kind| !self.rules.types.contains(kind)) {
                    return Err(Refusal::Type.into());
                }
                match keys.check(&token, at.mono).await? {
                    Signed::Right => {}
                    Signed::Wrong => return Err(Refusal::Signature.into()),
                    Signed::UnknownKey => return Err(Refusal::UnknownKey.into()),
                }
                Ok(self.rules.judge(&token.claims()?, Strictness::Signed, at.wall)?)
            }
        }
    }
}

impl TokenVerifier for Verifier {
    fn verify<'a>(
        &'a self,
        token: &'a Secret,
        at: Moment,
    ) -> Answer<'a, Result<TokenIdentity, TokenError>> {
        Box::pin(async move {
            self.identify(token, at).await.map_err(|failure| match failure {
                Failure::Unavailable => TokenError::Unavailable,
                Failure::Refused(refusal) => {
                    let reason = refusal.as_str();
                    tracing::debug!(target: "lastpost::auth", reason, "token refused");
                    TokenError::Invalid
                }
            })
        })
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("rules", &self.rules).finish_non_exhaustive()
    }
}
