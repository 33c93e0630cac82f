//! The submission session.
//!
//! [`Session::next`] takes bytes and gives an [`Action`]. Whatever needs knowledge of accounts,
//! disks or time is a question with a token; only an answer by the token writes the reply, so
//! `250` before the message is durable, or a transaction without a permit, cannot be spelled.
//! What the daemon keeps for a state ([`Daemon`]) lives in the state and is dropped with it.

mod action;
mod authenticate;
mod chunk;
mod command;
mod counts;
mod data;
mod datetime;
mod dispatch;
mod extensions;
mod hello;
mod parameters;
mod path;
mod pending;
mod quirk;
mod reply;
mod request;
mod sasl_message;
mod session;
mod state;
mod tally;
mod verify;
mod wish;
mod xclient;

pub use action::{Action, Step};
pub use command::Verb;
pub use counts::Counts;
pub use data::{Body, Flaw};
pub use extensions::Extensions;
pub use parameters::Parameters;
pub use pending::{
    DataPending, EndPending, MailPending, RecipientPending, SaslPending, StartTlsPending,
    XclientPending,
};
pub use reply::Reply;
pub use request::{MailRequest, RecipientRequest};
pub use sasl_message::{Mechanisms, SaslMessage};
pub use session::Session;
pub use state::{Daemon, Hello};
pub use tally::CloseReason;
pub use textproto::LoneLf;
pub use wish::{By, Hold, Submitter};
pub use xclient::{Attribute, XclientFacts, XclientProtocol};
