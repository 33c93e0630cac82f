//! `AUTH` (RFC 4954).

use sasl::{Exchange, Mechanism, SaslError, Step};

use super::action::Event;
use super::command::Verb;
use super::dispatch::{Desk, stay};
use super::parameters::AuthOffer;
use super::reply::Reply;
use super::state::{Authenticating, Daemon, Greeted, State};
use super::tally::CloseReason;

const NEEDS_TLS: Reply =
    Reply::fixed(538, "5.7.11", "Encryption required: switch on STARTTLS or SSL/TLS");
const NOT_OFFERED: Reply = Reply::fixed(502, "5.5.1", "Authentication is not offered here");
const EHLO_FIRST: Reply = Reply::fixed(503, "5.5.1", "Say EHLO before AUTH");
const LOGGED_IN: Reply = Reply::fixed(503, "5.5.1", "Already authenticated");
const IN_TRANSACTION: Reply = Reply::fixed(503, "5.5.1", "Not within a transaction: send RSET");
const SYNTAX: Reply = Reply::fixed(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]");
const UNKNOWN_MECHANISM: Reply =
    Reply::fixed(504, "5.5.4", "Mechanism not offered: use PLAIN or LOGIN");
const CANCELLED: Reply = Reply::fixed(501, "5.7.0", "Authentication cancelled");
const MALFORMED: Reply =
    Reply::fixed(501, "5.5.2", "The authentication response is not base64 or not well formed");
const TOO_LONG: Reply = Reply::fixed(500, "5.5.6", "The authentication line is too long");

/// The command, with or without initial response.
pub(crate) fn on_auth<D: Daemon>(
    state: State<D>,
    argument: &[u8],
    desk: &mut Desk<'_>,
) -> (State<D>, Event<D>) {
    if let Some(reply) = out_of_place(&state, desk) {
        desk.tally.blind = Some(CloseReason::BlindAuth);
        return stay(state, Verb::Auth, &reply, desk);
    }
    let State::Greeted(greeted) = state else {
        return stay(state, Verb::Auth, &EHLO_FIRST, desk);
    };
    let mut words = argument.split(|&octet| octet == b' ').filter(|word| !word.is_empty());
    let (name, initial) = (words.next().unwrap_or_default(), words.next());
    let mechanism = match Mechanism::parse(name) {
        _ if name.is_empty() || words.next().is_some() => Err(SYNTAX),
        Some(mechanism) => Ok(mechanism),
        None => Err(UNKNOWN_MECHANISM),
    };
    match mechanism {
        Ok(mechanism) => follow(Exchange::start(mechanism, initial), greeted, desk),
        Err(reply) => {
            desk.tally.blind = Some(CloseReason::BlindAuth);
            stay(State::Greeted(greeted), Verb::Auth, &reply, desk)
        }
    }
}

/// A line of the exchange.
pub(crate) fn on_response<D: Daemon>(
    authenticating: Authenticating<D>,
    line: &[u8],
    desk: &mut Desk<'_>,
) -> (State<D>, Event<D>) {
    follow(authenticating.exchange.respond(line), authenticating.greeted, desk)
}

fn out_of_place<D: Daemon>(state: &State<D>, desk: &Desk<'_>) -> Option<Reply> {
    let greeted = match state {
        State::Greeted(greeted) => greeted,
        State::MailGiven(_) | State::Receiving(_) => return Some(IN_TRANSACTION),
        _ => return Some(EHLO_FIRST),
    };
    if greeted.login.is_some() {
        return Some(LOGGED_IN);
    }
    match desk.parameters.auth {
        AuthOffer::Never => Some(NOT_OFFERED),
        AuthOffer::UnderTls if !desk.tls => Some(NEEDS_TLS),
        // RFC 4954 section 4: AUTH belongs to EHLO.
        _ if !greeted.hello.extended => Some(EHLO_FIRST),
        AuthOffer::UnderTls | AuthOffer::Always => None,
    }
}

fn follow<D: Daemon>(step: Step, greeted: Greeted<D>, desk: &mut Desk<'_>) -> (State<D>, Event<D>) {
    match step {
        Step::Challenge { text, exchange } => {
            desk.output.extend_from_slice(b"334 ");
            desk.output.extend_from_slice(text.as_bytes());
            desk.output.extend_from_slice(b"\r\n");
            (State::Authenticating(Authenticating { greeted, exchange }), Event::Next)
        }
        Step::Credentials(credentials) => (State::Asked, Event::Verify(credentials, greeted)),
        Step::Failed(error) => {
            let reply = failure(error);
            stay(State::Greeted(greeted), Verb::Auth, &reply, desk)
        }
    }
}

fn failure(error: SaslError) -> Reply {
    match error {
        SaslError::Cancelled => CANCELLED,
        SaslError::TooLong => TOO_LONG,
        error if error.is_refusal() => Reply::BAD_CREDENTIALS,
        _ => MALFORMED,
    }
}
