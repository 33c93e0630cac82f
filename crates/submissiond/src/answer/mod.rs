//! The daemon's answers to the session's questions, one file for each.

mod data;
mod mail;
mod recipient;
mod sasl;
mod store;
mod wishes;

use auth::{Login, Permit, Refusal, authorize};
use smtp_proto::server::Reply;

use crate::checks::Refused;
use crate::house::Listening;
use crate::log;
use crate::transaction::Mail;
use crate::visitor::Visitor;

pub(crate) use data::{data, end_of_data};
pub(crate) use mail::mail;
pub(crate) use recipient::recipient;
pub(crate) use sasl::{Exchange, sasl};
pub(crate) use store::Stored;

/// The one place where the chain is asked.
async fn permit(
    listening: &Listening,
    visitor: &mut Visitor,
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
            log::sender_refused(listening, visitor, mail, login, &refused(&refusal));
            Err(refusal)
        }
    }
}

fn refused(refusal: &Refusal) -> Refused {
    let reply = Reply::new(refusal.code, refusal.enhanced, refusal.text.clone());
    Refused { reply, reason: refusal.reason }
}
