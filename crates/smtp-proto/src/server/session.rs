//! The session: bytes in, actions and replies out.

mod answers;

use alloc::sync::Arc;
use alloc::vec::Vec;

use textproto::{Line, LineEnd, LineReader};

use super::action::{Action, Event, Step};
use super::chunk::Skipping;
use super::command::Verb;
use super::data::{Body, Flaw, Progress, Receiving};
use super::dispatch::{self, Desk};
use super::parameters::Parameters;
use super::pending::{
    DataPending, EndPending, MailPending, RecipientPending, SaslPending, StartTlsPending,
    XclientPending,
};
use super::reply::Reply;
use super::sasl_message::Mechanisms;
use super::state::{Daemon, State};
use super::tally::{CloseReason, Tally};
use super::{authenticate, counts::Counts, hello, quirk};

/// A submission session (RFC 6409) that knows no socket, account or clock.
///
/// ```
/// use std::sync::Arc;
/// use smtp_proto::server::{
///     Action, Daemon, Extensions, LoneLf, Mechanisms, Parameters, Session,
/// };
///
/// struct Nobody;
/// impl Daemon for Nobody {
///     type Login = ();
///     type Envelope = ();
///     type Message = ();
/// }
///
/// let parameters = Arc::new(Parameters {
///     host: "mail.example.org".into(),
///     message_octets_max: 1 << 20,
///     recipients_max: 100,
///     mails_max: 0,
///     errors_max: 10,
///     auth_failures_max: 3,
///     lone_lf: LoneLf::Normalise,
///     starttls: false,
///     extensions: Extensions::default(),
///     xclient: false,
/// });
/// let mut output = Vec::new();
/// let mut session = Session::<Nobody>::new(parameters, Mechanisms::NONE, false, 1_795_553_100);
/// session.greet(&mut output);
/// let step = session.next(b"EHLO client\r\nMAIL FROM:<a@example.org>\r\n", &mut output);
/// let Action::Mail(request, pending) = step.action else { panic!() };
/// assert_eq!(request.sender.to_string(), "<a@example.org>");
/// pending.accept((), &mut output);
/// assert!(output.ends_with(b"250 2.1.0 Sender accepted\r\n"));
/// ```
pub struct Session<D: Daemon> {
    parameters: Arc<Parameters>,
    mechanisms: Mechanisms,
    /// When it began, in Unix seconds.
    at: i64,
    tls: bool,
    lines: LineReader,
    /// Whether nothing has been consumed since the connection began or TLS did.
    untouched: bool,
    state: State<D>,
    tally: Tally,
}

const CHUNK_OK: Reply = Reply::fixed(250, "2.0.0", "Chunk received");
const LINE_TOO_LONG: Reply = Reply::fixed(500, "5.5.2", "The line is too long");

impl<D: Daemon> Session<D> {
    /// A session on a new connection. `mechanisms`: with which of them the client may
    /// authenticate; `tls`: whether it is under TLS from the first octet; `at`: the time in Unix
    /// seconds, from which the limit of FUTURERELEASE is counted.
    #[must_use]
    pub fn new(parameters: Arc<Parameters>, mechanisms: Mechanisms, tls: bool, at: i64) -> Self {
        Self {
            parameters,
            mechanisms,
            at,
            tls,
            lines: LineReader::new(Parameters::AUTH_OCTETS_MAX, LineEnd::Crlf),
            untouched: true,
            state: State::Connected,
            tally: Tally::default(),
        }
    }

    /// Writes the greeting, which must be sent before anything is read.
    pub fn greet(&self, output: &mut Vec<u8>) {
        hello::write_greeting(&self.parameters, output);
    }

    /// Goes on with `input`: what earlier steps left of it, and what was read since. The
    /// daemon takes [`Step::consumed`] octets off its head and carries out the action; it
    /// never needs to keep more than [`Parameters::AUTH_OCTETS_MAX`] octets of unread input.
    pub fn next(&mut self, input: &[u8], output: &mut Vec<u8>) -> Step<'_, D> {
        let mut consumed = 0;
        let event = loop {
            let rest = input.get(consumed..).unwrap_or_default();
            match self.advance(rest, &mut consumed, output) {
                Event::Next => {}
                event => break event,
            }
        };
        Step { consumed, action: self.action(event) }
    }

    /// Tells which mechanisms there are from now on: after a handshake, when it is known what
    /// the client has shown in it.
    pub fn offer(&mut self, mechanisms: Mechanisms) {
        self.mechanisms = mechanisms;
    }

    /// Whether an AUTH exchange is under way: what the daemon keeps for one is of no use
    /// otherwise.
    #[must_use]
    pub fn is_in_exchange(&self) -> bool {
        matches!(self.state, State::Authenticating(_))
    }

    /// Whether the session is under TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The session's commands so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.tally.counts
    }

    /// Whether mail data is being received, for which other time limits hold: not between two
    /// chunks, where a command is awaited.
    #[must_use]
    pub fn is_receiving(&self) -> bool {
        match &self.state {
            State::Receiving(receiving) => receiving.progress != Progress::BetweenChunks,
            State::Skipping(_) => true,
            _ => false,
        }
    }

    /// Whether a message has begun and not ended: as [`is_receiving`](Self::is_receiving), and
    /// between two chunks too.
    #[must_use]
    pub fn is_in_message(&self) -> bool {
        matches!(self.state, State::Receiving(_) | State::Skipping(_))
    }

    /// Ends the session from the daemon's side: writes `421` and drops the state.
    pub fn end(&mut self, reason: CloseReason, output: &mut Vec<u8>) {
        let (enhanced, text) = match reason {
            CloseReason::Timeout => ("4.4.2", "Timeout, closing the connection"),
            CloseReason::Shutdown => ("4.3.2", "The server is going down, try again"),
            CloseReason::Errors => ("4.7.0", "Too many errors, closing the connection"),
            CloseReason::AuthFailures => ("4.7.0", "Too many failed logins, closing"),
            _ => ("4.3.0", "Closing the connection"),
        };
        Reply::fixed(421, enhanced, text).write(output);
        self.state = State::Closed(reason);
    }

    fn advance(&mut self, rest: &[u8], consumed: &mut usize, output: &mut Vec<u8>) -> Event<D> {
        match &self.state {
            State::Closed(reason) => return Event::Close(*reason),
            State::Asked => {
                self.end(CloseReason::Unanswered, output);
                return Event::Next;
            }
            State::Receiving(receiving) if receiving.progress == Progress::Reading => {
                let waits = rest.is_empty() && !receiving.is_all_here();
                return if waits { Event::More } else { Event::Body };
            }
            State::Receiving(receiving) if receiving.progress != Progress::BetweenChunks => {
                return self.end_of_data(output);
            }
            State::Skipping(_) => return self.skip(rest, consumed, output),
            _ => {}
        }
        if self.untouched && quirk::is_tls_handshake(rest) {
            self.refuse_handshake(output);
            return Event::Next;
        }
        match self.lines.next_line(rest) {
            Line::More { consumed: skipped } => {
                *consumed += skipped;
                Event::More
            }
            Line::TooLong { consumed: skipped } => {
                *consumed += skipped;
                self.long_line(output);
                Event::Next
            }
            Line::Whole { line, consumed: taken } => {
                *consumed += taken;
                self.untouched = false;
                self.line(line, rest.len() > taken, output)
            }
        }
    }

    fn line(&mut self, line: &[u8], pipelined: bool, output: &mut Vec<u8>) -> Event<D> {
        let mut desk = Desk {
            parameters: &self.parameters,
            mechanisms: self.mechanisms,
            tls: self.tls,
            at: self.at,
            pipelined,
            tally: &mut self.tally,
            output,
        };
        let state = core::mem::replace(&mut self.state, State::Asked);
        let (state, event) = dispatch::on_line(state, line, &mut desk);
        self.resume(state);
        self.enforce(output);
        event
    }

    fn long_line(&mut self, output: &mut Vec<u8>) {
        self.untouched = false;
        let state = core::mem::replace(&mut self.state, State::Asked);
        match state {
            State::Authenticating(authenticating) => {
                let state = State::Greeted(authenticating.greeted);
                self.refused_blindly(CloseReason::BlindAuth);
                self.answer(Verb::Auth, &authenticate::TOO_LONG, state, output);
            }
            state => {
                let state = self.tally.blind.take().map_or(state, State::Closed);
                self.answer(Verb::Unknown, &LINE_TOO_LONG, state, output);
            }
        }
    }

    fn refuse_handshake(&mut self, output: &mut Vec<u8>) {
        let text = if self.tls {
            "TLS is already active"
        } else if self.parameters.starttls {
            "This port speaks plain text first: use STARTTLS"
        } else {
            "This port speaks plain text"
        };
        let reply = Reply::fixed(554, "5.5.1", text);
        let closed = State::Closed(CloseReason::TlsHandshake);
        self.answer(Verb::Unknown, &reply, closed, output);
    }

    fn end_of_data(&mut self, output: &mut Vec<u8>) -> Event<D> {
        let State::Receiving(mut receiving) = core::mem::replace(&mut self.state, State::Asked)
        else {
            return Event::Next;
        };
        if receiving.progress == Progress::ChunkEnded && receiving.flaw.is_none() {
            receiving.progress = Progress::BetweenChunks;
            self.answer(Verb::Bdat, &CHUNK_OK, State::Receiving(receiving), output);
            return Event::Next;
        }
        let verb = receiving.verb();
        let state = match receiving.progress {
            Progress::Overrun => State::Closed(CloseReason::Overrun),
            _ if receiving.flaw.is_none() => return Event::Ended(receiving),
            _ => State::Greeted(receiving.greeted),
        };
        let flaw = receiving.flaw.unwrap_or(Flaw::TooLarge);
        self.answer(verb, &flaw.reply(), state, output);
        Event::Rejected(receiving.message, flaw)
    }

    /// Passes over what belongs to a refused chunk.
    fn skip(&mut self, rest: &[u8], consumed: &mut usize, output: &mut Vec<u8>) -> Event<D> {
        let State::Skipping(mut skipping) = core::mem::replace(&mut self.state, State::Asked)
        else {
            return Event::Next;
        };
        let fits = usize::try_from(skipping.remaining).unwrap_or(usize::MAX);
        let taken = fits.min(rest.len());
        *consumed += taken;
        skipping.remaining = skipping.remaining.saturating_sub(taken as u64);
        if skipping.remaining > 0 {
            self.resume(State::Skipping(skipping));
            return Event::More;
        }
        let Skipping { reply, next, .. } = *skipping;
        self.answer(Verb::Bdat, &reply, next, output);
        Event::Next
    }

    fn action(&mut self, event: Event<D>) -> Action<'_, D> {
        match event {
            Event::Next | Event::More => Action::More,
            Event::Sasl(message, asking) => {
                let mechanism = message.mechanism;
                Action::Sasl(message, SaslPending { session: self, mechanism, asking })
            }
            Event::StartTls(before) => Action::StartTls(StartTlsPending { session: self, before }),
            Event::Xclient(facts, before) => {
                Action::Xclient(facts, XclientPending { session: self, before })
            }
            Event::Mail(request, greeted) => {
                let (coding, smtputf8) = (request.coding, request.smtputf8);
                Action::Mail(request, MailPending { session: self, greeted, coding, smtputf8 })
            }
            Event::Recipient(request, given) => {
                Action::Recipient(request, RecipientPending { session: self, given })
            }
            Event::Data(given, chunk) => Action::Data(DataPending { session: self, given, chunk }),
            Event::Body => match &mut self.state {
                State::Receiving(receiving) => {
                    Action::Body(Body::new(receiving, self.parameters.message_octets_max))
                }
                _ => Action::More,
            },
            Event::Ended(receiving) => {
                let (octets, verb) = (receiving.octets(), receiving.verb());
                let Receiving { greeted, message, .. } = receiving;
                Action::EndOfData(message, EndPending { session: self, greeted, octets, verb })
            }
            Event::Rejected(message, flaw) => Action::Rejected(message, flaw),
            Event::Close(reason) => Action::Close(reason),
        }
    }

    fn enforce(&mut self, output: &mut Vec<u8>) {
        let open = !matches!(self.state, State::Closed(_));
        if let Some(reason) = self.tally.exceeded(&self.parameters).filter(|_| open) {
            self.end(reason, output);
        }
    }
}

impl<D: Daemon> core::fmt::Debug for Session<D> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let state = match &self.state {
            State::Connected => "Connected",
            State::Vouched(_) => "Vouched",
            State::Greeted(_) => "Greeted",
            State::Authenticating(_) => "Authenticating",
            State::MailGiven(_) => "MailGiven",
            State::Receiving(_) => "Receiving",
            State::Skipping(_) => "Skipping",
            State::Asked => "Asked",
            State::Closed(_) => "Closed",
        };
        f.debug_struct("Session").field("tls", &self.tls).field("state", &state).finish()
    }
}
