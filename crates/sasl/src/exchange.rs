//! One authentication: octets of the client go in, and what is to be done comes out.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

use crate::cram_md5::CramMd5;
use crate::oauth::Dialect;
use crate::scram::{Final, First, ScramHash};
use crate::{
    DigestCheck, Failure, Mechanism, ProofCheck, SaltRequest, SaslError, Secret, TokenCheck,
    external, login, plain,
};

/// What an exchange has to know beside the client's messages.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Our part of the nonce of SCRAM: printable ASCII without a comma, never used again.
    pub nonce: String,
    /// The challenge of CRAM-MD5: in the form of a message id (RFC 2195 section 2), never used
    /// again.
    pub challenge: String,
    /// What binds to the TLS session.
    pub channel: ChannelBinding,
    /// Whether SCRAM-SHA-256-PLUS is offered in this session: a client that could have used it,
    /// and says that it was not offered, has been lied to (RFC 5802 section 6).
    pub plus_offered: bool,
}

impl Terms {
    /// Terms without TLS. `random`: fresh octets from a generator fit for keys; `seconds`: since
    /// 1970, for the challenge of CRAM-MD5.
    #[must_use]
    pub fn fresh(random: &[u8; 18], seconds: u64) -> Self {
        let nonce = URL_SAFE.encode(random);
        // No client looks at the host; this one tells nothing.
        let challenge = format!("<{nonce}.{seconds}@auth.invalid>");
        Self { nonce, challenge, channel: ChannelBinding::default(), plus_offered: false }
    }
}

/// What binds an exchange to the TLS session in which it takes place.
#[derive(Clone, Debug, Default)]
pub struct ChannelBinding {
    /// `tls-exporter` (RFC 9266).
    pub exporter: Option<[u8; 32]>,
    /// `tls-server-end-point` (RFC 5929 section 4).
    pub end_point: Option<Box<[u8]>>,
}

/// What to do next.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Send this message to the client; the exchange takes its answer.
    Challenge(Secret, Exchange),
    /// Verify a password.
    Password(Credentials),
    /// Say with which salt the password of an account is hashed.
    Salt(SaltRequest),
    /// Check the proof with the account's keys.
    Proof(ProofCheck),
    /// SCRAM is over: the proof was right, and the client has seen ours.
    Proven,
    /// Check the digest with the account's secret.
    Digest(DigestCheck),
    /// Verify a token.
    Token(TokenCheck),
    /// The client has heard why its token was refused: the exchange has failed.
    TokenRefused,
    /// TLS has verified the client's certificate, if there is one: find out whose it is.
    Certificate {
        /// As whom the client wants to act; none: as whom the certificate names.
        authzid: Option<String>,
    },
    /// It is over.
    Failed(Failure),
}

/// A password, and whose it is said to be.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// As whom the client wants to act; none: as `login`.
    pub authzid: Option<String>,
    /// The login name as the client spelled it: not empty, without NUL.
    pub login: String,
    /// The password: not empty, without NUL, not necessarily UTF-8.
    pub password: Secret,
}

/// An exchange that waits for a message of the client.
#[derive(Debug)]
pub struct Exchange(Awaiting);

#[derive(Debug)]
enum Awaiting {
    Plain,
    LoginName,
    LoginPassword(String),
    ScramFirst(Box<First>),
    ScramFinal(Box<Final>),
    ScramEnd,
    CramMd5(Box<CramMd5>),
    Token(Dialect),
    TokenEnd,
    External,
}

impl Exchange {
    /// An exchange of `mechanism` that has not begun.
    #[must_use]
    pub fn new(mechanism: Mechanism, terms: Terms) -> Self {
        Self(match mechanism {
            Mechanism::Plain => Awaiting::Plain,
            Mechanism::Login => Awaiting::LoginName,
            Mechanism::ScramSha1 => scram(ScramHash::Sha1, false, terms),
            Mechanism::ScramSha256 => scram(ScramHash::Sha256, false, terms),
            Mechanism::ScramSha256Plus => scram(ScramHash::Sha256, true, terms),
            Mechanism::CramMd5 => {
                Awaiting::CramMd5(Box::new(CramMd5 { challenge: terms.challenge, sent: false }))
            }
            Mechanism::OAuthBearer => Awaiting::Token(Dialect::OAuthBearer),
            Mechanism::XOAuth2 => Awaiting::Token(Dialect::XOAuth2),
            Mechanism::External => Awaiting::External,
        })
    }

    /// Begins without an initial response.
    pub fn start(self) -> Step {
        let challenge = match &self.0 {
            Awaiting::LoginName => Secret::from(login::ASK_NAME),
            Awaiting::CramMd5(cram) => Secret::from(cram.challenge.as_str()),
            // The client speaks first: an empty challenge asks it to (RFC 4954 section 4).
            _ => Secret::default(),
        };
        Step::Challenge(challenge, self.begun())
    }

    /// Takes the client's message: its initial response, or its answer to a challenge.
    pub fn take(self, message: &Secret) -> Step {
        let octets = message.expose();
        let taken = match self.0 {
            Awaiting::Plain => plain::parse(octets).map(Step::Password),
            Awaiting::LoginName => login::name(octets).map(|login| {
                let next = Self(Awaiting::LoginPassword(login));
                Step::Challenge(Secret::from(login::ASK_PASSWORD), next)
            }),
            Awaiting::LoginPassword(login) => login::password(login, octets).map(Step::Password),
            Awaiting::ScramFirst(first) => first.take(octets).map(Step::Salt),
            Awaiting::ScramFinal(last) => last.take(octets).map(Step::Proof),
            Awaiting::ScramEnd if octets.is_empty() => Ok(Step::Proven),
            Awaiting::ScramEnd => Err(Failure::nobodys(SaslError::Malformed)),
            Awaiting::CramMd5(cram) => cram.take(octets).map(Step::Digest),
            Awaiting::Token(dialect) => dialect.take(octets).map(Step::Token),
            Awaiting::TokenEnd => Ok(Step::TokenRefused),
            Awaiting::External => {
                external::parse(octets).map(|authzid| Step::Certificate { authzid })
            }
        };
        taken.unwrap_or_else(Step::Failed)
    }

    fn begun(mut self) -> Self {
        if let Awaiting::CramMd5(cram) = &mut self.0 {
            cram.sent = true;
        }
        self
    }

    pub(crate) fn awaiting_proof(last: Box<Final>) -> Self {
        Self(Awaiting::ScramFinal(last))
    }

    pub(crate) fn awaiting_end_of_scram() -> Self {
        Self(Awaiting::ScramEnd)
    }

    pub(crate) fn awaiting_end_of_token() -> Self {
        Self(Awaiting::TokenEnd)
    }
}

fn scram(hash: ScramHash, plus: bool, terms: Terms) -> Awaiting {
    Awaiting::ScramFirst(Box::new(First { hash, plus, terms }))
}
