//! EXTERNAL (RFC 4422 appendix A): the client says at most as whom it wants to act.

use alloc::string::String;

use crate::{Failure, SaslError, plain};

/// The authorization identity, if there is one.
pub(crate) fn parse(message: &[u8]) -> Result<Option<String>, Failure> {
    match plain::name(message) {
        Ok(authzid) => Ok(Some(authzid)),
        Err(SaslError::Empty) => Ok(None),
        Err(error) => Err(Failure::of(error, message)),
    }
}
