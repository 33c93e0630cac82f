//! The mechanisms by name.

use core::fmt;

/// A mechanism that this crate speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 4616: one message with identity, login and password.
    Plain,
    /// Never standardised (draft-murchison-sasl-login), but what many mail clients use: login
    /// and password, asked for one by one.
    Login,
}

impl Mechanism {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Login];

    /// Its registered name, as it stands in `SASL` and `AUTH` capabilities.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// The mechanism of that name, in any case (RFC 5034 section 4, RFC 4954 section 4).
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|known| name.eq_ignore_ascii_case(known.name().as_bytes()))
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
