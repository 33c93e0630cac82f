//! PLAIN (RFC 4616): one message with everything in it.

use alloc::borrow::ToOwned;
use alloc::string::String;

use crate::{Credentials, Failure, SaslError, Secret};

/// `[authzid] NUL authcid NUL passwd` (section 2).
pub(crate) fn parse(message: &[u8]) -> Result<Credentials, Failure> {
    let mut fields = message.splitn(3, |&octet| octet == 0);
    let (Some(authzid), Some(authcid), Some(password)) =
        (fields.next(), fields.next(), fields.next())
    else {
        return Err(Failure::nobodys(SaslError::Malformed));
    };
    let failed = |error| Failure::of(error, authcid);
    let login = name(authcid).map_err(failed)?;
    let authzid = match authzid {
        [] => None,
        _ => Some(name(authzid).map_err(failed)?),
    };
    let password = self::password(password).map_err(failed)?;
    Ok(Credentials { authzid, login, password })
}

/// A login name: UTF-8, not empty, without NUL.
pub(crate) fn name(octets: &[u8]) -> Result<String, SaslError> {
    if octets.contains(&0) {
        return Err(SaslError::Malformed);
    }
    match core::str::from_utf8(octets) {
        Ok("") => Err(SaslError::Empty),
        Ok(name) => Ok(name.to_owned()),
        Err(_) => Err(SaslError::Malformed),
    }
}

/// A password: not empty, without NUL.
pub(crate) fn password(octets: &[u8]) -> Result<Secret, SaslError> {
    match octets {
        [] => Err(SaslError::Empty),
        _ if octets.contains(&0) => Err(SaslError::Malformed),
        _ => Ok(Secret::from(octets)),
    }
}
