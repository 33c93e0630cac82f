//! The daemon's answers to the session's questions.

use std::sync::Arc;
use std::time::Duration;

use address::{AccountKey, ForwardPath, Mailbox};
use auth::{Channel, Denied, Login, Origin, Permit, Refusal, Service, authorize};
use envelope::Coding;
use sasl::Credentials;
use smtp_proto::server::{
    BodyType, DataPending, EndPending, MailPending, MailRequest, RecipientPending, Reply,
    VerifyPending,
};
use spool::{Draft, InboundEnvelope, IntakeError, QueueId, Recipient, Wishes};

use crate::house::{Listening, Place};
use crate::log;
use crate::message::{self, Message};
use crate::trace::Token;
use crate::transaction::{Client, Envelope, Hold, Inbound, Mail, Permitted, Right, Submission};

const NO_SUCH_MAILBOX: Reply = Reply::fixed(550, "5.1.1", "No such mailbox here");
const SEPARATELY: Reply = Reply::fixed(
    452,
    "4.5.3",
    "Send the message to recipients elsewhere separately from those here",
);

/// `AUTH`.
pub(crate) async fn verify(
    listening: &Listening,
    client: Client,
    credentials: Credentials,
    pending: VerifyPending<'_, Submission>,
    output: &mut Vec<u8>,
) {
    let house = &listening.house;
    let Client { address, genuine_address, tls } = client;
    let channel = Channel { service: Service::Submission, tls, genuine_address };
    let origin = Origin { client: address, channel };
    let at = house.clock.now();
    let Credentials { login, password, .. } = &credentials;
    match house.authenticator.verify(login, password, &origin, at).await {
        Ok(login) => {
            house.counters.logins.add(1);
            log::authenticated(listening, &login);
            pending.accept(login, output);
        }
        Err(denied) => {
            house.counters.logins_denied.add(1);
            let reply = match denied {
                Denied::Invalid => Reply::BAD_CREDENTIALS,
                Denied::Busy => Reply::AUTH_UNAVAILABLE,
            };
            pending.refuse(&reply, output);
        }
    }
}

/// `MAIL`.
pub(crate) async fn mail(
    listening: &Arc<Listening>,
    client: Client,
    request: MailRequest,
    pending: MailPending<'_, Submission>,
    output: &mut Vec<u8>,
) {
    let house = &listening.house;
    let hello = pending.hello();
    let mail = Mail {
        sender: request.sender,
        size: request.size,
        eight_bit: request.body == BodyType::EightBit,
        client,
        helo: hello.name().to_owned(),
        extended: hello.is_extended(),
        authenticated: pending.login().is_some(),
        failed_auth: pending.failed_auth(),
        at: house.clock.now(),
    };
    // Mail from elsewhere: the chain is asked when a recipient is not ours, if ever, so such
    // mail never shows up as an attempt to send.
    let from_elsewhere = !mail.authenticated && !house.is_local_sender(&mail.sender);
    if listening.receives_local_mail && from_elsewhere {
        let right = Right::Inbound(Inbound::default());
        return pending.accept(Envelope { mail, right }, output);
    }
    match permit(listening, &mail, pending.login()).await {
        Ok(permit) => {
            let hold = Hold::new(permit, Arc::clone(listening));
            let right = Right::Permitted(Permitted::new(hold));
            pending.accept(Envelope { mail, right }, output);
        }
        Err(refusal) => pending.refuse(&reply_of(refusal), output),
    }
}

/// The one place where the chain is asked.
async fn permit(
    listening: &Listening,
    mail: &Mail,
    login: Option<&Login>,
) -> Result<Permit, Refusal> {
    let counters = &listening.house.counters;
    match authorize(&listening.chain, &mail.attempt(listening, login)).await {
        Ok(permit) => {
            counters.senders_permitted.add(1);
            Ok(permit)
        }
        Err(refusal) => {
            counters.senders_refused.add(1);
            log::sender_refused(listening, mail, login, &refusal);
            Err(refusal)
        }
    }
}

fn reply_of(refusal: Refusal) -> Reply {
    Reply::new(refusal.code, refusal.enhanced, refusal.text)
}

/// `RCPT`.
pub(crate) async fn recipient(
    listening: &Arc<Listening>,
    path: ForwardPath,
    mut pending: RecipientPending<'_, Submission>,
    output: &mut Vec<u8>,
) {
    match add_recipient(listening, pending.envelope(), path).await {
        Ok(()) => pending.accept(output),
        Err(reply) => {
            listening.house.counters.recipients_refused.add(1);
            pending.refuse(&reply, output);
        }
    }
}

async fn add_recipient(
    listening: &Arc<Listening>,
    envelope: &mut Envelope,
    path: ForwardPath,
) -> Result<(), Reply> {
    let place = listening.house.place(path);
    let Envelope { mail, right } = envelope;
    match (&mut *right, place) {
        (_, Place::Nowhere) => Err(NO_SUCH_MAILBOX),
        (Right::Permitted(permitted), Place::Local(mailbox, _) | Place::Elsewhere(mailbox)) => {
            add_permitted(permitted, mailbox)
        }
        (Right::Inbound(inbound), Place::Local(mailbox, account)) => {
            if inbound.known.insert(mailbox.clone()) {
                let recipient = Recipient::new(mailbox);
                inbound.recipients.push(recipient, &account).map_err(|_| NO_SUCH_MAILBOX)?;
            }
            Ok(())
        }
        (Right::Inbound(inbound), Place::Elsewhere(mailbox)) => {
            let permit = ask_once(listening, mail, inbound).await?;
            let hold = Hold::new(permit, Arc::clone(listening));
            if !inbound.recipients.is_empty() {
                return Err(SEPARATELY);
            }
            let mut permitted = Permitted::new(hold);
            add_permitted(&mut permitted, mailbox)?;
            *right = Right::Permitted(permitted);
            Ok(())
        }
    }
}

fn add_permitted(permitted: &mut Permitted, mailbox: Mailbox) -> Result<(), Reply> {
    if !permitted.has_room() {
        return Err(Reply::TOO_MANY_RECIPIENTS);
    }
    permitted.add(mailbox);
    Ok(())
}

/// What the chain says of mail that came in for us and wants to go on: asked at the first such
/// recipient, remembered if it is no.
async fn ask_once(
    listening: &Listening,
    mail: &Mail,
    inbound: &mut Inbound,
) -> Result<Permit, Reply> {
    if let Some(refusal) = &inbound.refusal {
        return Err(reply_of(refusal.clone()));
    }
    permit(listening, mail, None).await.map_err(|refusal| {
        inbound.refusal = Some(refusal.clone());
        reply_of(refusal)
    })
}

/// `DATA`.
pub(crate) fn data(
    listening: &Listening,
    pending: DataPending<'_, Submission>,
    output: &mut Vec<u8>,
) {
    let size = pending.envelope().mail.size.unwrap_or(0);
    let Some(token) = Token::random() else {
        return pending.refuse(&Reply::LOCAL_ERROR, output);
    };
    match listening.house.spool.draft_sized(size) {
        Ok(draft) => pending.accept(|envelope| Message::new(envelope, token, draft), output),
        Err(error) => {
            let reply = message::refusal(error);
            log::refused(listening, &pending.envelope().mail, "no-room", &reply);
            pending.refuse(&reply, output);
        }
    }
}

/// The end of data: the one place where a message becomes ours.
pub(crate) async fn end_of_data(
    listening: &Listening,
    message: Message,
    pending: EndPending<'_, Submission>,
    output: &mut Vec<u8>,
) {
    let (token, eight_bit) = (message.token, message.is_eight_bit());
    let (envelope, draft) = message.finish(&listening.house.hostname).await;
    let Envelope { mail, right } = envelope;
    let stored = match draft {
        Ok(draft) => store(listening, &mail, right, draft, eight_bit).await,
        Err(reply) => Err(("message-refused", reply)),
    };
    match stored {
        Ok(stored) => {
            log::accepted(listening, &mail, &stored, token);
            pending.accept(stored.id, output);
        }
        Err((reason, reply)) => {
            log::refused(listening, &mail, reason, &reply);
            pending.refuse(&reply, output);
        }
    }
}

/// Puts a message into the spool; resolves when it is on disk.
async fn store(
    listening: &Listening,
    mail: &Mail,
    right: Right,
    draft: Draft,
    eight_bit: bool,
) -> Result<Stored, (&'static str, Reply)> {
    let spool = &listening.house.spool;
    let (sender, received_at) = (mail.sender.clone(), mail.at.wall);
    let (smtputf8, octets) = (false, draft.octets());
    let coding = if eight_bit { Coding::EightBit } else { Coding::SevenBit };
    let failed = |error| ("not-stored", message::refusal(error));
    match right {
        Right::Permitted(permitted) => {
            let (hold, recipients) = permitted.into_parts();
            let count = recipients.len();
            let envelope = spool::Envelope {
                sender,
                recipients,
                smtputf8,
                coding,
                wishes: Wishes::default(),
                received_at,
            };
            let id = in_time(spool.intake(hold.permit(), envelope, draft)).await.map_err(failed)?;
            let account = Some(hold.permit().account().key().clone());
            let authority = hold.permit().authority();
            hold.accepted(octets);
            Ok(Stored { id, octets, recipients: count, account, authority })
        }
        Right::Inbound(inbound) => {
            let count = inbound.recipients.len();
            let (recipients, client) = (inbound.recipients, mail.client.address);
            let envelope = InboundEnvelope {
                sender,
                recipients,
                smtputf8,
                coding,
                wishes: Wishes::default(),
                client,
                received_at,
            };
            let id = in_time(spool.inbound(envelope, draft)).await.map_err(failed)?;
            Ok(Stored { id, octets, recipients: count, account: None, authority: "inbound" })
        }
    }
}

/// RFC 6409 lets a client expect every answer within two minutes; a disk that hangs for
/// longer must not hang the sessions. The message may be queued all the same: the client sends it
/// again and it arrives twice, which is better than never.
const STORE_TIMEOUT: Duration = Duration::from_secs(110);

async fn in_time(
    storing: impl Future<Output = Result<QueueId, IntakeError>>,
) -> Result<QueueId, IntakeError> {
    tokio::time::timeout(STORE_TIMEOUT, storing).await.unwrap_or(Err(IntakeError::Failed))
}

/// A message on disk.
pub(crate) struct Stored {
    pub(crate) id: QueueId,
    pub(crate) octets: u64,
    pub(crate) recipients: usize,
    /// In whose name; nobody's if it came from elsewhere.
    pub(crate) account: Option<AccountKey>,
    pub(crate) authority: &'static str,
}
