//! What a client claims in order to log in.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use sasl::Secret;

/// Who somebody claims to be, and the proof. Whatever it is, the driver answers by the same
/// [`PendingLogin`](crate::PendingLogin) and takes the same time for it.
#[derive(Clone)]
pub enum Claim {
    /// `USER` and `PASS` (RFC 1939 section 7).
    Password {
        /// The login name as the client spelled it.
        login: String,
        /// The password: not empty, not necessarily UTF-8.
        password: Secret,
    },
    /// `APOP` (RFC 1939 section 7): an MD5 digest of the stamp and the shared secret.
    Digest {
        /// The login name as the client spelled it.
        login: String,
        /// The timestamp of the greeting, angle brackets included.
        stamp: Box<str>,
        /// What the client made of it.
        digest: [u8; 16],
    },
    /// Nothing that could ever be right: an empty password, or a digest that is none. It has to
    /// be delayed, counted and logged like a wrong password, and then
    /// refused with [`LoginRefusal::Credentials`](crate::LoginRefusal::Credentials).
    Void {
        /// The login name, if one was given.
        login: Option<String>,
    },
}

impl fmt::Debug for Claim {
    /// Without the password, and without the digest, from which the secret can be guessed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { login, .. } => {
                f.debug_struct("Password").field("login", login).finish_non_exhaustive()
            }
            Self::Digest { login, .. } => {
                f.debug_struct("Digest").field("login", login).finish_non_exhaustive()
            }
            Self::Void { login } => f.debug_struct("Void").field("login", login).finish(),
        }
    }
}
