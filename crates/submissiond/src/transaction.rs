//! A transaction between `MAIL` and `DATA`: by what right, and to whom.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use address::{Mailbox, ReversePath};
use auth::{Attempt, Login, Moment, Permit, Refusal, Settlement};
use smtp_proto::server::Daemon;
use spool::{LocalRecipients, Recipient};

use crate::house::Listening;
use crate::message::Message;

/// What the session's states hold.
pub(crate) struct Submission;

impl Daemon for Submission {
    type Login = Login;
    type Envelope = Envelope;
    type Message = Message;
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    pub(crate) genuine_address: bool,
    pub(crate) tls: bool,
}

/// `MAIL` as it was accepted.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) sender: ReversePath,
    pub(crate) size: Option<u64>,
    pub(crate) eight_bit: bool,
    pub(crate) client: Client,
    pub(crate) helo: String,
    pub(crate) extended: bool,
    /// Whether somebody had authenticated.
    pub(crate) authenticated: bool,
    pub(crate) failed_auth: bool,
    pub(crate) at: Moment,
}

impl Mail {
    /// The same as an authority sees it, for a sender who has not authenticated.
    pub(crate) fn attempt<'a>(
        &'a self,
        listening: &'a Listening,
        login: Option<&'a Login>,
    ) -> Attempt<'a> {
        Attempt {
            client: self.client.address,
            genuine_address: self.client.genuine_address,
            login,
            failed_auth: self.failed_auth,
            sender: &self.sender,
            helo: &self.helo,
            extended: self.extended,
            tls: self.client.tls,
            listener: &listening.name,
            at: self.at,
        }
    }
}

/// A transaction.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) mail: Mail,
    pub(crate) right: Right,
}

/// By what right a message is taken.
#[derive(Debug)]
pub(crate) enum Right {
    /// An authority permitted it.
    Permitted(Permitted),
    /// It comes from elsewhere to mailboxes that are here.
    Inbound(Inbound),
}

/// A transaction with a permit.
#[derive(Debug)]
pub(crate) struct Permitted {
    pub(crate) hold: Hold,
    recipients: Vec<Recipient>,
    known: HashSet<Mailbox>,
}

impl Permitted {
    pub(crate) fn new(hold: Hold) -> Self {
        Self { hold, recipients: Vec::new(), known: HashSet::new() }
    }

    /// Whether there is room for one more under the permit.
    pub(crate) fn has_room(&self) -> bool {
        let max = self.hold.permit().recipients_max();
        max.is_none_or(|max| self.recipients.len() < max as usize)
    }

    /// Adds a recipient, unless it is there already: who is named twice gets one copy.
    pub(crate) fn add(&mut self, mailbox: Mailbox) {
        if self.known.insert(mailbox.clone()) {
            self.recipients.push(Recipient::new(mailbox));
            self.hold.recipients = self.hold.recipients.saturating_add(1);
        }
    }

    pub(crate) fn into_parts(self) -> (Hold, Vec<Recipient>) {
        (self.hold, self.recipients)
    }
}

/// A transaction to local mailboxes alone.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    pub(crate) recipients: LocalRecipients,
    pub(crate) known: HashSet<Mailbox>,
    /// What the chain said of the first recipient elsewhere.
    pub(crate) refusal: Option<Refusal>,
}

/// A permit, until it is settled: at the latest when it is dropped, and then as unused.
pub(crate) struct Hold {
    permit: Permit,
    listening: Arc<Listening>,
    recipients: u32,
    octets: u64,
    accepted: bool,
}

impl Hold {
    pub(crate) fn new(permit: Permit, listening: Arc<Listening>) -> Self {
        Self { permit, listening, recipients: 0, octets: 0, accepted: false }
    }

    pub(crate) fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The message of `octets` is on disk.
    pub(crate) fn accepted(mut self, octets: u64) {
        self.octets = octets;
        self.accepted = true;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Self { recipients, octets, accepted, .. } = *self;
        let settlement = Settlement { accepted, recipients, octets };
        self.listening.chain.settle(&self.permit, settlement);
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.permit.fmt(f)
    }
}
