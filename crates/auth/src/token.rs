//! OAuth bearer tokens as a proof of who somebody is: the seam behind which they are verified.

use jiff::Timestamp;
use sasl::Secret;

use crate::{Answer, Moment};

/// What a good token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenIdentity {
    /// The login name that the token is for, as the issuer wrote it; not yet normalised.
    pub login: String,
    /// When the token ends; None: it does not say.
    pub expires: Option<Timestamp>,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is forged, has expired, is for somebody else, or is no token. What it was is for the
    /// log alone.
    #[error("the token is not valid")]
    Invalid,
    /// It cannot be said now: the issuer, or what its keys are needed for, is out of reach.
    #[error("tokens cannot be verified now")]
    Unavailable,
}

/// Who verifies tokens.
///
/// Every answer comes within a bounded time. The token has at most the length of a SASL message.
pub trait TokenVerifier: Send + Sync {
    /// Whose token this is, if it is good at `at`.
    fn verify<'a>(
        &'a self,
        token: &'a Secret,
        at: Moment,
    ) -> Answer<'a, Result<TokenIdentity, TokenError>>;
}
