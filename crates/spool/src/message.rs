//! The payload of a message record: envelope, origin, and what the text is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use address::{AccountKey, Mailbox, ReversePath};
use envelope::Coding;
use jiff::Timestamp;

use crate::codec::{Decoder, Encoder, Malformed, cut};
use crate::envelope::RECIPIENTS_MAX;
use crate::queue::Marks;
use crate::wishes;
use crate::{Envelope, Origin, QueueId, Recipient, Wishes};

const SMTPUTF8: u8 = 1;
const EIGHT_BIT: u8 = 2;
const EXTERNAL: u8 = 4;
/// Binary text; beside [`EIGHT_BIT`].
const BINARY: u8 = 8;
/// Wishes stand behind the recipients.
const WISHES: u8 = 16;
/// Held for review from the begin; why stands at the end.
const REVIEW: u8 = 32;
/// The first attempt has a time, which stands behind the flags.
const NOT_BEFORE: u8 = 64;
/// More flags stand behind all else, and then what they announce.
const MORE: u8 = 128;
/// Of those: who submitted it.
const SUBMITTER: u8 = 1;

/// Octets of a reason for a review that are kept.
pub(crate) const REASON_MAX: usize = 500;

/// What the index needs of a message, at the front of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) id: QueueId,
    /// Octets of the text.
    pub(crate) octets: u64,
    /// When it came, in milliseconds.
    pub(crate) received: i64,
    /// CRC-32C of the whole text, wherever its parts lie.
    pub(crate) crc: u32,
    /// Whether the text has a file of its own; a head of it may stand in the record all the
    /// same.
    pub(crate) external: bool,
    /// Whether it was held for review when it came.
    pub(crate) review: bool,
    /// When it may be tried first, in milliseconds, if the sender asked for a delay.
    pub(crate) not_before: Option<i64>,
}

impl Summary {
    /// When a recipient that nobody has tried is due.
    pub(crate) fn first_due(&self) -> i64 {
        self.not_before.unwrap_or(self.received)
    }

    /// The marks of a message nobody has tried.
    pub(crate) fn marks(&self) -> Marks {
        let mut marks = Marks::default();
        marks.set(Marks::EXTERNAL, self.external);
        marks.set(Marks::HELD, self.review);
        marks.set(Marks::FUTURE, self.not_before.is_some());
        marks
    }
}

/// A message record's payload, decoded whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) summary: Summary,
    pub(crate) envelope: Envelope,
    pub(crate) origin: Origin,
    /// Why it was held for review when it came.
    pub(crate) review: Option<Box<str>>,
}

/// Milliseconds of an instant; what is stored.
pub(crate) fn milliseconds(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// The instant of stored milliseconds; beyond jiff's range, the nearest.
pub(crate) fn timestamp(milliseconds: i64) -> Timestamp {
    let nearest = if milliseconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(milliseconds).unwrap_or(nearest)
}

/// Encodes a message record's payload.
pub(crate) fn encode(
    summary: &Summary,
    envelope: &Envelope,
    origin: &Origin,
    review: Option<&str>,
) -> Vec<u8> {
    let mut flags = 0;
    for (set, flag) in [
        (envelope.smtputf8, SMTPUTF8),
        (envelope.coding != Coding::SevenBit, EIGHT_BIT),
        (envelope.coding == Coding::Binary, BINARY),
        (summary.external, EXTERNAL),
        (wishes::are_any(envelope), WISHES),
        (review.is_some(), REVIEW),
        (summary.not_before.is_some(), NOT_BEFORE),
        (envelope.wishes.submitter.is_some(), MORE),
    ] {
        flags |= if set { flag } else { 0 };
    }
    let mut out = Encoder::with_capacity(128 + 48 * envelope.recipients.len());
    out.u64(summary.id.as_u64())
        .u64(summary.octets)
        .i64(summary.received)
        .u32(summary.crc)
        .u8(flags);
    if let Some(at) = summary.not_before {
        out.i64(at);
    }
    encode_origin(&mut out, origin);
    match &envelope.sender {
        ReversePath::Mailbox(mailbox) => out.text(&mailbox.to_string()),
        // The doors take no unqualified one.
        ReversePath::Null | ReversePath::Unqualified(_) => out.text(""),
    };
    out.u32(u32::try_from(envelope.recipients.len()).unwrap_or(u32::MAX));
    for recipient in &envelope.recipients {
        out.text(&recipient.mailbox.to_string());
    }
    if flags & WISHES != 0 {
        wishes::encode(&mut out, envelope);
    }
    if let Some(reason) = review {
        out.text(cut(reason, REASON_MAX));
    }
    if let Some(submitter) = &envelope.wishes.submitter {
        out.u8(SUBMITTER).text(&submitter.to_string());
    }
    out.finish()
}

/// Reads the front of a message record's payload.
pub(crate) fn decode_summary(meta: &[u8]) -> Result<Summary, Malformed> {
    summary_from(&mut Decoder::new(meta)).map(|(summary, _)| summary)
}

fn summary_from(from: &mut Decoder<'_>) -> Result<(Summary, u8), Malformed> {
    let id = QueueId::from_u64(from.u64()?);
    let (octets, received, crc, flags) = (from.u64()?, from.i64()?, from.u32()?, from.u8()?);
    let not_before = match flags & NOT_BEFORE != 0 {
        true => Some(from.i64()?),
        false => None,
    };
    let (external, review) = (flags & EXTERNAL != 0, flags & REVIEW != 0);
    Ok((Summary { id, octets, received, crc, external, review, not_before }, flags))
}

/// Reads all of a message record's payload.
pub(crate) fn decode(meta: &[u8]) -> Result<Message, Malformed> {
    let mut from = Decoder::new(meta);
    let (summary, flags) = summary_from(&mut from)?;
    let origin = decode_origin(&mut from)?;
    let sender = match from.text()? {
        "" => ReversePath::Null,
        text => ReversePath::Mailbox(mailbox(text)?),
    };
    let count = from.u32()? as usize;
    // A mailbox takes two octets of length and at least three of text.
    if count == 0 || count > RECIPIENTS_MAX || count > from.remaining() / 5 {
        return Err(Malformed);
    }
    let mut recipients = Vec::with_capacity(count);
    for _ in 0..count {
        recipients.push(Recipient::new(mailbox(from.text()?)?));
    }
    let mut wishes = match flags & WISHES != 0 {
        true => wishes::decode(&mut from, &mut recipients)?,
        false => Wishes::default(),
    };
    let review = match summary.review {
        true => Some(from.text()?.into()),
        false => None,
    };
    if flags & MORE != 0 {
        match from.u8()? {
            SUBMITTER => wishes.submitter = Some(mailbox(from.text()?)?),
            _ => return Err(Malformed),
        }
    }
    if from.remaining() != 0 {
        return Err(Malformed);
    }
    let envelope = Envelope {
        sender,
        recipients,
        smtputf8: flags & SMTPUTF8 != 0,
        coding: match (flags & EIGHT_BIT != 0, flags & BINARY != 0) {
            (_, true) => Coding::Binary,
            (true, false) => Coding::EightBit,
            (false, false) => Coding::SevenBit,
        },
        wishes,
        received_at: timestamp(summary.received),
    };
    Ok(Message { summary, envelope, origin, review })
}

fn mailbox(text: &str) -> Result<Mailbox, Malformed> {
    Mailbox::parse(text).map_err(|_| Malformed)
}

const SUBMITTED: u8 = 1;
const INBOUND: u8 = 2;
const REPORT: u8 = 3;

fn encode_origin(out: &mut Encoder, origin: &Origin) {
    match origin {
        Origin::Submitted { account, authority, client } => {
            out.u8(SUBMITTED).text(account.as_str()).text(authority);
            encode_ip(out, *client);
        }
        Origin::Inbound { client } => {
            out.u8(INBOUND);
            encode_ip(out, *client);
        }
        Origin::Report => {
            out.u8(REPORT);
        }
    }
}

fn decode_origin(from: &mut Decoder<'_>) -> Result<Origin, Malformed> {
    match from.u8()? {
        SUBMITTED => {
            let account = AccountKey::parse(from.text()?, None).map_err(|_| Malformed)?;
            let authority = from.text()?.into();
            Ok(Origin::Submitted { account, authority, client: decode_ip(from)? })
        }
        INBOUND => Ok(Origin::Inbound { client: decode_ip(from)? }),
        REPORT => Ok(Origin::Report),
        _ => Err(Malformed),
    }
}

fn encode_ip(out: &mut Encoder, address: IpAddr) {
    match address {
        IpAddr::V4(address) => out.u8(4).octets(&address.octets()),
        IpAddr::V6(address) => out.u8(6).octets(&address.octets()),
    };
}

fn decode_ip(from: &mut Decoder<'_>) -> Result<IpAddr, Malformed> {
    match from.u8()? {
        4 => {
            let octets: [u8; 4] = from.take(4)?.try_into().map_err(|_| Malformed)?;
            Ok(Ipv4Addr::from(octets).into())
        }
        6 => {
            let octets: [u8; 16] = from.take(16)?.try_into().map_err(|_| Malformed)?;
            Ok(Ipv6Addr::from(octets).into())
        }
        _ => Err(Malformed),
    }
}
