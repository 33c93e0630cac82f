//! Questions to the daemon: each token holds the session's state, and only an answer puts it
//! back and writes the reply.
//!
//! A token borrows its session, so nothing else can happen in it meanwhile. One that is
//! dropped unanswered leaves the session without a state: it then says `421` and closes.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use envelope::Coding;

use sasl::{Mechanism, Secret};

use super::authenticate;
use super::chunk::{Chunk, Skipping};
use super::command::Verb;
use super::hello;
use super::reply::Reply;
use super::sasl_message::Mechanisms;
use super::session::Session;
use super::state::{Asking, Authenticating, Daemon, Greeted, Hello, MailGiven, State};
use super::tally::CloseReason;
use super::{Parameters, data::Receiving};

const MAIL_OK: Reply = Reply::fixed(250, "2.1.0", "Sender accepted");
const RECIPIENT_OK: Reply = Reply::fixed(250, "2.1.5", "Recipient accepted");
const AUTH_OK: Reply = Reply::fixed(235, "2.7.0", "Authentication successful");
const TLS_OK: Reply = Reply::fixed(220, "2.0.0", "Ready to start TLS");
const START_DATA: &[u8] = b"354 Send the message and end it with a line that holds only a dot\r\n";

/// What is to be answered to this message of an AUTH exchange (RFC 4954)?
#[must_use]
pub struct SaslPending<'s, D: Daemon> {
    pub(crate) session: &'s mut Session<D>,
    pub(crate) mechanism: Mechanism,
    pub(crate) asking: Asking<D>,
}

impl<D: Daemon> SaslPending<'_, D> {
    /// The exchange goes on: sends `challenge`. The client's next line, whatever it is, answers
    /// it; after [`Parameters::AUTH_MESSAGES_MAX`] messages there is no next one, and the exchange
    /// ends as one that is malformed.
    pub fn challenge(self, challenge: &Secret, output: &mut Vec<u8>) {
        let Asking { greeted, turns } = self.asking;
        if turns >= Parameters::AUTH_MESSAGES_MAX {
            let asking = Asking { greeted, turns };
            return Self { asking, ..self }.malformed(output);
        }
        // An empty challenge still has its space (RFC 4954 section 4).
        output.extend_from_slice(b"334 ");
        sasl::encode(challenge.expose(), output);
        output.extend_from_slice(b"\r\n");
        let mechanism = self.mechanism;
        self.session.resume(State::Authenticating(Authenticating { greeted, mechanism, turns }));
    }

    /// The client is who it says: the session is `login`'s from now on.
    pub fn accept(self, login: D::Login, output: &mut Vec<u8>) {
        let greeted = Greeted { hello: self.asking.greeted.hello, login: Some(login) };
        self.session.answer(Verb::Auth, &AUTH_OK, State::Greeted(greeted), output);
    }

    /// It is not ([`Reply::BAD_CREDENTIALS`]), or nobody can say ([`Reply::AUTH_UNAVAILABLE`]).
    pub fn refuse(self, reply: &Reply, output: &mut Vec<u8>) {
        let state = State::Greeted(self.asking.greeted);
        self.session.answer(Verb::Auth, &reply.refusing(), state, output);
    }

    /// The message is not what the mechanism asks for: the exchange is over. That is a bad
    /// command, and no failed login; after too many of them the session ends.
    pub fn malformed(self, output: &mut Vec<u8>) {
        let state = State::Greeted(self.asking.greeted);
        self.session.refused_blindly(CloseReason::BlindAuth);
        self.session.answer(Verb::Auth, &authenticate::MALFORMED, state, output);
    }
}

/// May TLS begin?
#[must_use]
pub struct StartTlsPending<'s, D: Daemon> {
    pub(crate) session: &'s mut Session<D>,
    pub(crate) before: State<D>,
}

impl<D: Daemon> StartTlsPending<'_, D> {
    /// It may: `output` must be sent, then the handshake follows. All that was known of the
    /// client is forgotten (RFC 3207 section 4.2), except that an AUTH failed. Then
    /// [`Session::offer`] tells which mechanisms there are; until it does, they are those of
    /// [`Mechanisms::under_tls`] that need nothing of the connection.
    pub fn accept(self, output: &mut Vec<u8>) {
        drop(self.before);
        self.session.begin_tls();
        self.session.answer(Verb::StartTls, &TLS_OK, State::Connected, output);
    }

    /// It cannot be had: [`Reply::TLS_UNAVAILABLE`].
    pub fn refuse(self, reply: &Reply, output: &mut Vec<u8>) {
        self.session.answer(Verb::StartTls, &reply.refusing(), self.before, output);
    }
}

/// Is this proxy to be believed?
#[must_use]
pub struct XclientPending<'s, D: Daemon> {
    pub(crate) session: &'s mut Session<D>,
    pub(crate) before: State<D>,
}

impl<D: Daemon> XclientPending<'_, D> {
    /// It is: the session begins anew, with a greeting and with what holds for the client that the
    /// proxy speaks for. Nothing of what was said before counts any more; whether the connection
    /// is under TLS stays.
    pub fn accept(self, parameters: Arc<Parameters>, mechanisms: Mechanisms, output: &mut Vec<u8>) {
        self.begin_anew(parameters, mechanisms, State::Connected, output);
    }

    /// The same, and the client is `login`'s, with whom it has authenticated at the proxy. It
    /// must introduce itself all the same.
    pub fn accept_login(
        self,
        parameters: Arc<Parameters>,
        mechanisms: Mechanisms,
        login: D::Login,
        output: &mut Vec<u8>,
    ) {
        self.begin_anew(parameters, mechanisms, State::Vouched(login), output);
    }

    /// It is not.
    pub fn refuse(self, reply: &Reply, output: &mut Vec<u8>) {
        self.session.answer(Verb::Xclient, &reply.refusing(), self.before, output);
    }

    fn begin_anew(
        self,
        parameters: Arc<Parameters>,
        mechanisms: Mechanisms,
        state: State<D>,
        output: &mut Vec<u8>,
    ) {
        drop(self.before);
        hello::write_greeting(&parameters, output);
        self.session.begin_anew(parameters, mechanisms, state);
    }
}

/// May this sender send?
#[must_use]
pub struct MailPending<'s, D: Daemon> {
    pub(crate) session: &'s mut Session<D>,
    pub(crate) greeted: Greeted<D>,
    pub(crate) coding: Coding,
    pub(crate) smtputf8: bool,
}

impl<D: Daemon> MailPending<'_, D> {
    /// How the client introduced itself.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.greeted.hello
    }

    /// Who has authenticated, if somebody has.
    #[must_use]
    pub fn login(&self) -> Option<&D::Login> {
        self.greeted.login.as_ref()
    }

    /// Whether an AUTH failed in this session, for whatever reason, and none succeeded since.
    #[must_use]
    pub fn failed_auth(&self) -> bool {
        self.session.failed_auth()
    }

    /// It may: a transaction with `envelope` begins.
    pub fn accept(self, envelope: D::Envelope, output: &mut Vec<u8>) {
        let Self { greeted, coding, smtputf8, .. } = self;
        let given = MailGiven { greeted, envelope, recipients: 0, coding, smtputf8 };
        self.session.answer(Verb::Mail, &MAIL_OK, State::MailGiven(given), output);
    }

    /// It may not.
    pub fn refuse(self, reply: &Reply, output: &mut Vec<u8>) {
        let state = State::Greeted(self.greeted);
        self.session.answer(Verb::Mail, &reply.refusing(), state, output);
    }
}

/// Is this recipient accepted?
#[must_use]
pub struct RecipientPending<'s, D: Daemon> {
    pub(crate) session: &'s mut Session<D>,
    pub(crate) given: MailGiven<D>,
}

impl<D: Daemon> RecipientPending<'_, D> {
    /// The transaction.
    pub fn envelope(&mut self) -> &mut D::Envelope {
        &mut self.given.envelope
    }

    /// Recipients accepted so far.
    #[must_use]
    pub fn recipients(&self) -> u32 {
        self.given.recipients
    }

    /// It is; the envelope holds it.
    pub fn accept(self, output: &mut Vec<u8>) {
        let recipients = self.given.recipients.saturating_add(1);
        let given = MailGiven { recipients, ..self.given };
        self.session.answer(Verb::Rcpt, &RECIPIENT_OK, State::MailGiven(given), output);
    }

    /// It is not.
    pub fn refuse(self, reply: &Reply, output: &mut Vec<u8>) {
        let state = State::MailGiven(self.given);
        self.session.answer(Verb::Rcpt, &reply.refusing(), state, output);
    }
}

/// May the message come?
#[must_use]
pub struct DataPending<'s, D: Daemon> {
    pub(crate) session: &'s mut Session<D>,
    pub(crate) given: MailGiven<D>,
    /// The first chunk, if the message comes in chunks.
    pub(crate) chunk: Option<Chunk>,
}

impl<D: Daemon> DataPending<'_, D> {
    /// The transaction.
    #[must_use]
    pub fn envelope(&self) -> &D::Envelope {
        &self.given.envelope
    }

    /// How the client introduced itself.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.given.greeted.hello
    }

    /// Whether it comes in chunks (`BDAT`, RFC 3030).
    #[must_use]
    pub const fn is_chunked(&self) -> bool {
        self.chunk.is_some()
    }

    /// It may: `begin` turns the envelope into a message.
    pub fn accept(self, begin: impl FnOnce(D::Envelope) -> D::Message, output: &mut Vec<u8>) {
        let MailGiven { greeted, envelope, coding, .. } = self.given;
        let message = begin(envelope);
        let parameters: &Parameters = self.session.parameters();
        let receiving = Receiving::new(greeted, message, (coding, self.chunk), parameters);
        if self.chunk.is_none() {
            output.extend_from_slice(START_DATA);
        }
        self.session.resume(State::Receiving(receiving));
    }

    /// It may not: the transaction is over.
    pub fn refuse(self, reply: &Reply, output: &mut Vec<u8>) {
        let state = State::Greeted(self.given.greeted);
        let reply = reply.refusing();
        match self.chunk {
            Some(chunk) => {
                self.session.resume(Skipping::state(chunk, reply.into_owned(), state));
            }
            None => {
                self.session.refused_blindly(CloseReason::BlindData);
                self.session.answer(Verb::Data, &reply, state, output);
            }
        }
    }
}

/// Is the message on disk?
#[must_use]
pub struct EndPending<'s, D: Daemon> {
    pub(crate) session: &'s mut Session<D>,
    pub(crate) greeted: Greeted<D>,
    pub(crate) octets: u64,
    /// Which command the message came with.
    pub(crate) verb: Verb,
}

impl<D: Daemon> EndPending<'_, D> {
    /// Octets of the message as it was handed over.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// It is, and this is what the log calls it: responsibility is ours now (RFC 5321 section
    /// 6.1).
    pub fn accept(self, queue_id: impl core::fmt::Display, output: &mut Vec<u8>) {
        let reply = Reply::new(250, "2.0.0", format!("Accepted, queued as {queue_id}"));
        self.accept_with(&reply, output);
    }

    /// The same, and the client need not know what the log calls it.
    pub fn accept_unnamed(self, output: &mut Vec<u8>) {
        self.accept_with(&Reply::fixed(250, "2.0.0", "Accepted"), output);
    }

    fn accept_with(self, reply: &Reply, output: &mut Vec<u8>) {
        self.session.accepted();
        self.session.answer(self.verb, reply, State::Greeted(self.greeted), output);
    }

    /// It is not, nor will it be.
    pub fn refuse(self, reply: &Reply, output: &mut Vec<u8>) {
        let state = State::Greeted(self.greeted);
        self.session.answer(self.verb, &reply.refusing(), state, output);
    }
}
