//! OAUTHBEARER (RFC 7628) and XOAUTH2: a token of an identity provider.

use alloc::format;
use alloc::string::String;

use crate::exchange::Exchange;
use crate::name::authzid as authzid_in;
use crate::{Failure, SaslError, Secret, Step, plain};

/// What separates the fields (RFC 7628 section 3.1).
const SEPARATOR: u8 = 1;

/// How the token comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    OAuthBearer,
    XOAuth2,
}

/// A token to be verified.
#[derive(Debug)]
pub struct TokenCheck {
    dialect: Dialect,
    authzid: Option<String>,
    token: Secret,
}

/// What a client may be told whose token was refused (RFC 7628 section 3.2.2).
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenHelp<'a> {
    /// A URL; empty: nothing.
    pub openid_configuration: &'a str,
    /// Scopes, separated by spaces; empty: nothing.
    pub scope: &'a str,
}

impl TokenCheck {
    /// Who the client says it is, and as whom it wants to act; none: the token alone says it.
    #[must_use]
    pub fn authzid(&self) -> Option<&str> {
        self.authzid.as_deref()
    }

    /// The token. Empty: the client only asks what it would need (RFC 7628 section 4.3); it is
    /// to be refused.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// Tells the client that its token is not accepted; its next message, whatever it is, ends
    /// the exchange (RFC 7628 section 3.2.3).
    pub fn refuse(&self, help: &TokenHelp<'_>) -> Step {
        let mut text = String::from(match self.dialect {
            Dialect::OAuthBearer => r#"{"status":"invalid_token""#,
            Dialect::XOAuth2 => r#"{"status":"401","schemes":"bearer""#,
        });
        let told = [("scope", help.scope), ("openid-configuration", help.openid_configuration)];
        for (name, value) in told {
            if !value.is_empty() {
                text.push_str(&format!(r#","{name}":{}"#, quoted(value)));
            }
        }
        text.push('}');
        Step::Challenge(Secret::from(text.as_str()), Exchange::awaiting_end_of_token())
    }
}

impl Dialect {
    pub(crate) fn take(self, message: &[u8]) -> Result<TokenCheck, Failure> {
        match self {
            Self::OAuthBearer => bearer(message),
            Self::XOAuth2 => xoauth2(message),
        }
    }
}

/// `gs2-header kvsep *kvpair kvsep` (RFC 7628 section 3.1). Host and port, if they are named,
/// are the client's view, and nothing is decided by them.
fn bearer(message: &[u8]) -> Result<TokenCheck, Failure> {
    let malformed = || Failure::nobodys(SaslError::Malformed);
    let end = message.iter().position(|&octet| octet == SEPARATOR).ok_or_else(malformed)?;
    let header = core::str::from_utf8(&message[..end]).map_err(|_| malformed())?;
    // There is no channel binding for it: `p=` could not be checked.
    let authzid = header.strip_prefix("n,").or_else(|| header.strip_prefix("y,"));
    let authzid = authzid.and_then(|rest| rest.strip_suffix(',')).ok_or_else(malformed)?;
    let authzid = authzid_in(authzid).map_err(|_| malformed())?;
    let failed = || Failure { error: SaslError::Malformed, login: authzid.clone() };
    let token = token(&message[end + 1..]).ok_or_else(failed)?;
    Ok(TokenCheck { dialect: Dialect::OAuthBearer, authzid, token })
}

/// `user=` name, `auth=Bearer ` token, and an empty field.
fn xoauth2(message: &[u8]) -> Result<TokenCheck, Failure> {
    let malformed = || Failure::nobodys(SaslError::Malformed);
    let end = message.iter().position(|&octet| octet == SEPARATOR).ok_or_else(malformed)?;
    let name = message[..end].strip_prefix(b"user=").ok_or_else(malformed)?;
    let failed = |error| Failure::of(error, name);
    let user = plain::name(name).map_err(failed)?;
    let token = token(&message[end + 1..]).ok_or_else(|| failed(SaslError::Malformed))?;
    Ok(TokenCheck { dialect: Dialect::XOAuth2, authzid: Some(user), token })
}

/// The token among pairs that each end with a separator, with one more at the end of all.
fn token(pairs: &[u8]) -> Option<Secret> {
    let mut token = None;
    let pairs = pairs.strip_suffix(&[SEPARATOR])?;
    for pair in pairs.strip_suffix(&[SEPARATOR])?.split(|&octet| octet == SEPARATOR) {
        let equals = pair.iter().position(|&octet| octet == b'=')?;
        let (key, value) = (&pair[..equals], &pair[equals + 1..]);
        let sound = |&octet: &u8| matches!(octet, b'\t' | b'\r' | b'\n' | b' '..=b'~');
        let named = !key.is_empty() && key.iter().all(u8::is_ascii_alphabetic);
        if !named || !value.iter().all(sound) {
            return None;
        }
        if key == b"auth" && token.replace(credential(value)?).is_some() {
            return None;
        }
    }
    token
}

/// `Bearer` and a `b64token` (RFC 6750 section 2.1), or nothing at all.
fn credential(value: &[u8]) -> Option<Secret> {
    if value.is_empty() {
        return Some(Secret::default());
    }
    let (scheme, token) = value.split_at_checked(7)?;
    let token = token.trim_ascii_start();
    let body = token.iter().rposition(|&octet| octet != b'=').map_or(0, |last| last + 1);
    let fits = |&octet: &u8| {
        octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
    };
    let sound = scheme.eq_ignore_ascii_case(b"Bearer ") && body > 0;
    (sound && token[..body].iter().all(fits)).then(|| Secret::from(token))
}

/// A JSON string (RFC 8259 section 7).
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            '\0'..='\x1f' => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings_hold_anything() {
        assert_eq!(quoted("a\"b\\c\nd\u{e9}"), "\"a\\\"b\\\\c\\u000ad\u{e9}\"");
    }
}
