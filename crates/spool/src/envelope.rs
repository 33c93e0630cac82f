//! What is queued beside the text: the envelope, where it came from, and the two ways into
//! the queue that need no permit.

use std::net::IpAddr;
use std::sync::Arc;

use address::{AccountKey, Mailbox, ReversePath};
use auth::Account;
use bytes::Bytes;
use envelope::{ByMode, Coding, EnvelopeId, Notify, OriginalRecipient, Ret};
use jiff::Timestamp;

/// Recipients of one message, at most.
pub const RECIPIENTS_MAX: usize = 10_000;

/// One recipient of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The address from `RCPT TO`.
    pub mailbox: Mailbox,
    /// `NOTIFY=` (RFC 3461): when the sender wants to hear of this recipient.
    pub notify: Notify,
    /// `ORCPT=` (RFC 3461): the recipient as the sender first named him.
    pub original: Option<OriginalRecipient>,
}

impl Recipient {
    /// A recipient without further wishes.
    #[must_use]
    pub fn new(mailbox: Mailbox) -> Self {
        Self { mailbox, notify: Notify::UNSAID, original: None }
    }
}

impl From<Mailbox> for Recipient {
    fn from(mailbox: Mailbox) -> Self {
        Self::new(mailbox)
    }
}

/// What the sender asked about the delivery of the whole message, beside its addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `RET=` (RFC 3461): how much of the message a report of a failure is to hold.
    pub ret: Option<Ret>,
    /// `ENVID=` (RFC 3461): the sender's name for the transmission.
    pub envid: Option<EnvelopeId>,
    /// `HOLDFOR=` or `HOLDUNTIL=` (RFC 4865): not to be sent before this.
    pub hold_until: Option<Timestamp>,
    /// `BY=` (RFC 2852).
    pub deliver_by: Option<DeliverBy>,
    /// `REQUIRETLS` (RFC 8689): never to cross a link without verified TLS.
    pub require_tls: bool,
    /// `TLS-Required: no` in the header (RFC 8689 section 5): where no wish of the recipient's
    /// domain can be met, it may go without TLS.
    pub tls_optional: bool,
    /// `AUTH=` (RFC 4954 section 5): who submitted the message, where that was to be believed.
    pub submitter: Option<Mailbox>,
}

/// `BY=` (RFC 2852): when the message must have been delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliverBy {
    /// The moment.
    pub at: Timestamp,
    /// What to do when it has passed.
    pub mode: ByMode,
    /// `T`: each hop that it is handed to is to be reported.
    pub trace: bool,
}

/// The envelope of a message (RFC 5321 section 2.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// `MAIL FROM`.
    pub sender: ReversePath,
    /// `RCPT TO`, in order; an outcome names a recipient by its index here. 1 to
    /// [`RECIPIENTS_MAX`].
    pub recipients: Vec<Recipient>,
    /// `MAIL FROM … SMTPUTF8` (RFC 6531).
    pub smtputf8: bool,
    /// What octets the text holds: what `BODY=` said (RFC 6152, RFC 3030), or what was seen.
    pub coding: Coding,
    /// What the sender asked about the delivery.
    pub wishes: Wishes,
    /// When `MAIL` came (wall clock; stored in milliseconds).
    pub received_at: Timestamp,
}

/// How a message came into the queue. Stored with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A customer sent it, with a permit.
    Submitted {
        /// The account in whose name.
        account: AccountKey,
        /// Name of the authority that allowed it.
        authority: Box<str>,
        /// The client's address.
        client: IpAddr,
    },
    /// It came from outside for local recipients; it must never be relayed, even if an
    /// account has gone since.
    Inbound {
        /// The client's address.
        client: IpAddr,
    },
    /// We made it: a report about another message. No report is ever sent about it.
    Report,
}

/// Recipients that are local, each with its account as proof: what a listener may take
/// without a permit, for it cannot relay.
#[derive(Clone, Debug, Default)]
pub struct LocalRecipients {
    recipients: Vec<Recipient>,
}

/// The account given as proof does not own the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address does not belong to the account")]
pub struct NotLocal;

impl LocalRecipients {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `recipient`, which `account` must own.
    ///
    /// # Errors
    /// If the account does not own the address; then nothing is added.
    pub fn push(&mut self, recipient: Recipient, account: &Arc<Account>) -> Result<(), NotLocal> {
        if !account.owns(&recipient.mailbox) {
            return Err(NotLocal);
        }
        self.recipients.push(recipient);
        Ok(())
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.recipients.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.recipients.is_empty()
    }

    /// In order.
    #[must_use]
    pub fn as_slice(&self) -> &[Recipient] {
        &self.recipients
    }
}

/// The envelope of a message from outside to local recipients.
#[derive(Clone, Debug)]
pub struct InboundEnvelope {
    /// `MAIL FROM`.
    pub sender: ReversePath,
    /// `RCPT TO`, each proved local.
    pub recipients: LocalRecipients,
    /// As [`Envelope::smtputf8`].
    pub smtputf8: bool,
    /// As [`Envelope::coding`].
    pub coding: Coding,
    /// As [`Envelope::wishes`].
    pub wishes: Wishes,
    /// The client's address.
    pub client: IpAddr,
    /// When `MAIL` came.
    pub received_at: Timestamp,
}

impl InboundEnvelope {
    pub(crate) fn split(self) -> (Envelope, Origin) {
        let envelope = Envelope {
            sender: self.sender,
            recipients: self.recipients.recipients,
            smtputf8: self.smtputf8,
            coding: self.coding,
            wishes: self.wishes,
            received_at: self.received_at,
        };
        (envelope, Origin::Inbound { client: self.client })
    }
}

/// A report we send ourselves: null sender, no permit, never a cause of another report.
#[derive(Clone, Debug)]
pub struct Report {
    /// To whom.
    pub recipients: Vec<Mailbox>,
    /// The whole message, header included, canonical CRLF.
    pub body: Bytes,
    /// Whether its header or addresses need SMTPUTF8.
    pub smtputf8: bool,
    /// Whether it holds octets above 127.
    pub eight_bit: bool,
    /// It is about a message with REQUIRETLS, and so is bound by it too (RFC 8689 section 5).
    pub require_tls: bool,
    /// When it was made.
    pub at: Timestamp,
}

impl Report {
    pub(crate) fn split(self) -> (Envelope, Bytes) {
        let envelope = Envelope {
            sender: ReversePath::Null,
            recipients: self.recipients.into_iter().map(Recipient::new).collect(),
            smtputf8: self.smtputf8,
            coding: if self.eight_bit { Coding::EightBit } else { Coding::SevenBit },
            wishes: Wishes { require_tls: self.require_tls, ..Wishes::default() },
            received_at: self.at,
        };
        (envelope, self.body)
    }
}
