//! One SASL exchange of a session: messages of the client go in, and what to answer comes out.

use std::sync::Arc;

use sasl::{Mechanism, Secret};

use crate::{Authenticator, Denied, Login, Moment, Origin};

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
    /// 4954; `-ERR`, RFC 5034).
    Malformed,
}

/// An exchange under way.
pub struct Conversation {
    authenticator: Authenticator,
    mechanism: Mechanism,
    origin: Origin,
    _tls: TlsFacts,
    login: Option<String>,
    asked: bool,
}

impl Authenticator {
    /// Begins an exchange.
    #[must_use]
    pub fn converse(&self, mechanism: Mechanism, origin: Origin, tls: TlsFacts) -> Conversation {
        let authenticator = self.clone();
        Conversation { authenticator, mechanism, origin, _tls: tls, login: None, asked: false }
    }
}

impl Conversation {
    /// Takes the client's message; none: it sent no initial response.
    pub async fn take(&mut self, message: Option<Secret>, at: Moment) -> Turn {
        match self.mechanism {
            Mechanism::Plain => self.plain(message, at).await,
            Mechanism::Login => self.login(message, at).await,
            _ => Turn::Malformed,
        }
    }

    async fn plain(&mut self, message: Option<Secret>, at: Moment) -> Turn {
        let Some(message) = message else { return Turn::Challenge(Secret::default()) };
        let mut fields = message.expose().splitn(3, |&octet| octet == 0);
        let (Some(authzid), Some(login), Some(password)) =
            (fields.next(), fields.next(), fields.next())
        else {
            return Turn::Malformed;
        };
        let (Ok(authzid), Ok(login)) = (std::str::from_utf8(authzid), std::str::from_utf8(login))
        else {
            return Turn::Malformed;
        };
        let foreign = !authzid.is_empty() && !authzid.eq_ignore_ascii_case(login);
        if foreign || login.is_empty() || password.is_empty() {
            return Turn::Denied(self.authenticator.reject(Some(login), &self.origin, at).await);
        }
        if password.contains(&0) {
            return Turn::Malformed;
        }
        self.verify(login, &Secret::from(password), at).await
    }

    async fn login(&mut self, message: Option<Secret>, at: Moment) -> Turn {
        let Some(message) = message else { return Turn::Challenge(Secret::from("Username:")) };
        let Some(login) = self.login.take() else {
            let Ok(login) = std::str::from_utf8(message.expose()) else { return Turn::Malformed };
            if self.asked || login.contains('\0') {
                return Turn::Malformed;
            }
            (self.asked, self.login) = (true, Some(login.to_owned()));
            return Turn::Challenge(Secret::from("Password:"));
        };
        if login.is_empty() || message.is_empty() {
            return Turn::Denied(self.authenticator.reject(Some(&login), &self.origin, at).await);
        }
        self.verify(&login, &message, at).await
    }

    async fn verify(&self, login: &str, password: &Secret, at: Moment) -> Turn {
        match self.authenticator.verify(login, password, &self.origin, at).await {
            Ok(login) => Turn::Accepted(Box::new(login)),
            Err(denied) => Turn::Denied(denied),
        }
    }
}
