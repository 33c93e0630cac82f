//! One SASL exchange of a session: messages of the client go in, and what to answer comes out.

mod certificate;
mod digest;
mod offer;
mod password;
mod prover;
mod scram;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use sasl::{ChannelBinding, Exchange, Failure, Mechanism, SaslError, Secret, Step, Terms};

use crate::authenticator::{Case, Outcome, Reason, Shared};
use crate::{Authenticator, Denied, Login, Moment, Origin, Unavailable};
use scram::Attempt;

/// What TLS says of a session, for the mechanisms that look at it.
#[derive(Clone, Debug, Default)]
pub struct TlsFacts {
    /// The channel binding `tls-exporter` (RFC 9266).
    pub exporter: Option<[u8; 32]>,
    /// The channel binding `tls-server-end-point` (RFC 5929 section 4).
    pub end_point: Option<Box<[u8]>>,
    /// The client's certificate, verified, in DER.
    pub certificate: Option<Arc<[u8]>>,
}

/// What to do after a message.
#[derive(Debug)]
#[must_use]
pub enum Turn {
    /// Send this to the client and wait for its answer.
    Challenge(Secret),
    /// It is who it says.
    Accepted(Box<Login>),
    /// It is not, or that cannot be said; the delay for a failure has passed already.
    Denied(Denied),
    /// The message is not what the mechanism asks for; the exchange is over (`501 5.5.2`, RFC
    /// 4954; `-ERR`, RFC 5034). If it named somebody it has counted as a failure of his.
    Malformed,
}

/// An exchange under way.
///
/// Whoever is named in it is counted for and logged as with a password: at the message that
/// names him the attempt is let in, and it is closed with the answer. A client that leaves in
/// between has learnt nothing of the password, and is counted as one that leaves.
pub struct Conversation {
    authenticator: Authenticator,
    mechanism: Mechanism,
    origin: Origin,
    certificate: Option<Arc<[u8]>>,
    progress: Progress,
    between: Between,
}

/// How far the exchange is.
enum Progress {
    /// Nothing has come yet.
    Unbegun(ChannelBinding),
    /// A challenge was sent.
    Going(Exchange),
    Over,
}

/// What is kept from one message of a client to the next.
enum Between {
    Nothing,
    /// SCRAM, once it is known who proves.
    Attempt(Box<Attempt>),
    /// A token was refused, and the client has yet to take note.
    Verdict(Denied),
}

impl Authenticator {
    /// Begins an exchange.
    #[must_use]
    pub fn converse(&self, mechanism: Mechanism, origin: Origin, tls: TlsFacts) -> Conversation {
        let TlsFacts { exporter, end_point, certificate } = tls;
        Conversation {
            authenticator: self.clone(),
            mechanism,
            origin,
            certificate,
            progress: Progress::Unbegun(ChannelBinding { exporter, end_point }),
            between: Between::Nothing,
        }
    }

    /// None: the system gives no random octets.
    fn begin(&self, mechanism: Mechanism, channel: ChannelBinding, at: Moment) -> Option<Exchange> {
        let bound = channel.exporter.is_some() || channel.end_point.is_some();
        let plus_offered = bound && self.shared.offered.contains(Mechanism::ScramSha256Plus);
        let mut random = [0; 18];
        if uses_randomness(mechanism)
            && let Err(error) = getrandom::fill(&mut random)
        {
            tracing::error!(target: "lastpost::auth", %error, "no random octets for a challenge");
            return None;
        }
        let seconds = at.wall.as_second().unsigned_abs();
        let terms = Terms { channel, plus_offered, ..Terms::fresh(&random, seconds) };
        Some(Exchange::new(mechanism, terms))
    }
}

impl Conversation {
    /// Takes the client's message; none: it sent no initial response.
    pub async fn take(&mut self, message: Option<Secret>, at: Moment) -> Turn {
        let step = match (std::mem::replace(&mut self.progress, Progress::Over), message) {
            (Progress::Unbegun(channel), message) => {
                let exchange = self.authenticator.begin(self.mechanism, channel, at);
                let Some(exchange) = exchange else { return Turn::Denied(Denied::Busy) };
                match message {
                    Some(message) => exchange.take(&message),
                    None => exchange.start(),
                }
            }
            (Progress::Going(exchange), Some(message)) => exchange.take(&message),
            (Progress::Going(_), None) | (Progress::Over, _) => return Turn::Malformed,
        };
        match step {
            Step::Challenge(challenge, exchange) => self.ask(challenge, exchange),
            Step::Password(credentials) => self.password(credentials, at).await,
            Step::Salt(request) => self.salt(request, at).await,
            Step::Proof(check) => self.proof(check).await,
            Step::Proven => self.proven().await,
            Step::Digest(check) => self.digest(&check, at).await,
            Step::Token(check) => self.token(&check, at).await,
            Step::TokenRefused => match std::mem::replace(&mut self.between, Between::Nothing) {
                Between::Verdict(denied) => Turn::Denied(denied),
                _ => Turn::Malformed,
            },
            Step::Certificate { authzid } => self.certificate(authzid.as_deref(), at).await,
            Step::Failed(failure) => self.failed(failure, at).await,
        }
    }

    fn shared(&self) -> &Shared {
        &self.authenticator.shared
    }

    fn ask(&mut self, challenge: Secret, exchange: Exchange) -> Turn {
        self.progress = Progress::Going(exchange);
        Turn::Challenge(challenge)
    }

    /// The exchange has failed by itself. Whoever was named in it is counted for.
    async fn failed(&mut self, failure: Failure, at: Moment) -> Turn {
        let Failure { error, login } = failure;
        let reason = match error {
            SaslError::ChannelBinding => Reason::ChannelBinding,
            _ => Reason::Malformed,
        };
        if let Between::Attempt(attempt) = std::mem::replace(&mut self.between, Between::Nothing) {
            return self.close(&attempt.case, Ok(Outcome::failed(reason))).await;
        }
        if login.is_none() && !error.is_refusal() {
            return Turn::Malformed;
        }
        match self.refuse(login.as_deref().unwrap_or_default(), reason, at).await {
            Turn::Denied(Denied::Invalid) if !error.is_refusal() => Turn::Malformed,
            other => other,
        }
    }

    /// Lets an attempt in that has failed already, and closes it.
    async fn refuse(&self, login: &str, reason: Reason, at: Moment) -> Turn {
        match self.shared().open_case(login, &self.origin, at).await {
            Ok(case) => self.close(&case, Ok(Outcome::failed(reason))).await,
            Err(denied) => Turn::Denied(denied),
        }
    }

    async fn close(&self, case: &Case, outcome: Result<Outcome, Unavailable>) -> Turn {
        let outcome = outcome.unwrap_or_else(Outcome::from);
        match self.shared().close_case(case, outcome).await {
            Ok(login) => Turn::Accepted(Box::new(login)),
            Err(denied) => Turn::Denied(denied),
        }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        if let Between::Attempt(attempt) = &self.between
            && !attempt.is_proven
        {
            self.shared().abandon_case(&attempt.case);
        }
    }
}

/// Whether a challenge of ours is part of what the client proves itself by.
fn uses_randomness(mechanism: Mechanism) -> bool {
    matches!(
        mechanism,
        Mechanism::ScramSha1
            | Mechanism::ScramSha256
            | Mechanism::ScramSha256Plus
            | Mechanism::CramMd5
    )
}
