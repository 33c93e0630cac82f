//! May this client have its maildrop?

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::messages::Messages;
use crate::reply::{self, Code};
use crate::session::{Link, Session};
use crate::state::State;
use crate::state::authorization::Authorization;
use crate::state::transaction::Transaction;
use crate::terms::Expire;
use crate::text;

/// Longest address that a client is told.
const URL_MAX: usize = 256;

/// Why a login is refused. The client reads a response code (RFC 2449, RFC 3206), for some
/// take every `-ERR` without one for a wrong password and stop asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginRefusal {
    /// Unknown name, wrong password or disabled account: the client is not told which.
    Credentials,
    /// Another session has the maildrop.
    InUse,
    /// The maildrop cannot be opened now.
    Unavailable,
    /// Nobody can say now who the client is: too many ask, or a table of accounts is out of
    /// reach.
    Busy,
    /// The password is right, and good for nothing until it is changed.
    MustChange {
        /// Where that is done. Told if it is short enough and of printable ASCII characters.
        url: Option<Arc<str>>,
    },
    /// The account was here a moment ago (RFC 2449 section 6.5).
    TooSoon {
        /// How long to wait.
        seconds: u64,
    },
    /// The account has as many sessions as it may have.
    TooManySessions,
}

/// What `CAPA` says of an account once it has logged in (RFC 2449 sections 6.5 and 6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoginFacts {
    /// Seconds between two logins; `None`: not announced.
    pub login_delay: Option<u32>,
    /// How long messages are kept; `None`: not announced.
    pub expire: Option<Expire>,
}

/// A login that waits for its verdict.
#[must_use = "the client waits for an answer"]
pub struct PendingLogin {
    link: Link,
}

impl PendingLogin {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// The credentials are right and `messages` is locked: the answer that RFC 1939 section 4
    /// allows only then.
    pub fn accept<M: Messages>(
        self,
        messages: M,
        facts: LoginFacts,
        out: &mut Vec<u8>,
    ) -> Session<M> {
        let link = self.link.logged_in(facts);
        let transaction = Transaction::new(messages, link.terms.last);
        transaction.summarise(link.language, out);
        Session::new(link, State::Transaction(transaction))
    }

    /// The client stays outside. After too many passwords that are good for nothing the session
    /// ends; the next step says so.
    pub fn refuse<M: Messages>(mut self, why: LoginRefusal, out: &mut Vec<u8>) -> Session<M> {
        let language = self.link.language;
        match why {
            LoginRefusal::Credentials => {
                reply::err_code(out, Code::Auth, language.say(text::LOGIN_FAILED));
            }
            LoginRefusal::InUse => {
                reply::err_code(out, Code::InUse, language.say(text::MAILDROP_IN_USE));
            }
            LoginRefusal::Unavailable => {
                reply::err_code(out, Code::SysTemp, language.say(text::MAILDROP_UNAVAILABLE));
            }
            LoginRefusal::Busy => {
                reply::err_code(out, Code::SysTemp, language.say(text::LOGIN_BUSY));
            }
            LoginRefusal::MustChange { ref url } => {
                reply::begin_err_code(out, Code::Auth);
                out.extend_from_slice(language.say(text::MUST_CHANGE).as_bytes());
                if let Some(url) = url.as_deref().filter(|url| is_tellable(url)) {
                    out.extend_from_slice(b": ");
                    out.extend_from_slice(url.as_bytes());
                }
                reply::line(out, "");
            }
            LoginRefusal::TooManySessions => {
                reply::err_code(out, Code::InUse, language.say(text::TOO_MANY_SESSIONS));
            }
            LoginRefusal::TooSoon { seconds } => {
                reply::begin_err_code(out, Code::LoginDelay);
                out.extend_from_slice(language.say(text::TOO_SOON).as_bytes());
                reply::decimal(out, seconds);
                reply::line(out, "");
            }
        }
        let failed = matches!(why, LoginRefusal::Credentials | LoginRefusal::MustChange { .. });
        let state = if failed && self.link.count_error() {
            State::Ended
        } else {
            State::Authorization(Authorization::default())
        };
        Session::new(self.link, state)
    }
}

/// Whether an address fits a reply, which has 512 octets (RFC 1939 section 3), and is no harm to
/// it.
fn is_tellable(url: &str) -> bool {
    url.len() <= URL_MAX && url.bytes().all(|octet| octet.is_ascii_graphic())
}
