//! The session: takes lines off the input, hands each to the state it is in, and returns what
//! the driver must do next.

use alloc::boxed::Box;
use alloc::vec::Vec;

use sasl::{Offer, RESPONSE_MAX};
use textproto::{Line, LineEnd, LineReader};

use crate::body::Part;
use crate::claim::Claim;
use crate::command::{self, SyntaxError};
use crate::language::Language;
use crate::messages::Messages;
use crate::pending::{
    LoginFacts, PendingLogin, PendingMessage, PendingSasl, PendingTls, PendingUpdate,
    PendingXclient,
};
use crate::reply;
use crate::sasl_message::SaslMessage;
use crate::state::State;
use crate::state::authorization::Authorization;
use crate::terms::{PerUser, Terms};
use crate::text::{self, Text};
use crate::xclient::XclientFacts;

/// Replies pile up to about this many octets before [`Step::Flush`] asks for them to be
/// written: a client that pipelines listings of a large maildrop costs no more memory than
/// that, whatever it sends.
pub const REPLY_BLOCK: usize = 64 * 1024;

/// Longest line with its ending: `AUTH`, a mechanism's name (20 characters at most, RFC 4422)
/// and an initial response.
const AUTH_LINE_MAX: usize = RESPONSE_MAX + "AUTH  \r\n".len() + 20;

/// One client's session. Every method that moves it on consumes it, so a session that is
/// waiting for an answer cannot be fed.
#[must_use = "a session that is dropped ends without an answer"]
pub struct Session<M> {
    link: Link,
    state: State<M>,
}

/// What the driver does next.
#[must_use]
pub enum Step<M> {
    /// Every whole line is answered: write the output, then read more.
    Continue(Session<M>),
    /// The output is large: write it, empty it, and call again with the rest of the input.
    Flush(Session<M>),
    /// Is this claim right, and can the maildrop be locked and read?
    Verify(Claim, PendingLogin),
    /// What follows this message of a SASL exchange (RFC 5034)?
    Sasl(SaslMessage, PendingSasl),
    /// A proxy of ours names its client.
    Xclient(XclientFacts, PendingXclient),
    /// The client wants TLS (RFC 2595).
    StartTls(PendingTls),
    /// Send a message (`RETR`) or its top (`TOP`).
    Send(Part, PendingMessage<M>),
    /// The client said `QUIT`: the UPDATE state (RFC 1939 section 6). The only step that
    /// removes anything.
    Update {
        /// The maildrop, given back so that its lock can be released before the reply.
        messages: M,
        /// Messages to remove, ascending, from 0.
        deleted: Vec<usize>,
        /// Messages that were sent in full, ascending, from 0.
        retrieved: Vec<usize>,
        /// Takes the answer.
        pending: PendingUpdate,
    },
    /// Write the output and close the connection.
    Close,
}

/// What all states of a session share.
pub(crate) struct Link {
    lines: LineReader,
    /// Boxed: most sessions wait, and small is what waits.
    pub(crate) terms: Box<Terms>,
    errors: u8,
    errors_max: u8,
    pub(crate) language: Language,
    /// Whether the client has asked for UTF-8 mode.
    pub(crate) utf8: bool,
}

/// RFC 1939 section 4. A timestamp for `APOP` (section 7) is in angle brackets, which appear
/// for nothing else. A proxy of ours learns by a code, as of Dovecot, that it may name its
/// client; `CAPA` could not say so, for no capability begins with X (RFC 2449 section 9).
fn greeting(terms: &Terms, out: &mut Vec<u8>) {
    out.extend_from_slice(b"+OK ");
    if terms.xclient {
        out.extend_from_slice(b"[XCLIENT] ");
    }
    out.extend_from_slice(Language::default().say(text::READY).as_bytes());
    if let Some(stamp) = &terms.apop_stamp {
        out.push(b' ');
        out.extend_from_slice(stamp.as_bytes());
    }
    reply::line(out, "");
}

impl<M: Messages> Session<M> {
    /// A session with a client that has just connected; the greeting goes to `out`.
    pub fn greet(terms: Terms, out: &mut Vec<u8>) -> Self {
        let terms = terms.checked();
        greeting(&terms, out);
        let lines = LineReader::new(AUTH_LINE_MAX, LineEnd::CrlfOrLf);
        let errors_max = terms.errors_before_login.max(1);
        let (language, utf8) = (Language::default(), false);
        let link = Link { lines, terms: Box::new(terms), errors: 0, errors_max, language, utf8 };
        Self::new(link, State::Authorization(Authorization::default()))
    }

    pub(crate) fn new(link: Link, state: State<M>) -> Self {
        Self { link, state }
    }

    /// Whether the client has logged in.
    #[must_use]
    pub fn is_logged_in(&self) -> bool {
        matches!(self.state, State::Transaction(_) | State::Listing(_))
    }

    /// Whether the client's next line is a message of a SASL exchange. If not, an exchange that
    /// the driver was in is over.
    #[must_use]
    pub fn is_in_exchange(&self) -> bool {
        matches!(self.state, State::Exchange(_))
    }

    /// Answers the whole lines of `input` until a step needs the driver. Returns how many
    /// octets of `input` are done with, and that step; the driver keeps the others and passes
    /// them again, with what it reads behind them. Replies are appended to `out`.
    ///
    /// At [`Step::StartTls`] all of `input` is done with: what a client sent in clear behind
    /// `STLS` is dropped, for it may be an attacker's (RFC 3207 section 6 says why).
    pub fn advance(self, input: &[u8], out: &mut Vec<u8>) -> (usize, Step<M>) {
        let mut session = self;
        let mut done = 0;
        loop {
            session = match session.settle(out) {
                Step::Continue(session) => session,
                step => return (done, step),
            };
            let rest = input.get(done..).unwrap_or_default();
            let step = match session.link.lines.next_line(rest) {
                Line::More { consumed } => return (done + consumed, Step::Continue(session)),
                Line::TooLong { consumed } => {
                    done += consumed;
                    session.obey_overlong(out)
                }
                Line::Whole { line, consumed } => {
                    done += consumed;
                    session.obey(line, out)
                }
            };
            session = match step {
                Step::Continue(session) => session,
                Step::StartTls(pending) => return (input.len(), Step::StartTls(pending)),
                step => return (done, step),
            };
        }
    }

    /// Finishes what the last line began before the next one is looked at.
    fn settle(mut self, out: &mut Vec<u8>) -> Step<M> {
        self.state = match self.state {
            State::Ended => return Step::Close,
            State::Listing(listing) => listing.render(out),
            state => state,
        };
        if out.len() >= REPLY_BLOCK { Step::Flush(self) } else { Step::Continue(self) }
    }

    fn obey(self, line: &[u8], out: &mut Vec<u8>) -> Step<M> {
        let Self { link, state } = self;
        match state {
            State::Exchange(exchange) => exchange.respond(line, link, out),
            State::Authorization(authorization) => match command::parse(line) {
                Ok(command) => authorization.obey(command, link, out),
                Err(error) => link.fault(State::Authorization(authorization), error.text(), out),
            },
            State::Transaction(transaction) => match command::parse(line) {
                Ok(command) => transaction.obey(command, link.clear(), out),
                Err(error) => link.fault(State::Transaction(transaction), error.text(), out),
            },
            // `settle` has left neither.
            State::Listing(_) | State::Ended => Step::Close,
        }
    }

    fn obey_overlong(self, out: &mut Vec<u8>) -> Step<M> {
        let state = match self.state {
            // The exchange is over; what it asked for did not come.
            State::Exchange(_) => State::Authorization(Authorization::default()),
            state => state,
        };
        self.link.fault(state, SyntaxError::TooLong.text(), out)
    }
}

impl Link {
    /// Answers a bad command with `text`, or gives the client up.
    pub(crate) fn fault<M: Messages>(
        mut self,
        state: State<M>,
        text: Text,
        out: &mut Vec<u8>,
    ) -> Step<M> {
        if self.count_error() {
            reply::err(out, self.language.say(text::TOO_MANY_ERRORS));
            return Step::Close;
        }
        reply::err(out, self.language.say(text));
        Step::Continue(Session::new(self, state))
    }

    /// Counts a bad command or a failed login; whether it was one too many.
    pub(crate) fn count_error(&mut self) -> bool {
        self.errors = self.errors.saturating_add(1);
        self.errors >= self.errors_max
    }

    /// After the login only errors in a row count.
    fn clear(mut self) -> Self {
        self.errors = 0;
        self
    }

    /// The link from the login on; what varies from account to account is known now.
    pub(crate) fn logged_in(mut self, facts: LoginFacts) -> Self {
        fn settled<T>(value: T) -> PerUser<T> {
            PerUser { value, varies: false }
        }
        self.terms.login_delay = facts.login_delay.map(settled);
        self.terms.expire = facts.expire.map(settled);
        self.errors = 0;
        self.errors_max = self.terms.errors_after_login.max(1);
        self
    }

    /// The link on the terms of a client whose proxy has named it. The count of errors stays,
    /// and so does the timestamp of the greeting.
    pub(crate) fn renewed(mut self, terms: Terms) -> Self {
        let apop_stamp = self.terms.apop_stamp.take();
        self.errors_max = terms.errors_before_login.max(1);
        *self.terms = Terms { apop_stamp, ..terms };
        self.forget_modes()
    }

    /// The link once TLS protects it, with what is offered now. The count of errors stays.
    pub(crate) fn secured(mut self, mechanisms: Offer) -> Self {
        self.lines.reset();
        self.terms.mechanisms = mechanisms;
        self.terms.tls = crate::TlsState::Active;
        self.forget_modes()
    }

    /// A language chosen in clear may have been chosen by somebody in between (RFC 6856
    /// section 7).
    fn forget_modes(mut self) -> Self {
        self.language = Language::default();
        self.utf8 = false;
        self
    }
}
