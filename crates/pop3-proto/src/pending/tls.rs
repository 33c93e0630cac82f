//! May this connection go over to TLS (RFC 2595 section 4)?

use alloc::vec::Vec;

use sasl::Offer;

use crate::messages::Messages;
use crate::reply::{self, Code};
use crate::session::{Link, Session};
use crate::state::State;
use crate::state::authorization::Authorization;
use crate::text;

/// An `STLS` that waits for its answer.
#[must_use = "the client waits for an answer"]
pub struct PendingTls {
    link: Link,
}

/// `+OK` is given: the session comes back when the connection is under TLS, and not otherwise.
#[must_use = "the session is inside"]
pub struct Handshake {
    link: Link,
}

impl PendingTls {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// Tells the client to begin. Write `out`, drop what was read beyond `STLS`, then shake
    /// hands.
    pub fn accept(self, out: &mut Vec<u8>) -> Handshake {
        reply::ok(out, self.link.language.say(text::BEGIN_TLS));
        Handshake { link: self.link }
    }

    /// TLS cannot be had now.
    pub fn refuse<M: Messages>(self, out: &mut Vec<u8>) -> Session<M> {
        let language = self.link.language;
        reply::err_code(out, Code::SysTemp, language.say(text::TLS_UNAVAILABLE));
        Session::new(self.link, State::Authorization(Authorization::default()))
    }
}

impl Handshake {
    /// The connection is under TLS. Nothing said before counts (RFC 2595 section 4): a `USER`
    /// is forgotten, a half-read line too. `mechanisms`: what is offered from now on, which may
    /// depend on the client's certificate.
    pub fn established<M: Messages>(self, mechanisms: Offer) -> Session<M> {
        Session::new(self.link.secured(mechanisms), State::Authorization(Authorization::default()))
    }
}
