//! What a message's header section must be, and what is made of it (RFC 6409 section 8).

use address::Mailbox;
use smtp_proto::server::Reply;

use crate::header::{Field, NotAField, fields};
use crate::originator::{self, Unreadable};
use crate::trace::Trace;

/// Hops after which a message runs in circles (RFC 5321 section 6.3).
const HOPS_MAX: usize = 50;

const MALFORMED: Reply = Reply::fixed(
    554,
    "5.6.0",
    "The message's header is malformed: a line is no field, or holds a NUL",
);
const NO_FROM: Reply = Reply::fixed(554, "5.6.0", "The message has no From field");
const TWO_FROM: Reply = Reply::fixed(550, "5.7.1", "The message has more than one From or Sender");
const UNREADABLE: Reply = Reply::fixed(
    550,
    "5.7.1",
    "The message's From or Sender is malformed, so nobody can say whose it is",
);
const LOOP: Reply = Reply::fixed(554, "5.4.6", "Too many hops: the message runs in circles");

/// A submitted message's header section, made ready for the world: `Received` in front; `Date`,
/// `Message-ID` and, where several authors sign, `Sender` added if they are missing; `Bcc` and
/// `Return-Path` taken out. Every other field stays to the octet. Ends with the blank line.
///
/// # Errors
/// The refusal, if `From` or `Sender` names an address that `may_send_as` does not cover, or
/// the section is not what it must be.
pub(crate) fn submitted(
    section: &[u8],
    trace: &Trace<'_>,
    may_send_as: &dyn Fn(&Mailbox) -> bool,
) -> Result<Vec<u8>, Reply> {
    let mut output = trace.received().into_bytes();
    output.reserve(section.len() + 256);
    let mut found = Found::default();
    for field in fields(section) {
        let field = field.map_err(|NotAField| MALFORMED)?;
        if found.keeps(&field)? {
            output.extend_from_slice(section.get(field.range).unwrap_or_default());
        }
    }
    if found.hops > HOPS_MAX {
        return Err(LOOP);
    }
    end_line(&mut output);
    found.judge(may_send_as)?;
    if !found.date {
        output.extend_from_slice(format!("Date: {}\r\n", trace.date()).as_bytes());
    }
    if !found.message_id {
        output.extend_from_slice(format!("Message-ID: {}\r\n", trace.message_id()).as_bytes());
    }
    // RFC 5322 section 3.6.2: several authors need one sender.
    if let (Some([first, _, ..]), None) = (found.from.as_deref(), &found.sender) {
        output.extend_from_slice(format!("Sender: {first}\r\n").as_bytes());
    }
    output.extend_from_slice(b"\r\n");
    Ok(output)
}

/// A header section of mail from elsewhere: `Received` in front, the rest as it came.
///
/// # Errors
/// The refusal, if it has been through too many hands.
pub(crate) fn received(section: &[u8], trace: &Trace<'_>) -> Result<Vec<u8>, Reply> {
    let hops = fields(section).flatten().filter(|field| field.is("Received")).count();
    if hops > HOPS_MAX {
        return Err(LOOP);
    }
    let mut output = trace.received().into_bytes();
    output.extend_from_slice(section);
    end_line(&mut output);
    output.extend_from_slice(b"\r\n");
    Ok(output)
}

/// The last line of a section that has no body may lack its end.
fn end_line(output: &mut Vec<u8>) {
    if !output.ends_with(b"\r\n") {
        output.extend_from_slice(b"\r\n");
    }
}

#[derive(Default)]
struct Found {
    from: Option<Vec<Mailbox>>,
    sender: Option<Vec<Mailbox>>,
    date: bool,
    message_id: bool,
    hops: usize,
}

impl Found {
    /// Takes a field down, and says whether it stays.
    fn keeps(&mut self, field: &Field<'_>) -> Result<bool, Reply> {
        if field.is("From") {
            put(&mut self.from, field)?;
        } else if field.is("Sender") {
            put(&mut self.sender, field)?;
        } else if field.is("Date") {
            self.date |= !field.is_blank();
            return Ok(!field.is_blank());
        } else if field.is("Message-ID") {
            self.message_id |= !field.is_blank();
            return Ok(!field.is_blank());
        } else if field.is("Received") {
            self.hops += 1;
        }
        // RFC 5321 section 4.4: the last hop alone writes Return-Path.
        let dropped = ["Bcc", "Resent-Bcc", "Return-Path"];
        Ok(!dropped.iter().any(|name| field.is(name)))
    }

    fn judge(&self, may_send_as: &dyn Fn(&Mailbox) -> bool) -> Result<(), Reply> {
        let from = self.from.as_deref().ok_or(NO_FROM)?;
        if from.is_empty() || self.sender.as_deref().is_some_and(<[Mailbox]>::is_empty) {
            return Err(UNREADABLE);
        }
        let all = from.iter().chain(self.sender.iter().flatten());
        match all.into_iter().find(|address| !may_send_as(address)) {
            None => Ok(()),
            Some(address) => Err(Reply::new(
                550,
                "5.7.1",
                format!(
                    "The account may not send as <{address}>, which the message's From or Sender names"
                ),
            )),
        }
    }
}

fn put(place: &mut Option<Vec<Mailbox>>, field: &Field<'_>) -> Result<(), Reply> {
    if place.is_some() {
        return Err(TWO_FROM);
    }
    *place = Some(originator::addresses(field.value).map_err(|Unreadable| UNREADABLE)?);
    Ok(())
}

#[cfg(test)]
mod tests;
