//! `BDAT`: a message in chunks of announced length (RFC 3030).
//!
//! Whatever the command leads to, the octets behind it are taken off the input as what they are:
//! they never become commands. A refused chunk ends the transaction, and the chunks that are
//! already under way behind it are refused in turn.

use alloc::boxed::Box;

use super::action::Event;
use super::command::Verb;
use super::dispatch::{self, Desk, Transition};
use super::parameters::Parameters;
use super::reply::Reply;
use super::state::{Daemon, State};
use super::tally::CloseReason;
use super::wish::digits;

const SYNTAX: Reply = Reply::fixed(501, "5.5.4", "Syntax: BDAT octets [LAST]");
const EHLO_FIRST: Reply = Reply::fixed(503, "5.5.1", "Say EHLO before BDAT");

/// A chunk as `BDAT` announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) octets: u64,
    pub(crate) last: bool,
}

impl Chunk {
    /// From the argument: a number of up to 20 digits, and perhaps `LAST`.
    fn parse(argument: &[u8]) -> Option<Self> {
        let argument = core::str::from_utf8(argument).ok()?;
        let mut words = argument.split(' ').filter(|word| !word.is_empty());
        let octets = digits(words.next()?, 20)?;
        let last = match words.next() {
            None => false,
            Some(word) if word.eq_ignore_ascii_case("LAST") => true,
            Some(_) => return None,
        };
        words.next().is_none().then_some(Self { octets, last })
    }
}

/// The octets of a refused chunk are coming in.
pub(crate) struct Skipping<D: Daemon> {
    pub(crate) remaining: u64,
    /// What is said behind them: RFC 3030 section 2 wants it there.
    pub(crate) reply: Reply,
    /// What is true then.
    pub(crate) next: State<D>,
}

impl<D: Daemon> Skipping<D> {
    pub(crate) fn state(chunk: Chunk, reply: Reply, next: State<D>) -> State<D> {
        State::Skipping(Box::new(Self { remaining: chunk.octets, reply, next }))
    }
}

/// The command; the chunk itself stands behind it in the input.
pub(crate) fn on_bdat<D: Daemon>(
    state: State<D>,
    argument: &[u8],
    desk: &mut Desk<'_>,
) -> Transition<D> {
    let parameters = desk.parameters;
    let Some(chunk) = Chunk::parse(argument) else {
        // Nobody knows how much of what follows is no command.
        return dispatch::close(CloseReason::Bdat, Verb::Bdat, &SYNTAX, desk);
    };
    let (reply, next) = match state {
        State::Receiving(mut receiving) => {
            receiving.begin(chunk, parameters.message_octets_max);
            return (State::Receiving(receiving), Event::Next);
        }
        State::MailGiven(given) if !given.greeted.hello.extended => {
            (EHLO_FIRST, State::Greeted(given.greeted))
        }
        State::MailGiven(given) if given.recipients == 0 => {
            (dispatch::NO_RECIPIENTS, State::Greeted(given.greeted))
        }
        State::MailGiven(given) if chunk.octets <= parameters.received_octets_max() => {
            return (State::Asked, Event::Data(given, Some(chunk)));
        }
        State::MailGiven(given) => (Reply::MESSAGE_TOO_LARGE, State::Greeted(given.greeted)),
        state @ State::Greeted(_) => (dispatch::MAIL_FIRST, state),
        state => (dispatch::HELLO_FIRST, state),
    };
    skip(chunk, reply, next, parameters, desk)
}

/// Passes over a refused chunk, unless it is so long that the connection is worth less.
fn skip<D: Daemon>(
    chunk: Chunk,
    reply: Reply,
    next: State<D>,
    parameters: &Parameters,
    desk: &mut Desk<'_>,
) -> Transition<D> {
    if chunk.octets > parameters.received_octets_max() {
        let reply = Reply::MESSAGE_TOO_LARGE;
        return dispatch::close(CloseReason::Overrun, Verb::Bdat, &reply, desk);
    }
    (Skipping::state(chunk, reply, next), Event::Next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks() {
        let chunk = |octets, last| Some(Chunk { octets, last });
        assert_eq!(Chunk::parse(b"0"), chunk(0, false));
        assert_eq!(Chunk::parse(b"86  last"), chunk(86, true));
        assert_eq!(Chunk::parse(b"99999999999999999999"), chunk(u64::MAX, false));
        for bad in [
            "",
            "LAST",
            "-1",
            "+1",
            "1 FIRST",
            "1 LAST LAST",
            "1LAST",
            "0x10",
            "123456789012345678901",
        ] {
            assert_eq!(Chunk::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
