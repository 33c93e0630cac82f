//! The answers to `DATA` and to the end of data.

use smtp_proto::server::{DataPending, EndPending, Reply};

use super::store::{self, Outcome};
use crate::house::Listening;
use crate::log;
use crate::message::{self, Finished, Message};
use crate::trace::Token;
use crate::transaction::Submission;
use crate::visitor::Visitor;

/// `DATA`, or the first `BDAT`.
pub(crate) fn data(
    listening: &Listening,
    visitor: &mut Visitor,
    pending: DataPending<'_, Submission>,
    output: &mut Vec<u8>,
) {
    let size = pending.envelope().mail.size.unwrap_or(0);
    let Some(token) = Token::random() else {
        return pending.refuse(&Reply::LOCAL_ERROR, output);
    };
    match listening.house.spool.draft_sized(size) {
        Ok(draft) => {
            pending.accept(|envelope| Box::new(Message::new(envelope, token, draft)), output);
        }
        Err(error) => {
            let refused = message::not_stored(error);
            let envelope = pending.envelope();
            log::refused(listening, visitor, &envelope.mail, envelope.right.account(), &refused);
            pending.refuse(&listening.house.worded(refused.reply), output);
        }
    }
}

/// The end of data: the one place where a message becomes ours.
pub(crate) async fn end_of_data(
    listening: &Listening,
    visitor: &mut Visitor,
    message: Box<Message>,
    pending: EndPending<'_, Submission>,
    output: &mut Vec<u8>,
) {
    let token = message.token;
    let account = message.envelope.right.account().cloned();
    let account = account.as_ref();
    let Finished { mail, hold, letter } = message.finish(listening);
    let stored = match letter {
        Ok(letter) => store::take_in(listening, &mail, letter, hold).await,
        Err(refused) => Err(refused),
    };
    match stored {
        Ok(Outcome::Stored(stored)) => {
            log::accepted(listening, &mail, &stored, token);
            accept(listening, pending, stored.id, output);
        }
        Ok(Outcome::Discarded(reason)) => {
            log::discarded(listening, &mail, account, reason, token);
            accept(listening, pending, token, output);
        }
        Err(refused) => {
            log::refused(listening, visitor, &mail, account, &refused);
            pending.refuse(&listening.house.worded(refused.reply), output);
        }
    }
}

fn accept(
    listening: &Listening,
    pending: EndPending<'_, Submission>,
    name: impl std::fmt::Display,
    output: &mut Vec<u8>,
) {
    if listening.house.protocol.show_queue_id {
        pending.accept(name, output);
    } else {
        pending.accept_unnamed(output);
    }
}
