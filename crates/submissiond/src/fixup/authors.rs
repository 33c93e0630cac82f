//! The fields that say who a message is from, and whether the account may say so.

use address::{Domain, Mailbox};
use smtp_proto::server::Reply;

use crate::header::Field;
use crate::header_config::{NameRule, SenderRule};
use crate::originator::{self, Seen, Unreadable};
use crate::rights::Rights;

const NO_FROM: Reply = Reply::fixed(554, "5.6.0", "The message has no From field");
const TWO_FROM: Reply = Reply::fixed(550, "5.7.1", "The message has more than one From or Sender");
const TWO_SENDERS: Reply = Reply::fixed(550, "5.7.1", "The message's Sender must name one address");
const TOO_MANY_RESENT: Reply =
    Reply::fixed(554, "5.6.0", "The message was sent again too often: too many Resent fields");
const UNREADABLE: Reply = Reply::fixed(
    550,
    "5.7.1",
    "The message's From or Sender is malformed, so nobody can say whose it is",
);

/// Resent-From and Resent-Sender fields of one message.
const RESENT_MAX: usize = 100;

/// What the fields of originators say (RFC 5322 sections 3.6.2 and 3.6.6).
#[derive(Debug, Default)]
pub(super) struct Authors {
    from: Option<Seen>,
    sender: Option<Seen>,
    resent: Vec<Seen>,
}

impl Authors {
    /// Takes a field down, if it is one of them.
    pub(super) fn take(&mut self, field: &Field<'_>) -> Result<(), Reply> {
        let place = if field.is("From") {
            &mut self.from
        } else if field.is("Sender") {
            // A blank one says nothing.
            if field.is_blank() {
                return Err(UNREADABLE);
            }
            &mut self.sender
        } else if field.is("Resent-From") || field.is("Resent-Sender") {
            if self.resent.len() >= RESENT_MAX {
                return Err(TOO_MANY_RESENT);
            }
            self.resent.push(read(field)?);
            return Ok(());
        } else {
            return Ok(());
        };
        if place.is_some() {
            return Err(TWO_FROM);
        }
        *place = Some(read(field)?);
        Ok(())
    }

    /// Whether the account may say all of that.
    pub(super) fn judge(
        &self,
        rights: &Rights<'_>,
        smtputf8: bool,
        names: NameRule,
    ) -> Result<(), Reply> {
        self.from.as_ref().ok_or(NO_FROM)?;
        if self.sender.as_ref().is_some_and(|sender| sender.addresses.len() > 1) {
            return Err(TWO_SENDERS);
        }
        for seen in self.all() {
            let shown = seen.in_names.iter().filter(|_| names == NameRule::Refuse);
            for address in seen.addresses.iter().chain(&seen.hidden).chain(shown) {
                if !rights.may_name(address) {
                    return Err(not_yours(address));
                }
            }
            // RFC 6531 section 3.7.1.
            let international = seen.addresses.iter().find(|address| !address.is_ascii());
            if let Some(address) = international.filter(|_| !smtputf8) {
                let text =
                    format!("The message is from <{address}>, and was not submitted with SMTPUTF8");
                return Err(Reply::new(550, "5.6.7", text));
            }
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &Seen> {
        self.from.iter().chain(&self.sender).chain(&self.resent)
    }

    /// The address that `Sender` is to have, unless what stands there is right.
    pub(super) fn sender_to_add<'a>(
        &'a self,
        rights: &Rights<'a>,
        rule: SenderRule,
    ) -> Option<&'a Mailbox> {
        let from = self.from.as_ref()?.addresses.as_slice();
        let needed = match rule {
            SenderRule::Never => false,
            SenderRule::Always => true,
            SenderRule::WhenNeeded => match from {
                [author] => !rights.owns(author),
                _ => true,
            },
        };
        let named = self.sender.iter().flat_map(|sender| &sender.addresses).next();
        if !needed || named.is_some_and(|address| rights.owns(address)) {
            return None;
        }
        from.iter().find(|author| rights.owns(author)).or(rights.primary())
    }

    /// The domain of the first author.
    pub(super) fn domain(&self) -> Option<Domain> {
        self.from.as_ref()?.addresses.first()?.domain().cloned()
    }
}

fn read(field: &Field<'_>) -> Result<Seen, Reply> {
    let seen = originator::read(field.value).map_err(|Unreadable| UNREADABLE)?;
    if seen.addresses.is_empty() { Err(UNREADABLE) } else { Ok(seen) }
}

fn not_yours(address: &Mailbox) -> Reply {
    let text = format!(
        "The account may not send as <{address}>, which the message's From or Sender names"
    );
    Reply::new(550, "5.7.1", text)
}
