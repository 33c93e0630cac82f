//! The mechanisms by name.

use core::fmt;

/// A mechanism that this crate speaks. ANONYMOUS (RFC 4505) is none of them and never will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mechanism {
    /// RFC 7677 with channel binding: the proof holds for this TLS session alone.
    ScramSha256Plus,
    /// RFC 7677: salted challenge and response, the password never leaves the client.
    ScramSha256,
    /// RFC 5802: the same with SHA-1, for older clients.
    ScramSha1,
    /// RFC 7628: a token of an identity provider.
    OAuthBearer,
    /// The forerunner of OAUTHBEARER that most mail clients speak.
    XOAuth2,
    /// RFC 4422 appendix A: the client's certificate says who it is.
    External,
    /// RFC 4616: one message with identity, login and password.
    Plain,
    /// Never standardised (draft-murchison-sasl-login), but what many mail clients use: login
    /// and password, asked for one by one.
    Login,
    /// RFC 2195: a digest over a challenge; the server must know a secret as good as the
    /// password.
    CramMd5,
}

impl Mechanism {
    /// All of them, in the order in which they are offered.
    pub const EVERY: [Self; 9] = [
        Self::ScramSha256Plus,
        Self::ScramSha256,
        Self::ScramSha1,
        Self::OAuthBearer,
        Self::XOAuth2,
        Self::External,
        Self::Plain,
        Self::Login,
        Self::CramMd5,
    ];

    /// Those that every account can use, whatever its password is stored as.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Login];

    /// Its registered name, as it stands in `SASL` and `AUTH` capabilities.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::XOAuth2 => "XOAUTH2",
            Self::External => "EXTERNAL",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
        }
    }

    /// The mechanism of that name, in any case (RFC 5034 section 4, RFC 4954 section 4).
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::EVERY.into_iter().find(|known| name.eq_ignore_ascii_case(known.name().as_bytes()))
    }

    /// Whether whoever reads the line can log in afterwards: such a mechanism belongs under TLS.
    #[must_use]
    pub fn is_cleartext(self) -> bool {
        matches!(self, Self::Plain | Self::Login | Self::OAuthBearer | Self::XOAuth2)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
