//! Is the client who its proxy says it is?

use alloc::vec::Vec;

use crate::messages::Messages;
use crate::reply;
use crate::session::{Link, Session};
use crate::state::State;
use crate::state::authorization::Authorization;
use crate::terms::Terms;
use crate::text;

/// An `XCLIENT` that waits for its answer.
#[must_use = "the proxy waits for an answer"]
pub struct PendingXclient {
    link: Link,
}

impl PendingXclient {
    pub(crate) fn new(link: Link) -> Self {
        Self { link }
    }

    /// Believed. The session starts anew on `terms`, which are those of the client now, and
    /// also say whether it may be named again; only the timestamp for `APOP` stays, for it has
    /// been shown.
    pub fn accept<M: Messages>(self, terms: Terms, out: &mut Vec<u8>) -> Session<M> {
        let link = self.link.renewed(terms);
        reply::ok(out, link.language.say(text::CLIENT_TAKEN));
        Session::new(link, State::Authorization(Authorization::default()))
    }

    /// Not believed.
    pub fn refuse<M: Messages>(self, out: &mut Vec<u8>) -> Session<M> {
        reply::err(out, self.link.language.say(text::CLIENT_NOT_TAKEN));
        Session::new(self.link, State::Authorization(Authorization::default()))
    }
}
