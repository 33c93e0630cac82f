//! The answer to `RCPT`.

use std::sync::Arc;

use address::Mailbox;
use envelope::{Notify, OriginalRecipient};
use smtp_proto::server::{RecipientPending, RecipientRequest, Reply};
use spool::Recipient;

use super::{permit, refused};
use crate::checks::{Refused, Step};
use crate::house::{Listening, Place};
use crate::log;
use crate::transaction::{Envelope, Hold, Inbound, Mail, Permitted, Right, Submission};
use crate::visitor::Visitor;

const NO_SUCH_MAILBOX: Refused = Refused {
    reply: Reply::fixed(550, "5.1.1", "No such mailbox here"),
    reason: "no-such-mailbox",
};
const UNQUALIFIED: Refused = Refused { reply: Reply::UNQUALIFIED, reason: "unqualified-recipient" };
pub(super) const UNDECIDED: Refused = Refused {
    reply: Reply::fixed(451, "4.3.0", "Accounts cannot be looked up at the moment: try again"),
    reason: "accounts-unavailable",
};
const SEPARATELY: Refused = Refused {
    reply: Reply::fixed(
        452,
        "4.5.3",
        "Send the message to recipients elsewhere separately from those here",
    ),
    reason: "local-and-elsewhere",
};
const TOO_MANY: Refused =
    Refused { reply: Reply::TOO_MANY_RECIPIENTS, reason: "too-many-recipients" };

/// `RCPT`.
pub(crate) async fn recipient(
    listening: &Arc<Listening>,
    visitor: &mut Visitor,
    request: RecipientRequest,
    mut pending: RecipientPending<'_, Submission>,
    output: &mut Vec<u8>,
) {
    let shown = request.path.clone();
    match add_recipient(listening, visitor, pending.envelope(), request).await {
        Ok(()) => pending.accept(output),
        Err(refused) => {
            listening.house.counters.recipients_refused.add(1);
            log::recipient_refused(listening, visitor, pending.envelope(), &shown, &refused);
            pending.refuse(&listening.house.worded(refused.reply), output);
        }
    }
}

async fn add_recipient(
    listening: &Arc<Listening>,
    visitor: &mut Visitor,
    envelope: &mut Envelope,
    request: RecipientRequest,
) -> Result<(), Refused> {
    let RecipientRequest { path, notify, original } = request;
    let place = listening.house.place(path).await;
    let Envelope { mail, right, hold } = envelope;
    let account = match &*right {
        Right::Permitted(permitted) => Some(Arc::clone(permitted.hold.permit().account())),
        Right::Inbound(_) => None,
    };
    let step = Step { listening, mail, account: account.as_ref() };
    let mailbox = match &place {
        Place::Nowhere => {
            listening.checks.recipient_unknown(step);
            return Err(NO_SUCH_MAILBOX);
        }
        Place::Unqualified => return Err(UNQUALIFIED),
        Place::Undecided => return Err(UNDECIDED),
        Place::Local(mailbox, _) | Place::Elsewhere(mailbox) => mailbox,
    };
    if let Right::Permitted(permitted) = &*right
        && !permitted.has_room()
    {
        return Err(TOO_MANY);
    }
    let so_far = u32::try_from(right.recipients().len()).unwrap_or(u32::MAX);
    let passed = listening.checks.recipient(step, mailbox, so_far).await?;
    if hold.is_none() {
        *hold = passed.hold;
    }
    add(listening, visitor, mail, right, place, Report { notify, original }).await
}

/// What the sender wants to hear of a recipient.
struct Report {
    notify: Notify,
    original: Option<OriginalRecipient>,
}

impl Report {
    fn of(self, mailbox: Mailbox) -> Recipient {
        Recipient { mailbox, notify: self.notify, original: self.original }
    }
}

async fn add(
    listening: &Arc<Listening>,
    visitor: &mut Visitor,
    mail: &Mail,
    right: &mut Right,
    place: Place,
    report: Report,
) -> Result<(), Refused> {
    match (&mut *right, place) {
        (_, Place::Nowhere) => return Err(NO_SUCH_MAILBOX),
        (_, Place::Unqualified) => return Err(UNQUALIFIED),
        (_, Place::Undecided) => return Err(UNDECIDED),
        (Right::Permitted(permitted), Place::Local(mailbox, _) | Place::Elsewhere(mailbox)) => {
            permitted.add(report.of(mailbox));
        }
        (Right::Inbound(inbound), Place::Local(mailbox, account)) => {
            inbound.add(report.of(mailbox), account);
        }
        (Right::Inbound(inbound), Place::Elsewhere(mailbox)) => {
            let hold = ask_once(listening, visitor, mail, inbound).await?;
            if !inbound.recipients.as_slice().is_empty() {
                return Err(SEPARATELY);
            }
            let mut permitted = Permitted::new(hold);
            if !permitted.has_room() {
                return Err(TOO_MANY);
            }
            permitted.add(report.of(mailbox));
            *right = Right::Permitted(permitted);
        }
    }
    Ok(())
}

/// What the chain says of mail that came in for us and wants to go on: asked at the first such
/// recipient, remembered if it is no.
async fn ask_once(
    listening: &Arc<Listening>,
    visitor: &mut Visitor,
    mail: &Mail,
    inbound: &mut Inbound,
) -> Result<Hold, Refused> {
    if let Some(refusal) = &inbound.refusal {
        return Err(refused(refusal));
    }
    match permit(listening, visitor, mail, None).await {
        Ok(permit) => Ok(Hold::new(permit, Arc::clone(listening))),
        Err(refusal) => {
            let answer = refused(&refusal);
            inbound.refusal = Some(refusal);
            Err(answer)
        }
    }
}
