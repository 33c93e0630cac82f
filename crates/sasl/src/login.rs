//! LOGIN (draft-murchison-sasl-login): name and password, asked for one by one.

use alloc::string::String;

use crate::plain;
use crate::{Credentials, Failure, SaslError};

/// What clients look for to the letter.
pub(crate) const ASK_NAME: &str = "Username:";
pub(crate) const ASK_PASSWORD: &str = "Password:";

/// The name; it may be empty, for the password is asked for all the same.
pub(crate) fn name(message: &[u8]) -> Result<String, Failure> {
    match plain::name(message) {
        Err(SaslError::Empty) => Ok(String::new()),
        other => other.map_err(|error| Failure::of(error, message)),
    }
}

pub(crate) fn password(login: String, message: &[u8]) -> Result<Credentials, Failure> {
    match plain::password(message) {
        Ok(password) if !login.is_empty() => Ok(Credentials { authzid: None, login, password }),
        Ok(_) => Err(Failure { error: SaslError::Empty, login: Some(login) }),
        Err(error) => Err(Failure { error, login: Some(login) }),
    }
}
