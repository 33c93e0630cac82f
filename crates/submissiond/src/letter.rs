//! A message that has come in whole, until it lies in the queue.

use address::{ForwardPath, Mailbox, ReversePath};
use bytes::Bytes;
use dkim::Signing;
use envelope::Coding;
use jiff::Timestamp;
use smtp_proto::server::Reply;
use spool::{Draft, Recipient};

use crate::checks::{Charge, Refused};
use crate::fixup::Header;
use crate::house::{Listening, Place};
use crate::message;
use crate::rights::Rights;
use crate::trace::Token;
use crate::transaction::{Mail, Right};

const NOT_SIGNED: Refused = Refused { reply: Reply::LOCAL_ERROR, reason: "not-signed" };

/// A message that has come in whole: to whom, its header section as it will be stored, and its
/// body.
pub(crate) struct Letter {
    /// Names the transaction.
    pub(crate) token: Token,
    /// In the place of the sender that `MAIL` named.
    sender: Option<ReversePath>,
    /// By what right, and to whom.
    pub(crate) right: Right,
    /// The header section as it will be stored, unless it is signed.
    pub(crate) header: Header,
    /// The body.
    pub(crate) draft: Draft,
    body_is_ascii: bool,
    signing: Option<Box<Signing>>,
    /// What stands only if the message is stored.
    pub(crate) charges: Vec<Box<dyn Charge>>,
}

/// A body that came in whole.
pub(crate) struct Body {
    pub(crate) draft: Draft,
    pub(crate) is_ascii: bool,
    /// It is to be signed, and went through this.
    pub(crate) signing: Option<Box<Signing>>,
}

impl Letter {
    pub(crate) fn new(token: Token, right: Right, header: Header, body: Body) -> Self {
        let Body { draft, is_ascii, signing } = body;
        Self {
            token,
            sender: None,
            right,
            header,
            draft,
            body_is_ascii: is_ascii,
            signing,
            charges: Vec::new(),
        }
    }

    /// The envelope's sender.
    pub(crate) fn sender<'a>(&'a self, mail: &'a Mail) -> &'a ReversePath {
        self.sender.as_ref().unwrap_or(&mail.sender)
    }

    /// Changes the envelope's sender to nobody, or to one that the account may send as; whether
    /// it was changed.
    pub(crate) fn set_sender(&mut self, sender: ReversePath) -> bool {
        let allowed = match (&self.right, &sender) {
            (_, ReversePath::Unqualified(_)) => false,
            (_, ReversePath::Null) | (Right::Inbound(_), ReversePath::Mailbox(_)) => true,
            (Right::Permitted(permitted), ReversePath::Mailbox(mailbox)) => {
                permitted.hold.permit().may_send_as(mailbox)
            }
        };
        if allowed {
            self.sender = Some(sender);
        }
        allowed
    }

    /// Adds a recipient: anybody to a message that was permitted, a mailbox that is here to one
    /// that comes from elsewhere. Whether it may be added.
    pub(crate) async fn add_recipient(&mut self, listening: &Listening, mailbox: Mailbox) -> bool {
        let place = listening.house.place(ForwardPath::Mailbox(mailbox)).await;
        match (&mut self.right, place) {
            (_, Place::Nowhere | Place::Unqualified | Place::Undecided)
            | (Right::Inbound(_), Place::Elsewhere(_)) => {
                return false;
            }
            (Right::Permitted(permitted), Place::Local(mailbox, _) | Place::Elsewhere(mailbox)) => {
                permitted.add(Recipient::new(mailbox));
            }
            (Right::Inbound(inbound), Place::Local(mailbox, account)) => {
                inbound.add(Recipient::new(mailbox), account);
            }
        }
        true
    }

    /// Takes a recipient out; whether it was there.
    pub(crate) fn remove_recipient(&mut self, mailbox: &Mailbox) -> bool {
        match &mut self.right {
            Right::Permitted(permitted) => permitted.remove(mailbox),
            Right::Inbound(inbound) => inbound.remove(mailbox),
        }
    }

    /// Octets of the message as it will be stored, before it is signed.
    pub(crate) fn octets(&self) -> u64 {
        self.draft.octets() + self.header.octets.len() as u64 + 2
    }

    /// What octets it holds: what the client said, unless that was too little.
    pub(crate) fn coding(&self, mail: &Mail) -> Coding {
        match (mail.coding, self.header.is_ascii && self.body_is_ascii) {
            (Coding::SevenBit, false) => Coding::EightBit,
            (coding, _) => coding,
        }
    }

    /// Whether it can go only where SMTPUTF8 is spoken. Clients that say `SMTPUTF8` with each
    /// message must not lose those that any server could take (RFC 6531 section 3.4: what needs
    /// it are addresses and header fields).
    pub(crate) fn needs_smtputf8(&self, mail: &Mail) -> bool {
        let beyond_ascii = || {
            !self.sender(mail).is_ascii()
                || self.right.recipients().iter().any(|r| !r.mailbox.is_ascii())
        };
        mail.smtputf8 && (!self.header.is_ascii || beyond_ascii())
    }

    /// Signs, and puts the header section before the body; nothing can be changed afterwards.
    ///
    /// # Errors
    /// If it cannot be signed: it must not go out unsigned where signatures are asked for.
    pub(crate) fn seal(&mut self, at: Timestamp) -> Result<(), Refused> {
        let mut head = match self.signing.take() {
            None => std::mem::take(&mut self.header.octets),
            Some(signing) => {
                let signed = signing.finish(&self.header.octets, at);
                let mut head = signed.map_err(|error| {
                    tracing::error!(target: "lastpost::submission", %error, "not signed");
                    NOT_SIGNED
                })?;
                head.extend_from_slice(&self.header.octets);
                head
            }
        };
        head.extend_from_slice(b"\r\n");
        self.draft.set_head(head);
        Ok(())
    }

    /// The header section as filters see it: without our own `Received`.
    pub(crate) fn section(&self) -> &[u8] {
        self.header.octets.get(self.header.received..).unwrap_or_default()
    }

    /// Puts another header section (whole fields with their line ends), another body (lines with
    /// CRLF), or both in the place of what is there.
    ///
    /// # Errors
    /// As [`replace_body`](Self::replace_body); or if the body cannot be read again, which
    /// another author's signature takes.
    pub(crate) async fn replace(
        &mut self,
        listening: &Listening,
        mail: &Mail,
        section: Option<&[u8]>,
        body: Option<&[Bytes]>,
    ) -> Result<(), Refused> {
        let author = self.header.from_domain.clone();
        if let Some(section) = section {
            let rights = match &self.right {
                Right::Permitted(permitted) => Some(Rights::of(permitted.hold.permit())),
                Right::Inbound(_) => None,
            };
            let options = &listening.house.header;
            self.header.replace(section, rights.as_ref(), mail.smtputf8, options);
        }
        match body {
            Some(body) => self.replace_body(listening, body).await,
            None if self.header.from_domain != author => self.sign_anew(listening).await,
            None => Ok(()),
        }
    }

    /// Begins the signature again, for another author.
    async fn sign_anew(&mut self, listening: &Listening) -> Result<(), Refused> {
        self.signing = begin_signing(listening, &self.right, &self.header);
        let Some(signing) = &mut self.signing else { return Ok(()) };
        let mut body = self.draft.reader();
        while let Some(block) = body.next().await.map_err(|error| {
            tracing::error!(target: "lastpost::submission", %error, "not signed");
            NOT_SIGNED
        })? {
            signing.body(&block);
        }
        Ok(())
    }

    /// Puts other octets in the place of the body.
    ///
    /// # Errors
    /// If the spool does not take them; then the message must be refused, for the body that it
    /// had must not go out.
    async fn replace_body(&mut self, listening: &Listening, body: &[Bytes]) -> Result<(), Refused> {
        let octets = body.iter().map(|chunk| chunk.len() as u64).sum();
        let mut draft = listening.house.spool.draft_sized(octets).map_err(message::not_stored)?;
        self.body_is_ascii = true;
        let mut signing = begin_signing(listening, &self.right, &self.header);
        for chunk in body {
            if let Some(signing) = &mut signing {
                signing.body(chunk);
            }
            self.body_is_ascii &= chunk.is_ascii();
            draft.write(chunk).await.map_err(message::not_stored)?;
        }
        (self.draft, self.signing) = (draft, signing);
        Ok(())
    }
}

/// Begins to sign a message with this header, if there is a key for its author's domain. What
/// comes from elsewhere is not ours to sign.
pub(crate) fn begin_signing(
    listening: &Listening,
    right: &Right,
    header: &Header,
) -> Option<Box<Signing>> {
    let Right::Permitted(_) = right else { return None };
    let signer = listening.house.signer.as_ref()?;
    header.from_domain.as_ref().and_then(|domain| signer.begin(domain)).map(Box::new)
}
