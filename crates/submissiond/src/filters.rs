//! Filters as a check: milters and policy services are asked about a transaction.
//!
//! The conversation with them begins at the first question, at `MAIL` or, for mail from
//! elsewhere, at the first recipient; it ends with the transaction.

use std::sync::{Mutex, PoisonError};

use address::{Mailbox, ReversePath};
use auth::Answer;
use bytes::Bytes;
use filter::{
    Changes, Client, Conversation, Message, NextBlock, Outcome, Recipient, Refusal, Selection,
    Sender, Text, TextReader,
};
use smtp_proto::server::Reply;
use spool::{Draft, DraftReader};

use crate::checks::{Check, Refused, Step, Verdict};
use crate::letter::Letter;
use crate::transaction::Mail;

/// The filters that a listener requires.
pub(crate) struct Filtering {
    selection: Selection,
}

/// Where a transaction keeps its conversation with the filters between two questions.
#[derive(Debug, Default)]
pub(crate) struct Slot(Mutex<Option<Box<Conversation>>>);

impl Slot {
    fn take(&self) -> Option<Box<Conversation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, conversation: Box<Conversation>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(conversation);
    }
}

impl Filtering {
    /// A check that asks `selection`.
    pub(crate) fn new(selection: Selection) -> Self {
        Self { selection }
    }

    /// The transaction's conversation, begun now if it was not: `MAIL` is told then.
    async fn conversation(&self, step: Step<'_>) -> Result<Box<Conversation>, Refusal> {
        let mail = step.mail;
        if let Some(conversation) = mail.conversation.take() {
            return Ok(conversation);
        }
        let mut conversation = Box::new(self.selection.begin(client(step)));
        let path = path_of(&mail.sender);
        match conversation.mail(&Sender { path: &path, size: mail.size }).await {
            filter::Answer::Pass => Ok(conversation),
            filter::Answer::Refuse(refusal) => Err(refusal),
        }
    }
}

impl Check for Filtering {
    fn mail<'a>(&'a self, step: Step<'a>) -> Answer<'a, Verdict> {
        Box::pin(async move {
            match self.conversation(step).await {
                Ok(conversation) => {
                    step.mail.conversation.put(conversation);
                    Verdict::Pass
                }
                Err(refusal) => refused(refusal),
            }
        })
    }

    fn recipient<'a>(
        &'a self,
        step: Step<'a>,
        recipient: &'a Mailbox,
        so_far: u32,
    ) -> Answer<'a, Verdict> {
        Box::pin(async move {
            let mut conversation = match self.conversation(step).await {
                Ok(conversation) => conversation,
                Err(refusal) => return refused(refusal),
            };
            let path = recipient.to_string();
            let answer = conversation.recipient(&Recipient { path: &path, before: so_far }).await;
            step.mail.conversation.put(conversation);
            match answer {
                filter::Answer::Pass => Verdict::Pass,
                filter::Answer::Refuse(refusal) => refused(refusal),
            }
        })
    }

    fn message<'a>(&'a self, step: Step<'a>, letter: &'a mut Letter) -> Answer<'a, Verdict> {
        Box::pin(async move {
            let mut conversation = match self.conversation(step).await {
                Ok(conversation) => conversation,
                Err(refusal) => return refused(refusal),
            };
            let outcome = ask(&mut conversation, step.mail, letter).await;
            let (changes, verdict) = match outcome {
                Outcome::Refuse(refusal) => return refused(refusal),
                Outcome::Discard { filter } => {
                    tracing::info!(
                        target: "lastpost::filter", filter, token = %letter.token, "discards"
                    );
                    return Verdict::Discard { reason: "filter" };
                }
                Outcome::Accept(changes) => (changes, Verdict::Pass),
                Outcome::Hold { reason, changes } => (changes, Verdict::Hold { reason }),
            };
            match change(step, letter, changes).await {
                Ok(()) => verdict,
                Err(refused) => Verdict::Refuse(refused),
            }
        })
    }
}

async fn ask(conversation: &mut Conversation, mail: &Mail, letter: &Letter) -> Outcome {
    let token = letter.token.to_string();
    let sender = path_of(letter.sender(mail));
    let recipients: Vec<String> =
        letter.right.recipients().iter().map(|recipient| recipient.mailbox.to_string()).collect();
    let message = Message {
        token: &token,
        header: letter.section(),
        body: &Body(&letter.draft),
        octets: letter.octets(),
        sender: &sender,
        recipients: &recipients,
    };
    conversation.message(&message).await
}

/// Does to the message what filters want. An address that is none, or that may not be used, is
/// passed over: the filter is trusted with the message, not with rights that its sender lacks.
async fn change(step: Step<'_>, letter: &mut Letter, changes: Changes) -> Result<(), Refused> {
    let Changes { header, body, sender, added, removed } = changes;
    let body = body.map(|body| canonical(&body));
    letter.replace(step.listening, step.mail, header.as_deref(), body.as_deref()).await?;
    let mut passed_over = Vec::new();
    if let Some(path) = sender {
        let path = ReversePath::parse(&format!("<{path}>"));
        if !path.is_ok_and(|path| letter.set_sender(path)) {
            passed_over.push("sender");
        }
    }
    for address in &removed {
        if !Mailbox::parse(address).is_ok_and(|mailbox| letter.remove_recipient(&mailbox)) {
            passed_over.push("removed recipient");
        }
    }
    for address in &added {
        let added = match Mailbox::parse(address) {
            Ok(mailbox) => letter.add_recipient(step.listening, mailbox).await,
            Err(_) => false,
        };
        if !added {
            passed_over.push("added recipient");
        }
    }
    if !passed_over.is_empty() {
        tracing::warn!(
            target: "lastpost::filter", token = %letter.token, ?passed_over,
            "a change of a filter cannot be made"
        );
    }
    Ok(())
}

/// A body as a filter gave it, with line ends as they must be: a filter must not bring back what
/// was refused to the client.
fn canonical(body: &[Bytes]) -> Vec<Bytes> {
    let mut last = 0;
    let mut pieces = Vec::with_capacity(body.len() + 1);
    for piece in body {
        let mut out = Vec::with_capacity(piece.len() + piece.len() / 32);
        for &octet in piece {
            match (last, octet) {
                (b'\r', b'\n') => out.push(b'\n'),
                (b'\r', _) => out.extend_from_slice(&[b'\n', octet]),
                (_, b'\n') => out.extend_from_slice(b"\r\n"),
                _ => out.push(octet),
            }
            last = octet;
        }
        pieces.push(Bytes::from(out));
    }
    if last == b'\r' {
        pieces.push(Bytes::from_static(b"\n"));
    }
    pieces
}

fn client(step: Step<'_>) -> Client {
    let Mail { client, helo, extended, mechanism, .. } = step.mail;
    Client {
        address: client.address,
        port: client.port,
        hello: helo.clone(),
        extended: *extended,
        listener: step.listening.name.clone(),
        host: step.listening.house.hostname.clone(),
        login: step.account.map(|account| account.key().as_str().to_owned()),
        mechanism: mechanism.map(str::to_owned),
        tls: client.tls.map(|(version, cipher)| (version.to_owned(), cipher.to_owned())),
    }
}

fn path_of(path: &ReversePath) -> String {
    path.mailbox().map(ToString::to_string).unwrap_or_default()
}

fn refused(refusal: Refusal) -> Verdict {
    let Refusal { code, enhanced, text, filter, is_failure } = refusal;
    let reason = if is_failure { "filter-unavailable" } else { "filter-refused" };
    tracing::debug!(target: "lastpost::filter", filter, code, "refuses");
    Verdict::Refuse(Refused { reply: Reply::worded(code, &enhanced, text), reason })
}

/// The body of a draft.
struct Body<'a>(&'a Draft);

struct BodyReader<'a>(DraftReader<'a>);

impl Text for Body<'_> {
    fn open(&self) -> Box<dyn TextReader + '_> {
        Box::new(BodyReader(self.0.reader()))
    }
}

impl TextReader for BodyReader<'_> {
    fn next(&mut self) -> NextBlock<'_> {
        Box::pin(self.0.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(pieces: &[&'static [u8]]) -> Vec<u8> {
        let pieces: Vec<_> = pieces.iter().map(|piece| Bytes::from_static(piece)).collect();
        canonical(&pieces).concat()
    }

    #[test]
    fn line_ends_of_filters_are_made_right() {
        assert_eq!(made(&[b"a\r\nb\r\n"]), b"a\r\nb\r\n");
        assert_eq!(made(&[b"a\nb\n"]), b"a\r\nb\r\n");
        assert_eq!(made(&[b"a\r", b"\nb"]), b"a\r\nb");
        assert_eq!(made(&[b"a\n.\nb"]), b"a\r\n.\r\nb");
        assert_eq!(made(&[b"a\rb\r\r\n"]), b"a\r\nb\r\n\r\n");
        assert_eq!(made(&[b"a\r", b"b"]), b"a\r\nb");
        assert_eq!(made(&[b"a\r"]), b"a\r\n");
    }
}
