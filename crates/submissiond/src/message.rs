//! A message while it comes in: its header section is held back until it is whole and judged,
//! its body streams into the spool.

use smtp_proto::server::Reply;
use spool::{Draft, IntakeError};

use crate::fixup;
use crate::header;
use crate::trace::{Carriage, Token, Trace};
use crate::transaction::{Envelope, Right};

/// The largest header section.
const HEADER_OCTETS_MAX: usize = 256 * 1024;

const HEADER_TOO_LARGE: Reply =
    Reply::fixed(552, "5.3.4", "The message's header is larger than this server takes");

/// A message from `DATA` to its end.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) envelope: Envelope,
    pub(crate) token: Token,
    store: Store,
    ascii: bool,
}

#[derive(Debug)]
enum Store {
    /// What came so far, without a blank line in it.
    Header(Draft, Vec<u8>),
    Body(Draft),
    /// What comes is dropped, and the end is answered with this.
    Refused(Reply),
}

impl Message {
    pub(crate) fn new(envelope: Envelope, token: Token, draft: Draft) -> Self {
        Self { envelope, token, store: Store::Header(draft, Vec::new()), ascii: true }
    }

    /// Whether the message holds octets above 127, or the client said that it would.
    pub(crate) fn is_eight_bit(&self) -> bool {
        !self.ascii || self.envelope.mail.eight_bit
    }

    /// Takes the next octets, which have CRLF line ends.
    pub(crate) async fn take(&mut self, block: &[u8], host: &str) {
        self.ascii &= block.is_ascii();
        let store = std::mem::replace(&mut self.store, Store::Refused(Reply::LOCAL_ERROR));
        self.store = match self.next(store, block, host).await {
            Ok(store) => store,
            Err(reply) => Store::Refused(reply),
        };
    }

    /// The end has come: the text, or why there is none.
    pub(crate) async fn finish(self, host: &str) -> (Envelope, Result<Draft, Reply>) {
        let outcome = match self.store {
            Store::Refused(reply) => Err(reply),
            Store::Body(draft) => Ok(draft),
            // A message that ends within its header.
            Store::Header(mut draft, section) => {
                match judge(&self.envelope, self.token, &section, host) {
                    Ok(header) => draft.write(&header).await.map_err(refusal).map(|()| draft),
                    Err(reply) => Err(reply),
                }
            }
        };
        (self.envelope, outcome)
    }

    async fn next(&self, store: Store, block: &[u8], host: &str) -> Result<Store, Reply> {
        match store {
            Store::Refused(reply) => Err(reply),
            Store::Body(mut draft) => {
                draft.write(block).await.map_err(refusal)?;
                Ok(Store::Body(draft))
            }
            Store::Header(mut draft, mut octets) => {
                let scanned = octets.len();
                octets.extend_from_slice(block);
                let Some(split) = header::split(&octets, scanned) else {
                    if octets.len() > HEADER_OCTETS_MAX {
                        return Err(HEADER_TOO_LARGE);
                    }
                    return Ok(Store::Header(draft, octets));
                };
                if split.section > HEADER_OCTETS_MAX {
                    return Err(HEADER_TOO_LARGE);
                }
                let section = octets.get(..split.section).unwrap_or_default();
                let header = judge(&self.envelope, self.token, section, host)?;
                draft.write(&header).await.map_err(refusal)?;
                let body = octets.get(split.body..).unwrap_or_default();
                draft.write(body).await.map_err(refusal)?;
                Ok(Store::Body(draft))
            }
        }
    }
}

fn judge(envelope: &Envelope, token: Token, section: &[u8], host: &str) -> Result<Vec<u8>, Reply> {
    let mail = &envelope.mail;
    let carriage = Carriage {
        extended: mail.extended,
        tls: mail.client.tls,
        authenticated: mail.authenticated,
    };
    let trace = Trace {
        host,
        helo: &mail.helo,
        client: mail.client.address,
        carriage,
        token,
        at: mail.at.wall,
    };
    match &envelope.right {
        Right::Permitted(permitted) => {
            let permit = permitted.hold.permit();
            fixup::submitted(section, &trace, &|address| permit.may_send_as(address))
        }
        Right::Inbound(_) => fixup::received(section, &trace),
    }
}

/// What the client is told when the spool does not take a message.
pub(crate) fn refusal(error: IntakeError) -> Reply {
    match error {
        IntakeError::Full => Reply::STORAGE_FULL,
        IntakeError::Failed => Reply::LOCAL_ERROR,
        IntakeError::TooLarge => Reply::MESSAGE_TOO_LARGE,
        IntakeError::NoRecipients => Reply::fixed(554, "5.5.1", "No valid recipients"),
        IntakeError::TooManyRecipients => Reply::TOO_MANY_RECIPIENTS,
        IntakeError::NotPermitted => {
            Reply::fixed(550, "5.7.1", "The account may not send as this sender")
        }
    }
}
