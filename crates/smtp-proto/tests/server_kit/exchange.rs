//! Exchanges of SASL by rule: PLAIN and LOGIN as they are, and every other mechanism as a game
//! of echoes.

use sasl::{Mechanism, Secret};
use smtp_proto::server::{Reply, SaslMessage, SaslPending};

use super::Rules;

/// What the daemon keeps between two messages.
pub(crate) struct Exchange {
    mechanism: Mechanism,
    /// What was said so far.
    said: Vec<Vec<u8>>,
}

type Pending<'s> = SaslPending<'s, Rules>;

/// Answers a message, and says what was asked, if the exchange comes to a question.
pub(crate) fn answer(
    said: SaslMessage,
    pending: Pending<'_>,
    kept: &mut Option<Exchange>,
    output: &mut Vec<u8>,
) -> Option<String> {
    let SaslMessage { mechanism, message, first } = said;
    let mut exchange = match kept.take() {
        Some(exchange) if !first => exchange,
        None if !first => panic!("an exchange that did not begin"),
        _ => Exchange { mechanism, said: Vec::new() },
    };
    assert_eq!(exchange.mechanism, mechanism, "the mechanism of an exchange changes");
    assert!(first || message.is_some(), "a response is a message");
    exchange.said.extend(message.map(|message| message.expose().to_vec()));
    let said: Vec<&[u8]> = exchange.said.iter().map(Vec::as_slice).collect();
    let next = match (mechanism, &*said) {
        (Mechanism::Plain, [message]) => return plain(message, pending, output),
        (Mechanism::Login, [login, password]) => return verify(login, password, pending, output),
        (Mechanism::Plain, _) => "",
        (Mechanism::Login, []) => "Username:",
        (Mechanism::Login, [login]) if std::str::from_utf8(login).is_ok() => "Password:",
        (Mechanism::Login, _) => {
            pending.malformed(output);
            return None;
        }
        (_, said) => return echo(&said.concat(), pending, output, || *kept = Some(exchange)),
    };
    *kept = Some(exchange);
    pending.challenge(&Secret::from(next), output);
    None
}

fn plain(message: &[u8], pending: Pending<'_>, output: &mut Vec<u8>) -> Option<String> {
    let fields: Vec<&[u8]> = message.split(|&octet| octet == 0).collect();
    match &*fields {
        [b"", login, password] => verify(login, password, pending, output),
        // An identity of somebody else's.
        [_, _, _] => {
            pending.refuse(&Reply::BAD_CREDENTIALS, output);
            None
        }
        _ => {
            pending.malformed(output);
            None
        }
    }
}

fn verify(
    login: &[u8],
    password: &[u8],
    pending: Pending<'_>,
    output: &mut Vec<u8>,
) -> Option<String> {
    let (login, password) = (String::from_utf8_lossy(login), String::from_utf8_lossy(password));
    let must_change = Reply::new(535, "5.7.8", "To be changed: https://x.example/".into());
    match (&*login, &*password) {
        _ if password.is_empty() => {
            pending.refuse(&Reply::BAD_CREDENTIALS, output);
            return None;
        }
        ("anna", "secret") => pending.accept("anna".into(), output),
        ("old", "secret") => pending.refuse(&must_change, output),
        ("busy", _) => pending.refuse(&Reply::AUTH_UNAVAILABLE, output),
        _ => pending.refuse(&Reply::BAD_CREDENTIALS, output),
    }
    Some(format!("verify {login} {password}"))
}

/// Says back what was said so far; `anna!` ends it well, `no!` ill, `odd!` as no message.
fn echo(
    said: &[u8],
    pending: Pending<'_>,
    output: &mut Vec<u8>,
    go_on: impl FnOnce(),
) -> Option<String> {
    let text = said.escape_ascii().to_string();
    if said.ends_with(b"anna!") {
        pending.accept("anna".into(), output);
    } else if said.ends_with(b"no!") {
        pending.refuse(&Reply::BAD_CREDENTIALS, output);
    } else if said.ends_with(b"odd!") {
        pending.malformed(output);
    } else {
        pending.challenge(&Secret::from(said), output);
        go_on();
        return None;
    }
    Some(format!("said {text}"))
}
