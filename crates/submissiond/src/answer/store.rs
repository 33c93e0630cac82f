//! From a whole message to the queue: checked, signed, stored.

use std::time::Duration;

use address::AccountKey;
use envelope::Coding;
use spool::{Draft, InboundEnvelope, IntakeError, LocalRecipients, QueueId, Wishes};

use crate::checks::{Refused, Step};
use crate::house::Listening;
use crate::letter::Letter;
use crate::message::not_stored;
use crate::transaction::{Inbound, Mail, Permitted, Right};

/// RFC 6409 lets a client expect every answer within two minutes; a disk that hangs for
/// longer must not hang the sessions. The message may be queued all the same: the client sends it
/// again and it arrives twice, which is better than never.
const STORE_TIMEOUT: Duration = Duration::from_secs(110);

/// A message on disk.
pub(crate) struct Stored {
    pub(crate) id: QueueId,
    pub(crate) octets: u64,
    pub(crate) coding: Coding,
    pub(crate) recipients: usize,
    /// In whose name; nobody's if it came from elsewhere.
    pub(crate) account: Option<AccountKey>,
    pub(crate) authority: &'static str,
    /// Why it is held, if it is.
    pub(crate) held: Option<String>,
}

/// What became of a message that was not refused.
pub(crate) enum Outcome {
    Stored(Stored),
    /// A check wants it to vanish.
    Discarded(&'static str),
}

/// Asks the checks and puts the message into the spool; resolves when it is on disk.
pub(crate) async fn take_in(
    listening: &Listening,
    mail: &Mail,
    mut letter: Letter,
    hold: Option<String>,
) -> Result<Outcome, Refused> {
    let account = letter.right.account().cloned();
    let step = Step { listening, mail, account: account.as_ref() };
    let passed = listening.checks.message(step, &mut letter).await?;
    let hold = hold.or(passed.hold);
    if let Some(reason) = passed.discard {
        return Ok(Outcome::Discarded(reason));
    }
    if letter.right.recipients().is_empty() {
        return Ok(Outcome::Discarded("no-recipients-left"));
    }
    store(listening, mail, letter, hold).await.map(Outcome::Stored)
}

async fn store(
    listening: &Listening,
    mail: &Mail,
    mut letter: Letter,
    hold: Option<String>,
) -> Result<Stored, Refused> {
    let (coding, smtputf8) = (letter.coding(mail), letter.needs_smtputf8(mail));
    // RFC 8689 section 5: the option of MAIL overrides the field.
    let tls_optional = letter.header.tls_optional && !mail.wishes.require_tls;
    let wishes = Wishes { tls_optional, ..mail.wishes.clone() };
    let sender = letter.sender(mail).clone();
    letter.seal(mail.at.wall)?;
    let Letter { right, draft, charges, .. } = letter;
    let stored = match right {
        Right::Permitted(permitted) => {
            let envelope = spool::Envelope {
                sender,
                recipients: Vec::new(),
                smtputf8,
                coding,
                wishes,
                received_at: mail.at.wall,
            };
            submit(listening, permitted, envelope, draft, hold).await?
        }
        Right::Inbound(inbound) => {
            let envelope = InboundEnvelope {
                sender,
                recipients: LocalRecipients::new(),
                smtputf8,
                coding,
                wishes,
                client: mail.client.address,
                received_at: mail.at.wall,
            };
            receive(listening, inbound, envelope, draft, hold).await?
        }
    };
    for charge in charges {
        charge.keep();
    }
    Ok(stored)
}

/// The door of those who have a permit.
async fn submit(
    listening: &Listening,
    permitted: Permitted,
    mut envelope: spool::Envelope,
    draft: Draft,
    held: Option<String>,
) -> Result<Stored, Refused> {
    let spool = &listening.house.spool;
    let Permitted { hold, recipients } = permitted;
    envelope.recipients = recipients.into_list();
    let (count, octets, coding) = (envelope.recipients.len(), draft.octets(), envelope.coding);
    let permit = hold.permit();
    let id = match &held {
        None => in_time(spool.intake(permit, envelope, draft)).await?,
        Some(reason) => in_time(spool.intake_for_review(permit, envelope, draft, reason)).await?,
    };
    let (account, authority) = (Some(permit.account().key().clone()), permit.authority());
    hold.accepted(octets);
    Ok(Stored { id, octets, coding, recipients: count, account, authority, held })
}

/// The door of mail from elsewhere to mailboxes that are here.
async fn receive(
    listening: &Listening,
    inbound: Inbound,
    mut envelope: InboundEnvelope,
    draft: Draft,
    held: Option<String>,
) -> Result<Stored, Refused> {
    let spool = &listening.house.spool;
    let Inbound { recipients, accounts, .. } = inbound;
    for (recipient, account) in recipients.into_list().into_iter().zip(&accounts) {
        // An account that lost the address since has lost the mail to it too.
        if envelope.recipients.push(recipient, account).is_err() {
            return Err(not_stored(IntakeError::NotPermitted));
        }
    }
    let (count, octets, coding) = (envelope.recipients.len(), draft.octets(), envelope.coding);
    let id = match &held {
        None => in_time(spool.inbound(envelope, draft)).await?,
        Some(reason) => in_time(spool.inbound_for_review(envelope, draft, reason)).await?,
    };
    let (account, authority) = (None, "inbound");
    Ok(Stored { id, octets, coding, recipients: count, account, authority, held })
}

async fn in_time(
    storing: impl Future<Output = Result<QueueId, IntakeError>>,
) -> Result<QueueId, Refused> {
    let stored = tokio::time::timeout(STORE_TIMEOUT, storing).await;
    stored.unwrap_or(Err(IntakeError::Failed)).map_err(not_stored)
}
