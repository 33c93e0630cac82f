//! `LIST` and `UIDL` of the whole maildrop, written block by block.

use alloc::vec::Vec;

use super::State;
use super::transaction::Transaction;
use crate::messages::Messages;
use crate::reply;
use crate::session::REPLY_BLOCK;

/// What a listing says of each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `LIST`.
    Octets,
    /// `UIDL`.
    UniqueId,
}

impl Kind {
    /// One line of the listing, also the rest of the answer to `LIST n` and `UIDL n`.
    pub(crate) fn write(self, messages: &impl Messages, index: usize, out: &mut Vec<u8>) {
        reply::decimal(out, index as u64 + 1);
        out.push(b' ');
        match self {
            Self::Octets => {
                reply::decimal(out, messages.octets(index));
                reply::line(out, "");
            }
            Self::UniqueId => reply::line(out, messages.uidl(index)),
        }
    }
}

/// A transaction with a listing half written: a listing of a million messages takes as little
/// memory as one of ten.
pub(crate) struct Listing<M> {
    transaction: Transaction<M>,
    kind: Kind,
    next: usize,
}

impl<M: Messages> Listing<M> {
    pub(crate) fn new(transaction: Transaction<M>, kind: Kind) -> Self {
        Self { transaction, kind, next: 0 }
    }

    /// Writes on until `out` is a block long or the listing complete.
    pub(crate) fn render(mut self, out: &mut Vec<u8>) -> State<M> {
        let messages = self.transaction.messages();
        while self.next < messages.count() {
            if out.len() >= REPLY_BLOCK {
                return State::Listing(self);
            }
            if !self.transaction.is_deleted(self.next) {
                self.kind.write(messages, self.next, out);
            }
            self.next += 1;
        }
        reply::end(out);
        State::Transaction(self.transaction)
    }
}
