//! What is to be answered to a message of a SASL exchange (RFC 5034)?

use alloc::vec::Vec;

use sasl::{Mechanism, Secret};

use super::{LoginFacts, LoginRefusal, PendingLogin};
use crate::messages::Messages;
use crate::reply;
use crate::session::{Link, Session};
use crate::state::State;
use crate::state::authorization::Authorization;
use crate::state::exchange::SaslExchange;
use crate::text;

/// An exchange that waits for the driver's turn.
#[must_use = "the client waits for an answer"]
pub struct PendingSasl {
    link: Link,
    mechanism: Mechanism,
}

impl PendingSasl {
    pub(crate) fn new(link: Link, mechanism: Mechanism) -> Self {
        Self { link, mechanism }
    }

    /// The exchange goes on: sends `challenge`. The client's next line, whatever it is, answers
    /// it.
    pub fn challenge<M: Messages>(self, challenge: &Secret, out: &mut Vec<u8>) -> Session<M> {
        // An empty challenge still has its space: clients look for "+ " (RFC 5034 section 4).
        out.extend_from_slice(b"+ ");
        sasl::encode(challenge.expose(), out);
        reply::line(out, "");
        Session::new(self.link, State::Exchange(SaslExchange::new(self.mechanism)))
    }

    /// The client is who it says, and `messages` is locked: as
    /// [`PendingLogin::accept`](crate::PendingLogin::accept).
    pub fn accept<M: Messages>(
        self,
        messages: M,
        facts: LoginFacts,
        out: &mut Vec<u8>,
    ) -> Session<M> {
        PendingLogin::new(self.link).accept(messages, facts, out)
    }

    /// The client stays outside: as [`PendingLogin::refuse`](crate::PendingLogin::refuse).
    pub fn refuse<M: Messages>(self, why: LoginRefusal, out: &mut Vec<u8>) -> Session<M> {
        PendingLogin::new(self.link).refuse(why, out)
    }

    /// The message is not what the mechanism asks for: the exchange is over. That is a bad
    /// command, and no failed login; after too many of them the session ends.
    pub fn malformed<M: Messages>(self, out: &mut Vec<u8>) -> Session<M> {
        let mut link = self.link;
        let (text, state) = match link.count_error() {
            true => (text::TOO_MANY_ERRORS, State::Ended),
            false => (text::RESPONSE_MALFORMED, State::Authorization(Authorization::default())),
        };
        reply::err(out, link.language.say(text));
        Session::new(link, state)
    }
}
