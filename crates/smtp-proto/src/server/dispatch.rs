//! What a command means in a state.

use alloc::boxed::Box;
use alloc::vec::Vec;

use envelope::Coding;

use super::action::Event;
use super::command::{self, Verb};
use super::parameters::Parameters;
use super::reply::Reply;
use super::request::{MailRequest, RecipientRequest, Standing};
use super::sasl_message::Mechanisms;
use super::state::{Daemon, Greeted, Hello, State};
use super::tally::{CloseReason, Tally};
use super::xclient::{self, XclientFacts};
use super::{authenticate, chunk, hello, verify};

/// What a handler may see and write.
pub(crate) struct Desk<'a> {
    pub(crate) parameters: &'a Parameters,
    pub(crate) mechanisms: Mechanisms,
    pub(crate) tls: bool,
    /// When the session began, in Unix seconds.
    pub(crate) at: i64,
    /// Whether more input stands behind the line.
    pub(crate) pipelined: bool,
    pub(crate) tally: &'a mut Tally,
    pub(crate) output: &'a mut Vec<u8>,
}

impl Desk<'_> {
    pub(crate) fn reply(&mut self, verb: Verb, reply: &Reply) {
        self.tally.reply(verb, reply, self.output);
    }

    fn standing<D: Daemon>(&self, greeted: &Greeted<D>) -> Standing<'_> {
        Standing {
            parameters: self.parameters,
            tls: self.tls,
            extended: greeted.hello.extended,
            logged_in: greeted.login.is_some(),
            at: self.at,
        }
    }
}

pub(crate) type Transition<D> = (State<D>, Event<D>);

const NO_ARGUMENT: Reply = Reply::fixed(501, "5.5.4", "This command takes no argument");
const NOT_A_LINE: Reply =
    Reply::fixed(500, "5.5.2", "A command is one line that ends with CRLF and holds no CR or LF");
const TOO_LONG: Reply = Reply::fixed(500, "5.5.2", "The command is too long");
const UNKNOWN: Reply = Reply::fixed(500, "5.5.2", "Command not recognised");
const UNOFFERED: Reply = Reply::fixed(502, "5.5.1", "Command not offered");
const OK: Reply = Reply::fixed(250, "2.0.0", "OK");
const BYE: Reply = Reply::fixed(221, "2.0.0", "Bye");
const HELP: Reply = Reply::fixed(
    214,
    "2.0.0",
    "EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT (RFC 5321, RFC 6409)",
);
const HELP_BDAT: Reply = Reply::fixed(
    214,
    "2.0.0",
    "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT (RFC 5321, RFC 6409)",
);
const NOT_HTTP: Reply = Reply::fixed(554, "5.5.1", "This is not an HTTP server");
pub(crate) const HELLO_FIRST: Reply = Reply::fixed(503, "5.5.1", "Say EHLO first");
pub(crate) const MAIL_FIRST: Reply = Reply::fixed(503, "5.5.1", "Send MAIL first");
const NESTED_MAIL: Reply = Reply::fixed(503, "5.5.1", "A transaction is already open: send RSET");
pub(crate) const NO_RECIPIENTS: Reply = Reply::fixed(554, "5.5.1", "No valid recipients");
const CHUNKS_BEGUN: Reply =
    Reply::fixed(503, "5.5.1", "The message has begun with BDAT: go on with BDAT, or send RSET");
const DATA_AFTER_BDAT: Reply =
    Reply::fixed(503, "5.5.1", "DATA cannot follow BDAT: the transaction is dropped");
const DATA_OF_BINARY: Reply =
    Reply::fixed(503, "5.5.1", "BODY=BINARYMIME needs BDAT: the transaction is dropped");
const MAILS_USED_UP: Reply =
    Reply::fixed(421, "4.7.0", "No more messages in this session: connect again");
const TLS_ACTIVE: Reply = Reply::fixed(503, "5.5.1", "TLS is already active");
const TLS_PIPELINED: Reply =
    Reply::fixed(554, "5.5.1", "Nothing may follow STARTTLS before its reply");

/// A line in any state but that of mail data.
pub(crate) fn on_line<D: Daemon>(
    state: State<D>,
    line: &[u8],
    desk: &mut Desk<'_>,
) -> Transition<D> {
    let state = match state {
        State::Authenticating(authenticating) => {
            return authenticate::on_response(authenticating, line, desk);
        }
        state => state,
    };
    let (verb, argument) = command::split(line);
    if let Some(reason) = desk.tally.blind.take().filter(|_| verb == Verb::Unknown) {
        return close(reason, verb, &UNKNOWN, desk);
    }
    if let Some(reply) = malformed(line, verb) {
        return no_command(state, line, verb, &reply, desk);
    }
    match verb {
        Verb::Helo | Verb::Ehlo => on_hello(state, verb, argument, desk),
        Verb::StartTls => on_starttls(state, argument, desk),
        Verb::Auth => authenticate::on_auth(state, argument, desk),
        Verb::Mail => on_mail(state, argument, desk),
        Verb::Rcpt => on_rcpt(state, argument, desk),
        Verb::Data => on_data(state, argument, desk),
        Verb::Rset if argument.is_empty() => on_rset(state, desk),
        Verb::Rset => stay(state, verb, &NO_ARGUMENT, desk),
        Verb::Noop => stay(state, verb, &OK, desk),
        Verb::Vrfy => {
            let reply = verify::reply(argument, desk.parameters.extensions.smtputf8);
            stay(state, verb, &reply, desk)
        }
        Verb::Help if desk.parameters.extensions.chunking => stay(state, verb, &HELP_BDAT, desk),
        Verb::Help => stay(state, verb, &HELP, desk),
        Verb::Quit if argument.is_empty() => close(CloseReason::Quit, verb, &BYE, desk),
        Verb::Quit => stay(state, verb, &NO_ARGUMENT, desk),
        Verb::Unoffered => stay(state, verb, &UNOFFERED, desk),
        Verb::Unknown => no_command(state, line, verb, &UNKNOWN, desk),
        Verb::Bdat if desk.parameters.extensions.chunking => chunk::on_bdat(state, argument, desk),
        Verb::Xclient if desk.parameters.xclient => on_xclient(state, argument, desk),
        Verb::Xclient => stay(state, verb, &UNOFFERED, desk),
        Verb::Bdat => close(CloseReason::Bdat, verb, &UNOFFERED, desk),
        Verb::Http => close(CloseReason::Http, verb, &NOT_HTTP, desk),
    }
}

/// A line that is none of the commands. If it looks like `BDAT` or `DATA`, a message may stand
/// behind it, which must not run as commands.
fn no_command<D: Daemon>(
    state: State<D>,
    line: &[u8],
    verb: Verb,
    reply: &Reply,
    desk: &mut Desk<'_>,
) -> Transition<D> {
    let begins = |word: &[u8]| line.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(word));
    if begins(b"BDAT") {
        return close(CloseReason::Bdat, verb, reply, desk);
    }
    if begins(b"DATA") {
        desk.tally.blind = Some(CloseReason::BlindData);
    }
    stay(state, verb, reply, desk)
}

/// What is wrong with the line itself.
fn malformed(line: &[u8], verb: Verb) -> Option<Reply> {
    if memchr::memchr3(b'\r', b'\n', 0, line).is_some() {
        return Some(NOT_A_LINE);
    }
    let too_long = line.len() + 2 > Parameters::COMMAND_OCTETS_MAX && verb != Verb::Auth;
    too_long.then_some(TOO_LONG)
}

pub(crate) fn stay<D: Daemon>(
    state: State<D>,
    verb: Verb,
    reply: &Reply,
    desk: &mut Desk<'_>,
) -> Transition<D> {
    desk.reply(verb, reply);
    (state, Event::Next)
}

pub(crate) fn close<D: Daemon>(
    reason: CloseReason,
    verb: Verb,
    reply: &Reply,
    desk: &mut Desk<'_>,
) -> Transition<D> {
    desk.reply(verb, reply);
    (State::Closed(reason), Event::Next)
}

/// `HELO` and `EHLO` end a transaction like `RSET` (RFC 5321 section 4.1.4); a login stays.
fn on_hello<D: Daemon>(
    state: State<D>,
    verb: Verb,
    argument: &[u8],
    desk: &mut Desk<'_>,
) -> Transition<D> {
    let Some(name) = hello::name(argument) else {
        return stay(state, verb, &hello::NAME_MISSING, desk);
    };
    let login = state.into_login();
    let extended = verb == Verb::Ehlo;
    if extended {
        hello::write_ehlo(desk.parameters, desk.mechanisms.now, desk.tls, desk.at, desk.output);
    } else {
        hello::write_helo(desk.parameters, desk.output);
    }
    desk.tally.record(verb, 250);
    (State::Greeted(Greeted { hello: Hello { name, extended }, login }), Event::Next)
}

fn on_starttls<D: Daemon>(state: State<D>, argument: &[u8], desk: &mut Desk<'_>) -> Transition<D> {
    let verb = Verb::StartTls;
    if desk.tls {
        return stay(state, verb, &TLS_ACTIVE, desk);
    }
    if !desk.parameters.starttls {
        return stay(state, verb, &UNOFFERED, desk);
    }
    if !argument.is_empty() {
        return stay(state, verb, &NO_ARGUMENT, desk);
    }
    if desk.pipelined {
        return close(CloseReason::PipelinedStartTls, verb, &TLS_PIPELINED, desk);
    }
    (State::Asked, Event::StartTls(state))
}

fn on_mail<D: Daemon>(state: State<D>, argument: &[u8], desk: &mut Desk<'_>) -> Transition<D> {
    let greeted = match state {
        State::Greeted(greeted) => greeted,
        State::MailGiven(_) | State::Receiving(_) => {
            return stay(state, Verb::Mail, &NESTED_MAIL, desk);
        }
        _ => return stay(state, Verb::Mail, &HELLO_FIRST, desk),
    };
    if desk.tally.has_sent_all(desk.parameters) {
        return close(CloseReason::Mails, Verb::Mail, &MAILS_USED_UP, desk);
    }
    match MailRequest::parse(argument, desk.standing(&greeted)) {
        Ok(request) => (State::Asked, Event::Mail(request, greeted)),
        Err(reply) => stay(State::Greeted(greeted), Verb::Mail, &reply, desk),
    }
}

fn on_rcpt<D: Daemon>(state: State<D>, argument: &[u8], desk: &mut Desk<'_>) -> Transition<D> {
    let given = match state {
        State::MailGiven(given) => given,
        State::Receiving(_) => return stay(state, Verb::Rcpt, &CHUNKS_BEGUN, desk),
        _ => return stay(state, Verb::Rcpt, &MAIL_FIRST, desk),
    };
    let standing = desk.standing(&given.greeted);
    let request = match RecipientRequest::parse(argument, given.smtputf8, standing) {
        Ok(request) => request,
        Err(reply) => return stay(State::MailGiven(given), Verb::Rcpt, &reply, desk),
    };
    if given.recipients >= desk.parameters.recipients_max {
        let state = State::MailGiven(given);
        return stay(state, Verb::Rcpt, &Reply::TOO_MANY_RECIPIENTS, desk);
    }
    (State::Asked, Event::Recipient(request, given))
}

fn on_data<D: Daemon>(state: State<D>, argument: &[u8], desk: &mut Desk<'_>) -> Transition<D> {
    let (state, refusal) = match state {
        state if !argument.is_empty() => (state, NO_ARGUMENT),
        // RFC 3030 sections 2 and 3 leave the state open after these two: nothing is left of it.
        state @ State::Receiving(_) => (state.without_transaction(), DATA_AFTER_BDAT),
        State::MailGiven(given) if given.coding == Coding::Binary => {
            (State::Greeted(given.greeted), DATA_OF_BINARY)
        }
        State::MailGiven(given) if given.recipients == 0 => {
            (State::MailGiven(given), NO_RECIPIENTS)
        }
        State::MailGiven(given) => return (State::Asked, Event::Data(given, None)),
        state => (state, MAIL_FIRST),
    };
    desk.tally.blind = Some(CloseReason::BlindData);
    stay(state, Verb::Data, &refusal, desk)
}

fn on_xclient<D: Daemon>(state: State<D>, argument: &[u8], desk: &mut Desk<'_>) -> Transition<D> {
    if matches!(state, State::MailGiven(_) | State::Receiving(_)) {
        return stay(state, Verb::Xclient, &xclient::IN_TRANSACTION, desk);
    }
    match XclientFacts::parse(argument) {
        Some(facts) => (State::Asked, Event::Xclient(Box::new(facts), state)),
        None => stay(state, Verb::Xclient, &xclient::SYNTAX, desk),
    }
}

fn on_rset<D: Daemon>(state: State<D>, desk: &mut Desk<'_>) -> Transition<D> {
    stay(state.without_transaction(), Verb::Rset, &OK, desk)
}
