//! Why a domain has no way for mail.

use crate::LookupError;

/// Why no host is to be had for a domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MxError {
    /// It says that it takes no mail (null MX, RFC 7505).
    #[error("the domain {0} takes no mail (null MX)")]
    TakesNoMail(String),
    /// There is no such domain.
    #[error("the domain {0} does not exist")]
    NoSuchDomain(String),
    /// There is, but with no host for mail: neither MX nor address, or only MX without address.
    #[error("the domain {0} has no host for mail")]
    NoHost(String),
    /// Its mail is to come to this host, which does not know it.
    #[error("mail for {domain} would come back to this host ({host})")]
    Loop {
        /// The domain.
        domain: String,
        /// Its host, which is this one.
        host: String,
    },
    /// No name that the DNS could know.
    #[error("{0:?} is no name that the DNS could know")]
    BadName(String),
    /// The DNS did not say.
    #[error("looking up {name}: {error}")]
    Lookup {
        /// What was asked for.
        name: String,
        /// Why there is no answer.
        error: LookupError,
    },
}

impl MxError {
    /// Whether another attempt cannot help.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Self::Lookup { .. })
    }

    /// The enhanced status code (RFC 3463, RFC 7505 section 4.2): class, subject, detail.
    #[must_use]
    pub fn status(&self) -> (u8, u16, u16) {
        match self {
            Self::TakesNoMail(_) => (5, 1, 10),
            Self::NoSuchDomain(_) | Self::BadName(_) => (5, 1, 2),
            Self::NoHost(_) => (5, 4, 4),
            Self::Loop { .. } => (5, 4, 6),
            Self::Lookup { .. } => (4, 4, 3),
        }
    }
}
