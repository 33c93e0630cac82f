//! A message on its way to the client.

mod gate;

use alloc::boxed::Box;
use alloc::vec::Vec;

use textproto::{DotStuffer, TopStuffer};

use crate::messages::Messages;
use crate::reply::{self, Code};
use crate::session::{Link, Session};
use crate::state::State;
use crate::state::transaction::Transaction;
use crate::terms::Internationalised;
use crate::text;
use gate::{Gate, Sight};

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
    /// What was asked for is complete, or refused.
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
    answer: Answer,
}

enum Stuffer {
    Whole(DotStuffer),
    Top(TopStuffer),
}

/// What the client has been told.
enum Answer {
    /// Nothing yet: the header decides. Most sessions never come here.
    Open(Box<Gate>),
    /// `+OK`.
    Given,
    /// `-ERR [UTF8]`.
    Refused,
}

impl<M: Messages> Body<M> {
    pub(crate) fn begin(
        transaction: Transaction<M>,
        link: Link,
        index: usize,
        part: Part,
        out: &mut Vec<u8>,
    ) -> Self {
        let stuffer = match part {
            Part::Whole => Stuffer::Whole(DotStuffer::new()),
            Part::Top(lines) => Stuffer::Top(TopStuffer::new(lines)),
        };
        let strict = link.terms.internationalised == Internationalised::Refused && !link.utf8;
        let mut body = Self { link, transaction, index, stuffer, answer: Answer::Given };
        if strict {
            body.answer = Answer::Open(Box::default());
        } else {
            body.say_ok(out);
        }
        body
    }

    fn say_ok(&self, out: &mut Vec<u8>) {
        let language = self.link.language;
        match self.stuffer {
            Stuffer::Whole(_) => {
                out.extend_from_slice(b"+OK ");
                reply::decimal(out, self.transaction.messages().octets(self.index));
                reply::line(out, language.say(text::OCTETS));
            }
            Stuffer::Top(_) => reply::ok(out, language.say(text::TOP_FOLLOWS)),
        }
    }

    /// Appends the wire form of the next `stored` octets to `out`: a little more than they
    /// are, at worst three times as much.
    pub fn push(&mut self, stored: &[u8], out: &mut Vec<u8>) -> Progress {
        match &mut self.answer {
            Answer::Given => self.stuffer.stuff(stored, out),
            Answer::Refused => Progress::Complete,
            Answer::Open(gate) => match gate.look(stored) {
                Sight::Header => self.stuffer.stuff(stored, &mut gate.held),
                Sight::Plain => {
                    let held = core::mem::take(&mut gate.held);
                    self.release(&held, out);
                    self.stuffer.stuff(stored, out)
                }
                Sight::Internationalised => {
                    let language = self.link.language;
                    reply::err_code(out, Code::Utf8, language.say(text::MESSAGE_NEEDS_UTF8));
                    self.answer = Answer::Refused;
                    Progress::Complete
                }
            },
        }
    }

    /// The header is as everybody may have it: `+OK`, and what was held back.
    fn release(&mut self, held: &[u8], out: &mut Vec<u8>) {
        self.say_ok(out);
        out.extend_from_slice(held);
        self.answer = Answer::Given;
    }

    /// Ends the answer; also says how many octets of the message it held, as RFC 1939 section
    /// 11 counts them, `None` if the message was refused (`[UTF8]`). To be called only if the stored message was read to its end, or
    /// [`Progress::Complete`] was returned.
    pub fn finish(mut self, out: &mut Vec<u8>) -> (Session<M>, Option<u64>) {
        if let Answer::Open(gate) = &mut self.answer {
            // All of it is header.
            let held = core::mem::take(&mut gate.held);
            self.release(&held, out);
        }
        let octets = match (&self.answer, &mut self.stuffer) {
            (Answer::Refused, _) => None,
            (_, Stuffer::Whole(stuffer)) => {
                stuffer.finish(out);
                self.transaction.mark_retrieved(self.index);
                Some(stuffer.wire_octets())
            }
            (_, Stuffer::Top(stuffer)) => {
                // Quirk::EndOfHeaders: one line end closes the last header, the next is it.
                while stuffer.is_in_headers() {
                    stuffer.stuff(b"\r\n", out);
                }
                stuffer.finish(out);
                Some(stuffer.wire_octets())
            }
        };
        (Session::new(self.link, State::Transaction(self.transaction)), octets)
    }
}

impl Stuffer {
    fn stuff(&mut self, stored: &[u8], out: &mut Vec<u8>) -> Progress {
        match self {
            Self::Whole(stuffer) => {
                stuffer.stuff(stored, out);
                Progress::More
            }
            Self::Top(stuffer) => {
                if stuffer.stuff(stored, out) {
                    Progress::More
                } else {
                    Progress::Complete
                }
            }
        }
    }
}
