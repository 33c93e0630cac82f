//! What the sender asked about the delivery, as a part of a message record.

use envelope::{ByMode, EnvelopeId, Notify, OriginalRecipient, Ret};

use crate::codec::{Decoder, Encoder, Malformed};
use crate::message::{milliseconds, timestamp};
use crate::{DeliverBy, Envelope, Recipient, Wishes};

const RET_FULL: u8 = 1;
const RET_HEADERS: u8 = 2;
const HOLD: u8 = 4;
const BY: u8 = 8;
const BY_RETURN: u8 = 16;
const BY_TRACE: u8 = 32;
const REQUIRE_TLS: u8 = 64;
const TLS_OPTIONAL: u8 = 128;

/// Whether anything was asked that [`encode`] writes.
pub(crate) fn are_any(envelope: &Envelope) -> bool {
    let Wishes { ret, envid, hold_until, deliver_by, require_tls, tls_optional, submitter: _ } =
        &envelope.wishes;
    let said = ret.is_some() || envid.is_some() || hold_until.is_some() || deliver_by.is_some();
    said || *require_tls || *tls_optional || envelope.recipients.iter().any(asks)
}

fn asks(recipient: &Recipient) -> bool {
    recipient.notify.is_said() || recipient.original.is_some()
}

/// Flags, then what they announce, the name of the transmission, and the recipients' wishes. The
/// submitter stands elsewhere.
pub(crate) fn encode(out: &mut Encoder, envelope: &Envelope) {
    let wishes = &envelope.wishes;
    let by = wishes.deliver_by;
    let mut flags = 0;
    for (set, flag) in [
        (wishes.ret == Some(Ret::Full), RET_FULL),
        (wishes.ret == Some(Ret::Headers), RET_HEADERS),
        (wishes.hold_until.is_some(), HOLD),
        (by.is_some(), BY),
        (by.is_some_and(|by| by.mode == ByMode::Return), BY_RETURN),
        (by.is_some_and(|by| by.trace), BY_TRACE),
        (wishes.require_tls, REQUIRE_TLS),
        (wishes.tls_optional, TLS_OPTIONAL),
    ] {
        flags |= if set { flag } else { 0 };
    }
    out.u8(flags);
    if let Some(hold) = wishes.hold_until {
        out.i64(milliseconds(hold));
    }
    if let Some(by) = by {
        out.i64(milliseconds(by.at));
    }
    out.text(&wishes.envid.as_ref().map(ToString::to_string).unwrap_or_default());
    let asking = envelope.recipients.iter().enumerate().filter(|(_, recipient)| asks(recipient));
    out.u32(u32::try_from(asking.clone().count()).unwrap_or(u32::MAX));
    for (index, recipient) in asking {
        out.u32(u32::try_from(index).unwrap_or(u32::MAX)).u8(recipient.notify.to_bits());
        out.text(&recipient.original.as_ref().map(ToString::to_string).unwrap_or_default());
    }
}

/// Reads what [`encode`] wrote; those of the recipients go to `recipients`.
pub(crate) fn decode(
    from: &mut Decoder<'_>,
    recipients: &mut [Recipient],
) -> Result<Wishes, Malformed> {
    let flags = from.u8()?;
    let ret = match (flags & RET_FULL != 0, flags & RET_HEADERS != 0) {
        (false, false) => None,
        (true, false) => Some(Ret::Full),
        (false, true) => Some(Ret::Headers),
        (true, true) => return Err(Malformed),
    };
    let hold_until = match flags & HOLD != 0 {
        true => Some(timestamp(from.i64()?)),
        false => None,
    };
    let deliver_by = match flags & BY != 0 {
        true => Some(DeliverBy {
            at: timestamp(from.i64()?),
            mode: if flags & BY_RETURN != 0 { ByMode::Return } else { ByMode::Notify },
            trace: flags & BY_TRACE != 0,
        }),
        false => None,
    };
    let envid = match from.text()? {
        "" => None,
        text => Some(EnvelopeId::parse(text).ok_or(Malformed)?),
    };
    for _ in 0..from.u32()? {
        let index = from.u32()? as usize;
        let recipient = recipients.get_mut(index).ok_or(Malformed)?;
        recipient.notify = Notify::from_bits(from.u8()?).ok_or(Malformed)?;
        recipient.original = match from.text()? {
            "" => None,
            text => Some(OriginalRecipient::parse(text).ok_or(Malformed)?),
        };
    }
    Ok(Wishes {
        ret,
        envid,
        hold_until,
        deliver_by,
        require_tls: flags & REQUIRE_TLS != 0,
        tls_optional: flags & TLS_OPTIONAL != 0,
        submitter: None,
    })
}
