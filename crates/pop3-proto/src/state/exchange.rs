//! `AUTH`: a SASL exchange (RFC 5034).

use alloc::vec::Vec;

use sasl::{Exchange, Mechanism, SaslError};

use super::State;
use super::authorization::Authorization;
use crate::messages::Messages;
use crate::pending::{LoginRefusal, PendingLogin};
use crate::reply;
use crate::session::{Link, Session, Step};

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
            return Step::Verify(credentials, PendingLogin::new(link));
        }
        sasl::Step::Failed(error) => error,
    };
    let start = State::Authorization(Authorization::default());
    match error {
        error if error.is_refusal() => {
            Step::Continue(PendingLogin::new(link).refuse(LoginRefusal::Credentials, out))
        }
        SaslError::Cancelled => {
            reply::err(out, "Authentication cancelled");
            Step::Continue(Session::new(link, start))
        }
        SaslError::TooLong => link.fault(start, "Response too long", out),
        SaslError::NotBase64 => link.fault(start, "The response is not valid base64", out),
        _ => link.fault(start, "The response is malformed", out),
    }
}
