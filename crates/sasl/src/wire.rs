//! Messages as lines: base64, as POP3 (RFC 5034) and SMTP (RFC 4954) carry them.

use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::{SaslError, Secret};

/// The longest response, in octets of base64 without the line end (RFC 4954 section 4).
pub const RESPONSE_MAX: usize = 12_288;

/// The message in a line that answers a challenge, without its line end.
///
/// # Errors
/// [`SaslError::Cancelled`] for `*`, [`SaslError::TooLong`], [`SaslError::NotBase64`].
pub fn decode_response(line: &[u8]) -> Result<Secret, SaslError> {
    match line {
        b"*" => Err(SaslError::Cancelled),
        _ => decode(line),
    }
}

/// The message that stands behind the mechanism's name; `=` is an empty one (RFC 4954 section
/// 4, RFC 5034 section 4).
///
/// # Errors
/// As [`decode_response`], without the cancelling.
pub fn decode_initial(text: &[u8]) -> Result<Secret, SaslError> {
    match text {
        b"=" => Ok(Secret::default()),
        _ => decode(text),
    }
}

/// Appends `octets` as base64.
pub fn encode(octets: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + octets.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(octets, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

fn decode(text: &[u8]) -> Result<Secret, SaslError> {
    if text.len() > RESPONSE_MAX {
        return Err(SaslError::TooLong);
    }
    // Decoded in one piece of memory that is overwritten afterwards, also on failure.
    let mut octets = Zeroizing::new(alloc::vec![0; text.len().div_ceil(4) * 3]);
    match STANDARD.decode_slice(text, &mut octets) {
        Ok(length) => {
            octets.truncate(length);
            Ok(Secret::new(core::mem::take(&mut *octets)))
        }
        Err(_) => Err(SaslError::NotBase64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for octets in [&b""[..], b"a", b"ab", b"abc", b"\0user\0pass"] {
            let mut line = Vec::new();
            encode(octets, &mut line);
            assert_eq!(decode_response(&line).unwrap().expose(), octets);
        }
    }

    #[test]
    fn a_line_that_is_no_message_says_what_it_is() {
        assert_eq!(decode_response(b"*").unwrap_err(), SaslError::Cancelled);
        assert_eq!(decode_initial(b"*").unwrap_err(), SaslError::NotBase64);
        assert!(decode_initial(b"=").unwrap().is_empty());
        assert_eq!(decode_response(b"=").unwrap_err(), SaslError::NotBase64);
        for line in
            [&b"YQ"[..], b"YR==", b"YQ=", b"YQ==\r", b" YQ==", b"-_8=", b"YQ==YQ==", b"Y=Q="]
        {
            assert_eq!(decode_response(line).unwrap_err(), SaslError::NotBase64, "{line:?}");
            assert_eq!(decode_initial(line).unwrap_err(), SaslError::NotBase64, "{line:?}");
        }
        assert_eq!(decode_response(&[b'a'; RESPONSE_MAX + 1]).unwrap_err(), SaslError::TooLong);
    }
}
