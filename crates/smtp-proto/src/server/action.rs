//! What the session asks of the daemon.

use alloc::boxed::Box;

use super::chunk::Chunk;
use super::data::{Body, Flaw, Receiving};
use super::pending::{
    DataPending, EndPending, MailPending, RecipientPending, SaslPending, StartTlsPending,
    XclientPending,
};
use super::request::{MailRequest, RecipientRequest};
use super::sasl_message::SaslMessage;
use super::state::{Asking, Daemon, Greeted, MailGiven, State};
use super::tally::CloseReason;
use super::xclient::XclientFacts;

/// What the daemon must do next.
#[must_use]
pub enum Action<'s, D: Daemon> {
    /// Send the output, then read: the session waits for more input.
    More,
    /// Carry the exchange of `AUTH` on, then answer.
    Sasl(SaslMessage, SaslPending<'s, D>),
    /// Answer, send the output, throw away whatever is still unread, shake hands.
    StartTls(StartTlsPending<'s, D>),
    /// A proxy speaks: find out what holds for its client, then answer.
    Xclient(Box<XclientFacts>, XclientPending<'s, D>),
    /// Rule on a sender.
    Mail(MailRequest, MailPending<'s, D>),
    /// Rule on a recipient.
    Recipient(RecipientRequest, RecipientPending<'s, D>),
    /// Make room for a message, which comes with `DATA` or `BDAT`.
    Data(DataPending<'s, D>),
    /// Take mail data from the input and store it.
    Body(Body<'s, D>),
    /// All of the message was handed over: make it durable, then answer.
    EndOfData(D::Message, EndPending<'s, D>),
    /// The message was refused at its end for this flaw; the reply is written.
    Rejected(D::Message, Flaw),
    /// Send the output and close the connection.
    Close(CloseReason),
}

/// An action, and how much of the input led to it.
#[must_use]
pub struct Step<'s, D: Daemon> {
    /// Octets to take off the head of the input, before the action is carried out.
    pub consumed: usize,
    /// The action.
    pub action: Action<'s, D>,
}

/// What a line led to, with the state that the question takes along.
pub(crate) enum Event<D: Daemon> {
    /// Nothing that needs the daemon.
    Next,
    More,
    Sasl(SaslMessage, Asking<D>),
    StartTls(State<D>),
    Xclient(Box<XclientFacts>, State<D>),
    Mail(MailRequest, Greeted<D>),
    Recipient(RecipientRequest, MailGiven<D>),
    Data(MailGiven<D>, Option<Chunk>),
    Body,
    Ended(Receiving<D>),
    Rejected(D::Message, Flaw),
    Close(CloseReason),
}
