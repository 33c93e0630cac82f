//! `AUTH`: a SASL exchange (RFC 5034).

use alloc::vec::Vec;

use sasl::{Exchange, Mechanism, SaslError};

use super::State;
use super::authorization::Authorization;
use crate::claim::Claim;
use crate::messages::Messages;
use crate::pending::PendingLogin;
use crate::reply;
use crate::session::{Link, Session, Step};
use crate::text;

/// Waiting for the client's response to a challenge. Whatever line comes is that response.
pub(crate) struct SaslExchange(Exchange);

impl SaslExchange {
    pub(crate) fn begin<M: Messages>(
        mechanism: Mechanism,
        initial: Option<&[u8]>,
        link: Link,
        out: &mut Vec<u8>,
    ) -> Step<M> {
        follow(Exchange::start(mechanism, initial), link, out)
    }

    pub(crate) fn respond<M: Messages>(
        self,
        line: &[u8],
        link: Link,
        out: &mut Vec<u8>,
    ) -> Step<M> {
        follow(self.0.respond(line), link, out)
    }
}

fn follow<M: Messages>(step: sasl::Step, link: Link, out: &mut Vec<u8>) -> Step<M> {
    let error = match step {
        sasl::Step::Challenge { text, exchange } => {
            // An empty challenge still has its space: clients look for "+ " (RFC 5034 section 4).
            out.extend_from_slice(b"+ ");
            reply::line(out, &text);
            return Step::Continue(Session::new(link, State::Exchange(SaslExchange(exchange))));
        }
        sasl::Step::Credentials(credentials) => {
            return Step::Verify(Claim::Password(credentials), PendingLogin::new(link));
        }
        sasl::Step::Failed(error) => error,
    };
    let start = State::Authorization(Authorization::default());
    match error {
        error if error.is_refusal() => {
            Step::Verify(Claim::Void { login: None }, PendingLogin::new(link))
        }
        SaslError::Cancelled => {
            reply::err(out, link.language.say(text::CANCELLED));
            Step::Continue(Session::new(link, start))
        }
        SaslError::TooLong => link.fault(start, text::RESPONSE_TOO_LONG, out),
        SaslError::NotBase64 => link.fault(start, text::RESPONSE_NOT_BASE64, out),
        _ => link.fault(start, text::RESPONSE_MALFORMED, out),
    }
}
