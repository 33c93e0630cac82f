//! `AUTH` (RFC 4954).
//!
//! The order of the lines decides what a line is, never its timing: the line behind a `334` is
//! the response, also where it came before the `334` was sent (RFC 4954 section 4 forbids
//! clients to send it so early, but for an initial response that completes the exchange). It is
//! judged as a response and answered as one; it never runs as a command, and what follows the
//! end of the exchange is never a response.

use alloc::format;
use alloc::string::String;

use sasl::{Mechanism, Offer, SaslError, Secret};

use super::action::Event;
use super::command::{self, Verb};
use super::dispatch::{Desk, stay};
use super::reply::Reply;
use super::sasl_message::SaslMessage;
use super::state::{Asking, Authenticating, Daemon, State};
use super::tally::CloseReason;

const NEEDS_TLS: Reply =
    Reply::fixed(538, "5.7.11", "Encryption required: switch on STARTTLS or SSL/TLS");
const NOT_OFFERED: Reply = Reply::fixed(502, "5.5.1", "Authentication is not offered here");
const EHLO_FIRST: Reply = Reply::fixed(503, "5.5.1", "Say EHLO before AUTH");
const LOGGED_IN: Reply = Reply::fixed(503, "5.5.1", "Already authenticated");
const IN_TRANSACTION: Reply = Reply::fixed(503, "5.5.1", "Not within a transaction: send RSET");
const SYNTAX: Reply = Reply::fixed(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]");
const CANCELLED: Reply = Reply::fixed(501, "5.7.0", "Authentication cancelled");
const NOT_A_RESPONSE: Reply =
    Reply::fixed(501, "5.5.2", "A command does not answer the challenge: authentication is over");
pub(crate) const MALFORMED: Reply =
    Reply::fixed(501, "5.5.2", "The authentication response is not base64 or not well formed");
pub(crate) const TOO_LONG: Reply =
    Reply::fixed(500, "5.5.6", "The authentication line is too long");

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
    let mechanism = match name.is_empty() || words.next().is_some() {
        true => Err(SYNTAX),
        false => offered(name, desk),
    };
    match mechanism {
        Ok(mechanism) => {
            let message = initial.map(sasl::decode_initial).transpose();
            follow(Authenticating { greeted, mechanism, turns: 0 }, message, desk)
        }
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
    if is_bare_command(line) {
        desk.tally.blind = Some(CloseReason::BlindAuth);
        return stay(State::Greeted(authenticating.greeted), Verb::Auth, &NOT_A_RESPONSE, desk);
    }
    follow(authenticating, sasl::decode_response(line).map(Some), desk)
}

/// Whether a client that sent `line` waits for the answer to a command. These words happen to be
/// base64, but in one case throughout, what they decode to is no text and no message of any
/// mechanism.
fn is_bare_command(line: &[u8]) -> bool {
    let one_case = |is: fn(&u8) -> bool| line.iter().all(is);
    let plain = one_case(u8::is_ascii_uppercase) || one_case(u8::is_ascii_lowercase);
    let (verb, _) = command::split(line);
    plain
        && matches!(
            verb,
            Verb::Quit | Verb::Rset | Verb::Noop | Verb::Data | Verb::Help | Verb::StartTls
        )
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
    let mechanisms = desk.mechanisms;
    match (mechanisms.now.is_empty(), mechanisms.under_tls.is_empty() || desk.tls) {
        (true, true) => Some(NOT_OFFERED),
        (true, false) => Some(NEEDS_TLS),
        // RFC 4954 section 4: AUTH belongs to EHLO.
        (false, _) if !greeted.hello.extended => Some(EHLO_FIRST),
        (false, _) => None,
    }
}

/// The mechanism called `name`, if it may be used as things stand.
fn offered(name: &[u8], desk: &Desk<'_>) -> Result<Mechanism, Reply> {
    let mechanisms = desk.mechanisms;
    match Mechanism::parse(name) {
        Some(mechanism) if mechanisms.now.contains(mechanism) => Ok(mechanism),
        Some(mechanism) if !desk.tls && mechanisms.under_tls.contains(mechanism) => {
            Err(match desk.parameters.starttls {
                true => NEEDS_TLS,
                // RFC 4954 section 6: the client may try again with another mechanism.
                false => Reply::new(
                    534,
                    "5.7.9",
                    format!("Too weak without encryption: use {}", listed(mechanisms.now)),
                ),
            })
        }
        _ => Err(Reply::new(
            504,
            "5.5.4",
            format!("Mechanism not offered: use {}", listed(mechanisms.now)),
        )),
    }
}

/// `A`, `A or B`, `A, B or C`.
fn listed(offer: Offer) -> String {
    let count = offer.iter().count();
    let mut text = String::new();
    for (index, mechanism) in offer.iter().enumerate() {
        text.push_str(match index {
            0 => "",
            _ if index + 1 == count => " or ",
            _ => ", ",
        });
        text.push_str(mechanism.name());
    }
    text
}

fn follow<D: Daemon>(
    authenticating: Authenticating<D>,
    message: Result<Option<Secret>, SaslError>,
    desk: &mut Desk<'_>,
) -> (State<D>, Event<D>) {
    let Authenticating { greeted, mechanism, turns } = authenticating;
    let first = turns == 0;
    match message {
        Ok(message) => {
            let message = SaslMessage { mechanism, message, first };
            (State::Asked, Event::Sasl(message, Asking { greeted, turns: turns.saturating_add(1) }))
        }
        Err(error) => {
            // A client that does not read replies may have more of its secrets on the way.
            if error != SaslError::Cancelled {
                desk.tally.blind = Some(CloseReason::BlindAuth);
            }
            stay(State::Greeted(greeted), Verb::Auth, &failure(error), desk)
        }
    }
}

fn failure(error: SaslError) -> Reply {
    match error {
        SaslError::Cancelled => CANCELLED,
        SaslError::TooLong => TOO_LONG,
        _ => MALFORMED,
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn what_is_offered_is_named_in_one_sentence() {
        let offer = |names: &[Mechanism]| listed(names.iter().copied().collect());
        assert_eq!(offer(&[]), "");
        assert_eq!(offer(&[Mechanism::Plain]), "PLAIN");
        assert_eq!(offer(&[Mechanism::Login, Mechanism::Plain]), "PLAIN or LOGIN");
        let all = listed(Mechanism::EVERY.into_iter().collect());
        assert!(all.starts_with("SCRAM-SHA-256-PLUS, SCRAM-SHA-256, "), "{all}");
        assert!(all.ends_with(", LOGIN or CRAM-MD5"), "{all}");
    }

    /// Refusing commands in place of responses takes no name and no password from anybody.
    #[test]
    fn a_bare_command_is_no_message_of_anybody() {
        for word in ["QUIT", "RSET", "NOOP", "DATA", "HELP", "STARTTLS"] {
            let all = (1_u32 << word.len()) - 1;
            for cases in 0..=all {
                let in_case = |(at, c): (usize, char)| match cases >> at & 1 {
                    0 => c.to_ascii_lowercase(),
                    _ => c,
                };
                let line: String = word.chars().enumerate().map(in_case).collect();
                if !is_bare_command(line.as_bytes()) {
                    assert!(cases != 0 && cases != all, "{line}");
                    continue;
                }
                let message = sasl::decode_response(line.as_bytes()).unwrap();
                let text = core::str::from_utf8(message.expose()).map(ToString::to_string);
                let is_text = text.is_ok_and(|text| !text.chars().any(char::is_control));
                assert!(!is_text, "{line} decodes to text");
            }
        }
        let others = [&b"AUTH"[..], b"YW5uYQ==", b"QUIT=", b"QUIt", b"", b"*"];
        assert!(others.into_iter().all(|line| !is_bare_command(line)));
    }
}
