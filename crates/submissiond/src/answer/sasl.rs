//! The answers to `AUTH`: an exchange, message by message, and the login at its end.

use auth::{Conversation, Denied, Login, Turn};
use netio::Connection;
use smtp_proto::server::{Reply, SaslMessage, SaslPending};

use crate::checks::Refused;
use crate::house::Listening;
use crate::log;
use crate::offer;
use crate::transaction::Submission;
use crate::visitor::Visitor;

const NO_MASTER: Refused = Refused {
    reply: Reply::fixed(535, "5.7.8", "A master user may not send here in a customer's name"),
    reason: "master-user",
};

/// An exchange under way; boxed, for sessions idle without one.
pub(crate) type Exchange = Option<Box<Conversation>>;

/// A message of an exchange.
pub(crate) async fn sasl(
    listening: &Listening,
    connection: &Connection,
    visitor: &mut Visitor,
    exchange: &mut Exchange,
    (said, pending): (SaslMessage, SaslPending<'_, Submission>),
    output: &mut Vec<u8>,
) {
    let house = &listening.house;
    let SaslMessage { mechanism, message, first } = said;
    // It goes back only if the exchange goes on.
    let mut conversation = match exchange.take() {
        Some(conversation) if !first => conversation,
        // The session goes on with no exchange that it has not seen begin.
        None if !first => return pending.malformed(output),
        _ => {
            let tls = offer::tls_facts(mechanism, connection, visitor);
            Box::new(house.authenticator.converse(mechanism, offer::origin(visitor), tls))
        }
    };
    let denied = match conversation.take(message, house.clock.now()).await {
        Turn::Challenge(challenge) => {
            *exchange = Some(conversation);
            return pending.challenge(&challenge, output);
        }
        Turn::Malformed => return pending.malformed(output),
        Turn::Accepted(login) => match admit(listening, &login) {
            Ok(()) => {
                house.counters.logins.add(1);
                visitor.mechanism = Some(mechanism.name());
                log::authenticated(listening, visitor, &login);
                return pending.accept(*login, output);
            }
            // Only whoever knows the password learns of it.
            Err(refused) => {
                log::login_refused(listening, visitor, &login, &refused);
                house.worded(refused.reply)
            }
        },
        Turn::Denied(denied) => told(listening, denied),
    };
    house.counters.logins_denied.add(1);
    pending.refuse(&denied, output);
}

/// Whether who has authenticated may use the service.
fn admit(listening: &Listening, login: &Login) -> Result<(), Refused> {
    if login.acting.is_some() && !listening.masters_may_send {
        return Err(NO_MASTER);
    }
    listening.checks.login(listening, login)
}

/// What the client is told of it.
fn told(listening: &Listening, denied: Denied) -> Reply {
    match denied {
        Denied::Invalid => Reply::BAD_CREDENTIALS,
        Denied::Busy | Denied::Unavailable => Reply::AUTH_UNAVAILABLE,
        Denied::MustChange { url } => {
            let text = "The password is right, but it has to be changed before mail can be sent";
            let text = match url {
                Some(url) => format!("{text}: {url}"),
                None => text.to_owned(),
            };
            listening.house.worded(Reply::new(535, "5.7.8", text))
        }
    }
}
