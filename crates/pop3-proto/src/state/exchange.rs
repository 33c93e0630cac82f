//! `AUTH`: a SASL exchange (RFC 5034).

use alloc::vec::Vec;

use sasl::{Mechanism, SaslError, Secret};

use super::State;
use super::authorization::Authorization;
use crate::messages::Messages;
use crate::pending::PendingSasl;
use crate::reply;
use crate::sasl_message::SaslMessage;
use crate::session::{Link, Session, Step};
use crate::text;

/// Waiting for the client's response to a challenge. Whatever line comes is that response, also
/// one that came before the challenge was sent.
pub(crate) struct SaslExchange {
    mechanism: Mechanism,
}

impl SaslExchange {
    pub(crate) fn new(mechanism: Mechanism) -> Self {
        Self { mechanism }
    }

    pub(crate) fn begin<M: Messages>(
        mechanism: Mechanism,
        initial: Option<&[u8]>,
        link: Link,
        out: &mut Vec<u8>,
    ) -> Step<M> {
        match initial.map(sasl::decode_initial).transpose() {
            Ok(message) => ask(mechanism, message, true, link),
            Err(error) => fail(error, link, out),
        }
    }

    pub(crate) fn respond<M: Messages>(
        self,
        line: &[u8],
        link: Link,
        out: &mut Vec<u8>,
    ) -> Step<M> {
        match sasl::decode_response(line) {
            Ok(message) => ask(self.mechanism, Some(message), false, link),
            Err(error) => fail(error, link, out),
        }
    }
}

fn ask<M: Messages>(
    mechanism: Mechanism,
    message: Option<Secret>,
    first: bool,
    link: Link,
) -> Step<M> {
    Step::Sasl(SaslMessage { mechanism, message, first }, PendingSasl::new(link, mechanism))
}

/// What came is no message, and the exchange is over.
fn fail<M: Messages>(error: SaslError, link: Link, out: &mut Vec<u8>) -> Step<M> {
    let start = State::Authorization(Authorization::default());
    match error {
        SaslError::Cancelled => {
            reply::err(out, link.language.say(text::CANCELLED));
            Step::Continue(Session::new(link, start))
        }
        SaslError::TooLong => link.fault(start, text::RESPONSE_TOO_LONG, out),
        SaslError::NotBase64 => link.fault(start, text::RESPONSE_NOT_BASE64, out),
        _ => link.fault(start, text::RESPONSE_MALFORMED, out),
    }
}
