//! The states of a session: each holds what is true in it and nothing else.

use alloc::boxed::Box;

use envelope::Coding;
use sasl::Mechanism;

use super::chunk::Skipping;
use super::data::Receiving;
use super::tally::CloseReason;

/// What a daemon hangs onto the states of a session. It is dropped with the state: an envelope
/// at `RSET`, a login at `STARTTLS`.
pub trait Daemon {
    /// Who has authenticated.
    type Login;
    /// A transaction from `MAIL` to `DATA`.
    type Envelope;
    /// A transaction from `DATA` to the end of data.
    type Message;
}

/// How the client introduced itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    pub(crate) name: Box<str>,
    pub(crate) extended: bool,
}

impl Hello {
    /// The name it gave: not checked, at most 255 characters, printable.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it said EHLO; after HELO there are no extensions (RFC 5321 section 4.1.4).
    #[must_use]
    pub const fn is_extended(&self) -> bool {
        self.extended
    }
}

/// The client has introduced itself.
pub(crate) struct Greeted<D: Daemon> {
    pub(crate) hello: Hello,
    pub(crate) login: Option<D::Login>,
}

/// An AUTH exchange is under way, and the client's next line belongs to it.
pub(crate) struct Authenticating<D: Daemon> {
    pub(crate) greeted: Greeted<D>,
    pub(crate) mechanism: Mechanism,
    /// Messages of the client so far.
    pub(crate) turns: u8,
}

/// A message of an exchange is with the daemon.
pub(crate) struct Asking<D: Daemon> {
    pub(crate) greeted: Greeted<D>,
    pub(crate) turns: u8,
}

/// `MAIL` was accepted.
pub(crate) struct MailGiven<D: Daemon> {
    pub(crate) greeted: Greeted<D>,
    pub(crate) envelope: D::Envelope,
    /// Recipients accepted so far.
    pub(crate) recipients: u32,
    /// What `MAIL` said of the body.
    pub(crate) coding: Coding,
    /// Whether `MAIL` said `SMTPUTF8`.
    pub(crate) smtputf8: bool,
}

pub(crate) enum State<D: Daemon> {
    /// Nothing was said yet, or TLS has just begun.
    Connected,
    /// The same, but a proxy has said who has authenticated with it.
    Vouched(D::Login),
    Greeted(Greeted<D>),
    Authenticating(Authenticating<D>),
    MailGiven(MailGiven<D>),
    Receiving(Receiving<D>),
    Skipping(Box<Skipping<D>>),
    /// The daemon was asked and holds the state in its token.
    Asked,
    Closed(CloseReason),
}

impl<D: Daemon> State<D> {
    /// What is left when the transaction, if there is one, is thrown away.
    pub(crate) fn without_transaction(self) -> Self {
        match self {
            Self::MailGiven(given) => Self::Greeted(given.greeted),
            Self::Receiving(receiving) => Self::Greeted(receiving.greeted),
            state => state,
        }
    }

    /// Who has authenticated.
    pub(crate) fn into_login(self) -> Option<D::Login> {
        match self.without_transaction() {
            Self::Greeted(greeted) => greeted.login,
            Self::Vouched(login) => Some(login),
            _ => None,
        }
    }
}
