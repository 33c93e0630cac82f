//! One authentication: challenges to the client, responses from it.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::{Mechanism, SaslError, Secret};

/// The longest response, in octets of base64 without the line end (RFC 4954 section 4).
pub const RESPONSE_MAX: usize = 12_288;

/// `Username:` in base64: what clients of LOGIN look for to the letter.
const ASK_LOGIN: &str = "VXNlcm5hbWU6";
/// `Password:` in base64.
const ASK_PASSWORD: &str = "UGFzc3dvcmQ6";

/// Who wants to log in, and with what.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// How they came; `None`: by commands of the protocol's own.
    pub mechanism: Option<Mechanism>,
    /// The identity to act as, if the client named one; it never differs from `login` but in
    /// case.
    pub authzid: Option<String>,
    /// The login name as the client spelled it: not empty, without NUL.
    pub login: String,
    /// The password: not empty, without NUL, not necessarily UTF-8.
    pub password: Secret,
}

/// What to do next.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Ask the client.
    Challenge {
        /// Base64 to send behind `+ ` (POP3) or `334 ` (SMTP); may be empty.
        text: Cow<'static, str>,
        /// What takes the client's answer.
        exchange: Exchange,
    },
    /// Verify these.
    Credentials(Credentials),
    /// It is over.
    Failed(SaslError),
}

/// An exchange that waits for a line from the client.
#[derive(Clone, Debug)]
pub struct Exchange(Awaiting);

#[derive(Clone, Debug)]
enum Awaiting {
    PlainMessage,
    LoginName,
    LoginPassword { login: String },
}

impl Exchange {
    /// Begins an exchange. `initial`: the initial response as it stood behind the mechanism's
    /// name, base64, `=` for an empty one (RFC 5034 section 4, RFC 4954 section 4); `None` if
    /// there was none.
    pub fn start(mechanism: Mechanism, initial: Option<&[u8]>) -> Step {
        let exchange = Self(match mechanism {
            Mechanism::Plain => Awaiting::PlainMessage,
            Mechanism::Login => Awaiting::LoginName,
            _ => return Step::Failed(SaslError::Malformed),
        });
        match initial {
            None => exchange.ask(),
            Some(b"=") => exchange.take(Zeroizing::default()),
            Some(text) => exchange.decode(text),
        }
    }

    /// Takes the client's answer: a line without its end.
    pub fn respond(self, line: &[u8]) -> Step {
        if line == b"*" {
            return Step::Failed(SaslError::Cancelled);
        }
        self.decode(line)
    }

    fn ask(self) -> Step {
        let text = match self.0 {
            Awaiting::PlainMessage => "",
            Awaiting::LoginName => ASK_LOGIN,
            Awaiting::LoginPassword { .. } => ASK_PASSWORD,
        };
        Step::Challenge { text: Cow::Borrowed(text), exchange: self }
    }

    fn decode(self, text: &[u8]) -> Step {
        if text.len() > RESPONSE_MAX {
            return Step::Failed(SaslError::TooLong);
        }
        // Decoded in one piece of memory that is overwritten afterwards, also on failure.
        let mut octets = Zeroizing::new(alloc::vec![0; text.len().div_ceil(4) * 3]);
        match STANDARD.decode_slice(text, &mut octets) {
            Ok(length) => {
                octets.truncate(length);
                self.take(octets)
            }
            Err(_) => Step::Failed(SaslError::NotBase64),
        }
    }

    fn take(self, octets: Zeroizing<Vec<u8>>) -> Step {
        let outcome = match self.0 {
            Awaiting::PlainMessage => plain(&octets),
            Awaiting::LoginName => match name(&octets) {
                Ok(login) => return Self(Awaiting::LoginPassword { login }).ask(),
                Err(error) => Err(error),
            },
            Awaiting::LoginPassword { login } => {
                let mechanism = Some(Mechanism::Login);
                password(&octets).map(|password| Credentials {
                    mechanism,
                    authzid: None,
                    login,
                    password,
                })
            }
        };
        outcome.map_or_else(Step::Failed, Step::Credentials)
    }
}

/// `[authzid] NUL authcid NUL passwd` (RFC 4616 section 2).
fn plain(message: &[u8]) -> Result<Credentials, SaslError> {
    let mut fields = message.splitn(3, |&octet| octet == 0);
    let (Some(authzid), Some(authcid), Some(passwd)) =
        (fields.next(), fields.next(), fields.next())
    else {
        return Err(SaslError::Malformed);
    };
    let password = password(passwd)?;
    let login = name(authcid)?;
    let authzid = match authzid {
        [] => None,
        _ => Some(name(authzid)?),
    };
    if authzid.as_ref().is_some_and(|authzid| !authzid.eq_ignore_ascii_case(&login)) {
        return Err(SaslError::ForeignIdentity);
    }
    Ok(Credentials { mechanism: Some(Mechanism::Plain), authzid, login, password })
}

fn name(octets: &[u8]) -> Result<String, SaslError> {
    if octets.contains(&0) {
        return Err(SaslError::Malformed);
    }
    match core::str::from_utf8(octets) {
        Ok("") => Err(SaslError::Empty),
        Ok(name) => Ok(name.to_owned()),
        Err(_) => Err(SaslError::Malformed),
    }
}

fn password(octets: &[u8]) -> Result<Secret, SaslError> {
    match octets {
        [] => Err(SaslError::Empty),
        _ if octets.contains(&0) => Err(SaslError::Malformed),
        _ => Ok(Secret::from(octets)),
    }
}
