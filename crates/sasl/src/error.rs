//! Why an exchange failed.

use alloc::string::String;
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
    /// Not what the mechanism asks for: a wrong number of fields, NUL within one, a login name
    /// that is no UTF-8, an extension that must not be ignored.
    Malformed,
    /// The login name or the password is empty: to be answered as a wrong password.
    Empty,
    /// The channel binding is not that of this session, or was talked away between us and the
    /// client (RFC 5802 section 6): to be answered as a wrong password.
    ChannelBinding,
    /// What should prove who it is does not: to be answered as a wrong password.
    Wrong,
}

impl SaslError {
    /// Whether to answer as if the password had been wrong, rather than as a protocol error.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Empty | Self::ChannelBinding | Self::Wrong)
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
            Self::ChannelBinding => "channel binding does not hold",
            Self::Wrong => "proof of the password is wrong",
        })
    }
}

impl core::error::Error for SaslError {}

/// An exchange that failed, and whose it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub error: SaslError,
    /// The login name as far as it can be told: for the log and for counting, not to be looked
    /// up. What was no UTF-8 in it is U+FFFD.
    pub login: Option<String>,
}

impl Failure {
    pub(crate) fn nobodys(error: SaslError) -> Self {
        Self { error, login: None }
    }

    pub(crate) fn of(error: SaslError, login: &[u8]) -> Self {
        Self { error, login: Some(String::from_utf8_lossy(login).into_owned()) }
    }
}
