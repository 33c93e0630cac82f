//! The answer to `MAIL`.

use std::sync::Arc;

use address::{Mailbox, ReversePath};
use auth::Login;
use smtp_proto::server::{MailPending, MailRequest, Reply, Submitter};
use spool::Wishes;

use super::{permit, refused, wishes};
use crate::checks::{Refused, Step};
use crate::filters::Slot;
use crate::house::Listening;
use crate::log;
use crate::transaction::{Envelope, Hold, Inbound, Mail, Permitted, Right, Submission};
use crate::visitor::Visitor;

const UNQUALIFIED: Refused =
    Refused { reply: Reply::UNQUALIFIED_SENDER, reason: "unqualified-sender" };

/// `MAIL`.
pub(crate) async fn mail(
    listening: &Arc<Listening>,
    visitor: &mut Visitor,
    request: MailRequest,
    pending: MailPending<'_, Submission>,
    output: &mut Vec<u8>,
) {
    match begin(listening, visitor, request, &pending).await {
        Ok(envelope) => pending.accept(Box::new(envelope), output),
        Err(refused) => pending.refuse(&listening.house.worded(refused.reply), output),
    }
}

async fn begin(
    listening: &Arc<Listening>,
    visitor: &mut Visitor,
    request: MailRequest,
    pending: &MailPending<'_, Submission>,
) -> Result<Envelope, Refused> {
    let house = &listening.house;
    let (login, hello, at) = (pending.login(), pending.hello(), house.clock.now());
    let wishes = wishes::of(&request, at.wall);
    let contradiction = wishes.is_none();
    let submitter = trusted(request.submitter, login);
    let mut mail = Mail {
        sender: request.sender,
        size: request.size,
        coding: request.coding,
        smtputf8: request.smtputf8,
        wishes: Wishes { submitter, ..wishes.unwrap_or_default() },
        client: visitor.client,
        helo: visitor.helo.as_deref().unwrap_or(hello.name()).to_owned(),
        extended: hello.is_extended(),
        authenticated: login.is_some(),
        acting: login.and_then(|login| login.acting.clone()),
        mechanism: visitor.mechanism.filter(|_| login.is_some()),
        failed_auth: pending.failed_auth(),
        at,
        conversation: Slot::default(),
    };
    let refuse = |visitor: &mut Visitor, mail: &Mail, refused| {
        log::sender_refused(listening, visitor, mail, login, &refused);
        Err(refused)
    };
    let Some(completed) = complete(listening, &mut mail, login) else {
        return refuse(visitor, &mail, UNQUALIFIED);
    };
    // Mail from elsewhere: the chain is asked when a recipient is not ours, if ever, so such
    // mail never shows up as an attempt to send.
    let from_elsewhere = listening.receives_local_mail
        && !mail.authenticated
        && match house.is_local_sender(&mail.sender).await {
            Ok(is_local) => !is_local,
            Err(problem) => {
                tracing::warn!(target: "lastpost::submission", %problem, "sender not decided");
                return refuse(visitor, &mail, super::recipient::UNDECIDED);
            }
        };
    if from_elsewhere {
        let right = Right::Inbound(Inbound::default());
        return Ok(Envelope { mail, right, hold: None });
    }
    let permit = permit(listening, visitor, &mail, login).await.map_err(|r| refused(&r))?;
    if completed && !mail.sender.mailbox().is_some_and(|sender| permit.account().owns(sender)) {
        return refuse(visitor, &mail, UNQUALIFIED);
    }
    let hold = Hold::new(permit, Arc::clone(listening));
    if contradiction {
        return refuse(visitor, &mail, wishes::CONTRADICTION);
    }
    let step = Step { listening, mail: &mail, account: Some(hold.permit().account()) };
    match listening.checks.mail(step).await {
        Ok(passed) => {
            let right = Right::Permitted(Permitted::new(hold));
            Ok(Envelope { mail, right, hold: passed.hold })
        }
        Err(refused) => refuse(visitor, &mail, refused),
    }
}

/// Gives a sender without a domain the default domain, where the address is the login's own
/// then; who has not logged in is asked after the permit. Whether it was completed; `None`: it
/// must be refused (RFC 6409 section 4.2).
fn complete(listening: &Listening, mail: &mut Mail, login: Option<&Login>) -> Option<bool> {
    let ReversePath::Unqualified(local) = &mail.sender else { return Some(false) };
    let sender = listening.house.complete(local)?;
    if login.is_some_and(|login| !login.account.owns(&sender)) {
        return None;
    }
    mail.sender = ReversePath::Mailbox(sender);
    Some(true)
}

/// `AUTH=`, where the client is to be believed: it has authenticated, and names an address of its
/// own (RFC 4954 section 5). Otherwise the message is nobody's.
fn trusted(submitter: Option<Submitter>, login: Option<&Login>) -> Option<Mailbox> {
    match submitter? {
        Submitter::Unknown => None,
        Submitter::Mailbox(mailbox) => login?.account.owns(&mailbox).then_some(mailbox),
    }
}
