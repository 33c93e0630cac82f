//! May this client have its maildrop?

use alloc::vec::Vec;

use crate::messages::Messages;
use crate::reply::{self, Code};
use crate::session::{Link, Session};
use crate::state::State;
use crate::state::authorization::Authorization;
use crate::state::transaction::Transaction;

/// Why a login is refused. The client reads a response code (RFC 2449, RFC 3206), for some
/// take every `-ERR` without one for a wrong password and stop asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRefusal {
    /// Unknown name, wrong password or disabled account: the client is not told which.
    Credentials,
    /// Another session has the maildrop.
    InUse,
    /// The maildrop cannot be opened now.
    Unavailable,
    /// The server has no room to check the password now.
    Busy,
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
    pub fn accept<M: Messages>(self, messages: M, out: &mut Vec<u8>) -> Session<M> {
        let transaction = Transaction::new(messages);
        transaction.summarise(out);
        Session::new(self.link.logged_in(), State::Transaction(transaction))
    }

    /// The client stays outside. After too many wrong passwords the session ends; the next
    /// step says so.
    pub fn refuse<M: Messages>(mut self, why: LoginRefusal, out: &mut Vec<u8>) -> Session<M> {
        let (code, text) = match why {
            LoginRefusal::Credentials => {
                (Code::Auth, "Login failed: check the user name and the password")
            }
            LoginRefusal::InUse => {
                (Code::InUse, "The mailbox is locked by another session: wait and try again")
            }
            // "service" and "unavailable" are what fetchmail takes for a reason to try again.
            LoginRefusal::Unavailable => {
                (Code::SysTemp, "The mailbox service is unavailable: try again later")
            }
            LoginRefusal::Busy => {
                (Code::SysTemp, "The login service is unavailable: try again in a minute")
            }
        };
        reply::err_code(out, code, text);
        let failed = why == LoginRefusal::Credentials;
        let state = if failed && self.link.count_error() {
            State::Ended
        } else {
            State::Authorization(Authorization::default())
        };
        Session::new(self.link, state)
    }
}
