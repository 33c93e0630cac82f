//! A transaction between `MAIL` and `DATA`: by what right, and to whom.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use address::{AccountKey, Mailbox, ReversePath};
use auth::{Account, Attempt, Login, Moment, Permit, Refusal, Settlement};
use envelope::Coding;
use smtp_proto::server::Daemon;
use spool::{Recipient, Wishes};

use crate::filters::Slot;
use crate::house::Listening;
use crate::message::Message;

/// What the session's states hold. Boxed: a session idles far longer than it transacts.
pub(crate) struct Submission;

impl Daemon for Submission {
    type Login = Login;
    type Envelope = Box<Envelope>;
    type Message = Box<Message>;
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    /// Its port; 0 where a proxy did not tell.
    pub(crate) port: u16,
    pub(crate) genuine_address: bool,
    /// Version of TLS and cipher suite, by their registered names; `None` in clear.
    pub(crate) tls: Option<(&'static str, &'static str)>,
}

impl Client {
    /// For the log.
    pub(crate) fn tls_version(&self) -> &'static str {
        self.tls.map_or("none", |(version, _)| version)
    }
}

/// `MAIL` as it was accepted.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) sender: ReversePath,
    pub(crate) size: Option<u64>,
    /// What `BODY=` said.
    pub(crate) coding: Coding,
    /// Whether the client said `SMTPUTF8`.
    pub(crate) smtputf8: bool,
    /// What the sender asked about the delivery.
    pub(crate) wishes: Wishes,
    pub(crate) client: Client,
    pub(crate) helo: String,
    pub(crate) extended: bool,
    /// Whether somebody had authenticated.
    pub(crate) authenticated: bool,
    /// The master user who opened the account for it, if one did.
    pub(crate) acting: Option<AccountKey>,
    /// By which mechanism of SASL.
    pub(crate) mechanism: Option<&'static str>,
    pub(crate) failed_auth: bool,
    pub(crate) at: Moment,
    /// With the filters, once they were asked.
    pub(crate) conversation: Slot,
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
            tls: self.client.tls.is_some(),
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
    /// Why the message is to be held, if a check said so.
    pub(crate) hold: Option<String>,
}

/// By what right a message is taken.
#[derive(Debug)]
pub(crate) enum Right {
    /// An authority permitted it.
    Permitted(Permitted),
    /// It comes from elsewhere to mailboxes that are here.
    Inbound(Inbound),
}

impl Right {
    /// In whose name.
    pub(crate) fn account(&self) -> Option<&Arc<Account>> {
        match self {
            Self::Permitted(permitted) => Some(permitted.hold.permit().account()),
            Self::Inbound(_) => None,
        }
    }

    /// To whom, in order.
    pub(crate) fn recipients(&self) -> &[Recipient] {
        match self {
            Self::Permitted(permitted) => permitted.recipients.as_slice(),
            Self::Inbound(inbound) => inbound.recipients.as_slice(),
        }
    }
}

/// Recipients up to which looking each of them through is the quickest.
const FEW: usize = 16;

/// The recipients of a transaction: who is named twice gets one copy.
#[derive(Debug, Default)]
pub(crate) struct Recipients {
    list: Vec<Recipient>,
    /// Those of `list`, once they are many.
    known: HashSet<Mailbox>,
}

impl Recipients {
    /// Adds a recipient, unless it is there already; whether it was not.
    pub(crate) fn add(&mut self, recipient: Recipient) -> bool {
        if self.list.len() < FEW {
            if self.list.iter().any(|known| known.mailbox == recipient.mailbox) {
                return false;
            }
        } else {
            if self.known.is_empty() {
                self.known = self.list.iter().map(|known| known.mailbox.clone()).collect();
            }
            if !self.known.insert(recipient.mailbox.clone()) {
                return false;
            }
        }
        self.list.push(recipient);
        true
    }

    /// Takes a recipient out, and says where it stood.
    pub(crate) fn remove(&mut self, mailbox: &Mailbox) -> Option<usize> {
        let at = self.list.iter().position(|known| known.mailbox == *mailbox)?;
        self.list.remove(at);
        self.known.remove(mailbox);
        Some(at)
    }

    pub(crate) fn as_slice(&self) -> &[Recipient] {
        &self.list
    }

    pub(crate) fn into_list(self) -> Vec<Recipient> {
        self.list
    }
}

/// A transaction with a permit.
#[derive(Debug)]
pub(crate) struct Permitted {
    pub(crate) hold: Hold,
    pub(crate) recipients: Recipients,
}

impl Permitted {
    pub(crate) fn new(hold: Hold) -> Self {
        Self { hold, recipients: Recipients::default() }
    }

    /// Whether there is room for one more under the permit.
    pub(crate) fn has_room(&self) -> bool {
        let max = self.hold.permit().recipients_max();
        max.is_none_or(|max| self.recipients.list.len() < max as usize)
    }

    /// Adds a recipient, unless it is there already.
    pub(crate) fn add(&mut self, recipient: Recipient) {
        if self.recipients.add(recipient) {
            self.hold.recipients = self.hold.recipients.saturating_add(1);
        }
    }

    /// Takes a recipient out; whether it was there.
    pub(crate) fn remove(&mut self, mailbox: &Mailbox) -> bool {
        let removed = self.recipients.remove(mailbox).is_some();
        self.hold.recipients = self.hold.recipients.saturating_sub(removed.into());
        removed
    }
}

/// A transaction to local mailboxes alone.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    pub(crate) recipients: Recipients,
    /// Whose each recipient is.
    pub(crate) accounts: Vec<Arc<Account>>,
    /// What the chain said of the first recipient elsewhere.
    pub(crate) refusal: Option<Refusal>,
}

impl Inbound {
    /// Adds a recipient, which is `account`'s, unless it is there already.
    pub(crate) fn add(&mut self, recipient: Recipient, account: Arc<Account>) {
        if self.recipients.add(recipient) {
            self.accounts.push(account);
        }
    }

    /// Takes a recipient out; whether it was there.
    pub(crate) fn remove(&mut self, mailbox: &Mailbox) -> bool {
        let at = self.recipients.remove(mailbox);
        at.map(|at| self.accounts.remove(at)).is_some()
    }
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
