//! What the tokens do to their session.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Session;
use crate::server::Parameters;
use crate::server::command::Verb;
use crate::server::reply::Reply;
use crate::server::sasl_message::Mechanisms;
use crate::server::state::{Daemon, State};
use crate::server::tally::CloseReason;

impl<D: Daemon> Session<D> {
    pub(in crate::server) fn answer(
        &mut self,
        verb: Verb,
        reply: &Reply,
        state: State<D>,
        output: &mut Vec<u8>,
    ) {
        self.tally.reply(verb, reply, output);
        self.resume(state);
        self.enforce(output);
    }

    pub(in crate::server) fn resume(&mut self, state: State<D>) {
        self.state = state;
    }

    pub(in crate::server) fn begin_tls(&mut self) {
        self.tls = true;
        self.mechanisms = self.mechanisms.after_tls();
        self.untouched = true;
        self.lines.reset();
    }

    pub(in crate::server) fn begin_anew(
        &mut self,
        parameters: Arc<Parameters>,
        mechanisms: Mechanisms,
        state: State<D>,
    ) {
        self.tally.record(Verb::Xclient, 220);
        self.tally.begin_anew();
        self.parameters = parameters;
        self.mechanisms = mechanisms;
        self.state = state;
    }

    /// A message was accepted.
    pub(in crate::server) fn accepted(&mut self) {
        self.tally.accepted();
    }

    /// A command is being refused behind which a client that does not read replies may send what
    /// must not run as commands: why the session ends then.
    pub(in crate::server) fn refused_blindly(&mut self, reason: CloseReason) {
        self.tally.blind = Some(reason);
    }

    pub(in crate::server) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(in crate::server) fn failed_auth(&self) -> bool {
        self.tally.failed_auth
    }
}
