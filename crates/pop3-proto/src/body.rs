//! A message on its way to the client.

use alloc::vec::Vec;

use textproto::{DotStuffer, TopStuffer};

use crate::messages::Messages;
use crate::session::{Link, Session};
use crate::state::State;
use crate::state::transaction::Transaction;

/// How much of a message is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it: `RETR`.
    Whole,
    /// The headers, the blank line and so many lines of the body: `TOP`.
    Top(u64),
}

/// Whether more of the stored message is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Until the end of the message.
    More,
    /// What was asked for is complete.
    Complete,
}

/// A message half sent. The session is inside: only [`Body::finish`] gives it back and writes
/// the final dot, so a message that could not be read to its end cannot look whole. Dropping
/// the body ends the session; the connection must then be closed.
#[must_use = "the client waits for the rest of the message"]
pub struct Body<M> {
    link: Link,
    transaction: Transaction<M>,
    index: usize,
    stuffer: Stuffer,
}

enum Stuffer {
    Whole(DotStuffer),
    Top(TopStuffer),
}

impl<M: Messages> Body<M> {
    pub(crate) fn new(transaction: Transaction<M>, link: Link, index: usize, part: Part) -> Self {
        let stuffer = match part {
            Part::Whole => Stuffer::Whole(DotStuffer::new()),
            Part::Top(lines) => Stuffer::Top(TopStuffer::new(lines)),
        };
        Self { link, transaction, index, stuffer }
    }

    /// Appends the wire form of the next `stored` octets to `out`: a little more than they
    /// are, at worst three times as much.
    pub fn push(&mut self, stored: &[u8], out: &mut Vec<u8>) -> Progress {
        match &mut self.stuffer {
            Stuffer::Whole(stuffer) => stuffer.stuff(stored, out),
            Stuffer::Top(stuffer) => {
                if !stuffer.stuff(stored, out) {
                    return Progress::Complete;
                }
            }
        }
        Progress::More
    }

    /// Ends the answer; also says how many octets it held, as RFC 1939 section 11 counts them.
    /// To be called only if the stored message was read to its end, or
    /// [`Progress::Complete`] was returned.
    pub fn finish(mut self, out: &mut Vec<u8>) -> (Session<M>, u64) {
        let octets = match &mut self.stuffer {
            Stuffer::Whole(stuffer) => {
                stuffer.finish(out);
                self.transaction.mark_retrieved(self.index);
                stuffer.wire_octets()
            }
            Stuffer::Top(stuffer) => {
                stuffer.finish(out);
                stuffer.wire_octets()
            }
        };
        (Session::new(self.link, State::Transaction(self.transaction)), octets)
    }
}
