//! Why an exchange failed.

use core::fmt;

/// Why an exchange failed; never repeats what the client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaslError {
    /// The client gave up with `*`. RFC 4954 section 4: reply 501.
    Cancelled,
    /// A line longer than [`RESPONSE_MAX`](crate::RESPONSE_MAX). RFC 4954 section 4: reply 500.
    TooLong,
    /// Not base64 (RFC 4648 section 4: its alphabet, padded, no stray bits). RFC 4954 section
    /// 4: reply 501.
    NotBase64,
    /// Base64, but not what the mechanism asks for: wrong number of fields, NUL within a field,
    /// a login name that is no UTF-8.
    Malformed,
    /// The login name or the password is empty: to be answered as a wrong password.
    Empty,
    /// The client wants to act as somebody else than it logs in as: to be answered as a wrong
    /// password.
    ForeignIdentity,
}

impl SaslError {
    /// Whether to answer as if the password had been wrong, rather than as a protocol error.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Empty | Self::ForeignIdentity)
    }
}

impl fmt::Display for SaslError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "authentication cancelled by the client",
            Self::TooLong => "authentication response too long",
            Self::NotBase64 => "authentication response is not valid base64",
            Self::Malformed => "authentication response is malformed",
            Self::Empty => "user name or password is empty",
            Self::ForeignIdentity => "authorization identity differs from the user name",
        })
    }
}

impl core::error::Error for SaslError {}
