//! A verified login, and who is told of it before the client is.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use address::AccountKey;

use crate::{Account, Moment};

/// A future behind a seam: boxed, for seams are called once per login or message.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The service through which somebody logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Mail retrieval.
    Pop3,
    /// Mail submission (SMTP AUTH).
    Submission,
}

/// How the client reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The service.
    pub service: Service,
    /// Whether TLS protected the credentials.
    pub tls: bool,
    /// Whether the client's address is the peer of the socket or was vouched for by a
    /// trusted proxy. `false`: the address belongs to an intermediary that did not say whom it
    /// carries, and must never become the key of anything.
    pub genuine_address: bool,
}

/// A login that succeeded.
#[derive(Clone, Debug)]
pub struct Login {
    /// The account, its name normalised once.
    pub account: Arc<Account>,
    /// The client's address, IPv4-mapped IPv6 already turned into IPv4.
    pub client: IpAddr,
    /// How the client reached us.
    pub channel: Channel,
    /// When the password was found right.
    pub at: Moment,
    /// The master user who opened the account with a password of his own. Such a login is not
    /// its owner's: it must leave no grant and no trace of a customer's visit.
    pub acting: Option<AccountKey>,
}

/// Told of each POP3 login whose maildrop is open, before the client reads `+OK`.
///
/// An observer can neither refuse nor fail a login; whatever it does must end within a few
/// tens of milliseconds, for the client waits.
pub trait LoginObserver: Send + Sync {
    /// `login` has succeeded; the client does not know yet.
    fn on_login<'a>(&'a self, login: &'a Login) -> Answer<'a, ()>;
}
