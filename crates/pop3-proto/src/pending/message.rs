//! Can this message be read?

use alloc::vec::Vec;

use crate::body::{Body, Part};
use crate::messages::Messages;
use crate::reply::{self, Code};
use crate::session::{Link, Session};
use crate::state::State;
use crate::state::transaction::Transaction;
use crate::text;

/// Why a message is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageRefusal {
    /// It is there but cannot be read now.
    Unreadable,
    /// Another program has removed it.
    Gone,
}

/// A `RETR` or `TOP` that waits until the message is open.
#[must_use = "the client waits for an answer"]
pub struct PendingMessage<M> {
    transaction: Transaction<M>,
    link: Link,
    index: usize,
    part: Part,
}

impl<M: Messages> PendingMessage<M> {
    pub(crate) fn new(transaction: Transaction<M>, link: Link, index: usize, part: Part) -> Self {
        Self { transaction, link, index, part }
    }

    /// The maildrop that the message is in.
    pub fn messages(&self) -> &M {
        self.transaction.messages()
    }

    /// Which message, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The message is open: `+OK`, and its text follows by the [`Body`]. If internationalised
    /// messages are [refused](crate::Internationalised::Refused), the body answers as soon as
    /// it has seen enough of the header.
    pub fn accept(self, out: &mut Vec<u8>) -> Body<M> {
        Body::begin(self.transaction, self.link, self.index, self.part, out)
    }

    /// The message is not sent.
    pub fn refuse(self, why: MessageRefusal, out: &mut Vec<u8>) -> Session<M> {
        let language = self.link.language;
        match why {
            MessageRefusal::Unreadable => {
                reply::err_code(out, Code::SysTemp, language.say(text::MESSAGE_UNREADABLE));
            }
            MessageRefusal::Gone => reply::err(out, language.say(text::MESSAGE_GONE)),
        }
        Session::new(self.link, State::Transaction(self.transaction))
    }
}
