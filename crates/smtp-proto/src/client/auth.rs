//! The client's side of SMTP AUTH (RFC 4954): PLAIN, or LOGIN where there is nothing better.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sasl::Secret;

use super::Extensions;

/// How this host identifies itself to the next hop.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user name.
    pub name: String,
    /// The password.
    pub password: Secret,
    /// Whether the password may go out without TLS: for a next hop on a trusted wire.
    pub cleartext: bool,
}

/// An exchange that waits for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// `AUTH PLAIN response` was sent.
    Plain,
    /// The server asked for the response again, and got it.
    PlainAgain,
    /// `AUTH LOGIN` was sent.
    LoginName,
    /// The name was sent.
    LoginPassword,
    /// Everything was sent.
    Complete,
    /// `*` was sent, for there was one challenge too many.
    Cancelled,
}

/// Begins an exchange; `None` if no mechanism is announced.
pub(super) fn begin(
    extensions: &Extensions,
    credentials: &Credentials,
) -> Option<(Exchange, Secret)> {
    if extensions.auth_plain {
        let line = encoded_line(b"AUTH PLAIN ", &plain(credentials));
        Some((Exchange::Plain, line))
    } else if extensions.auth_login {
        Some((Exchange::LoginName, Secret::new(b"AUTH LOGIN\r\n".to_vec())))
    } else {
        None
    }
}

/// Answers a 334. What the challenge says is of no matter to either mechanism.
pub(super) fn answer(exchange: Exchange, credentials: &Credentials) -> (Exchange, Secret) {
    match exchange {
        // Some servers have no initial responses (RFC 4954 section 4) and ask for it.
        Exchange::Plain => (Exchange::PlainAgain, encoded_line(b"", &plain(credentials))),
        Exchange::LoginName => {
            let name = Secret::new(credentials.name.clone().into_bytes());
            (Exchange::LoginPassword, encoded_line(b"", &name))
        }
        Exchange::LoginPassword => (Exchange::Complete, encoded_line(b"", &credentials.password)),
        Exchange::PlainAgain | Exchange::Complete | Exchange::Cancelled => {
            (Exchange::Cancelled, Secret::new(b"*\r\n".to_vec()))
        }
    }
}

/// RFC 4616: `authzid NUL authcid NUL passwd`.
fn plain(credentials: &Credentials) -> Secret {
    let password = credentials.password.expose();
    let mut message = Vec::with_capacity(2 + credentials.name.len() + password.len());
    message.push(0);
    message.extend_from_slice(credentials.name.as_bytes());
    message.push(0);
    message.extend_from_slice(password);
    Secret::new(message)
}

/// Written into a buffer that never grows, so that no copy of a secret is left behind.
fn encoded_line(prefix: &[u8], secret: &Secret) -> Secret {
    let octets = secret.expose();
    let encoded = octets.len().div_ceil(3) * 4;
    let mut line = Vec::with_capacity(prefix.len() + encoded + 2);
    line.extend_from_slice(prefix);
    line.resize(prefix.len() + encoded, 0);
    // The slice has the exact size, so this cannot fail.
    let written = STANDARD.encode_slice(octets, &mut line[prefix.len()..]).unwrap_or_default();
    line.truncate(prefix.len() + written);
    line.extend_from_slice(b"\r\n");
    Secret::new(line)
}
