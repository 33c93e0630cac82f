//! How far each recipient is: the payload of a state record, and how outcomes change it.

use std::collections::HashMap;

use crate::codec::{Decoder, Encoder, Malformed, cut};
use crate::envelope::RECIPIENTS_MAX;
use crate::message::milliseconds;
use crate::{Outcome, QueueId, RecipientState};

/// Octets of a reply that are kept.
pub(crate) const REPLY_MAX: usize = 500;

/// Octets of a reply that are kept where very many recipients have different ones.
const REPLY_SHORT: usize = 60;

/// Beside the state of a recipient: the sender knows of the delay.
const DELAY_REPORTED: u8 = 0x80;

/// Where `held` stands in the payload, so that it can be set without decoding the rest.
const HELD_AT: usize = 8;

/// How far one recipient is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) state: RecipientState,
    pub(crate) attempts: u32,
    /// Milliseconds; of meaning while pending.
    pub(crate) due: i64,
    pub(crate) reply: Option<Box<str>>,
    /// The sender has been told that it takes longer.
    pub(crate) delay_reported: bool,
}

impl Progress {
    /// A recipient never tried, due at `due`.
    pub(crate) fn untried(due: i64) -> Self {
        let state = RecipientState::Pending;
        Self { state, attempts: 0, due, reply: None, delay_reported: false }
    }

    /// Takes in what became of an attempt.
    pub(crate) fn apply(&mut self, outcome: Outcome) {
        self.attempts = self.attempts.saturating_add(1);
        let (state, reply) = match outcome {
            Outcome::Done => (RecipientState::Done, None),
            Outcome::Failed { reply } => (RecipientState::Failed, Some(reply)),
            Outcome::Deferred { until, reply, delay_reported } => {
                self.due = milliseconds(until);
                self.delay_reported |= delay_reported;
                (RecipientState::Pending, Some(reply))
            }
        };
        self.state = state;
        self.reply = reply.map(|reply| cut(&reply, REPLY_MAX).into());
    }
}

/// When the first pending recipient is due; `None` when none is pending.
pub(crate) fn next_due(recipients: &[Progress]) -> Option<i64> {
    recipients.iter().filter(|r| r.state == RecipientState::Pending).map(|r| r.due).min()
}

/// A state record's payload, decoded. No recipients: none has been tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) id: QueueId,
    pub(crate) held: bool,
    /// When the first pending recipient is due, in milliseconds.
    pub(crate) due: i64,
    pub(crate) recipients: Vec<Progress>,
}

impl State {
    /// Encodes it in at most `octets_max` octets, for which replies are shortened or left out.
    pub(crate) fn encode(&self, octets_max: usize) -> Vec<u8> {
        let fits = |payload: &Vec<u8>| payload.len() <= octets_max;
        Some(self.encode_with(REPLY_MAX))
            .filter(fits)
            .or_else(|| Some(self.encode_with(REPLY_SHORT)).filter(fits))
            .unwrap_or_else(|| self.encode_with(0))
    }

    fn encode_with(&self, reply_max: usize) -> Vec<u8> {
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut replies = Vec::new();
        let mut rows = Encoder::with_capacity(17 * self.recipients.len());
        for recipient in &self.recipients {
            let reply = recipient.reply.as_deref().map(|reply| cut(reply, reply_max));
            let number = reply.filter(|reply| !reply.is_empty()).map_or(0, |reply| {
                let next = numbers.len() as u32 + 1;
                *numbers.entry(reply).or_insert_with(|| {
                    replies.push(reply);
                    next
                })
            });
            let reported = if recipient.delay_reported { DELAY_REPORTED } else { 0 };
            rows.u8(code(recipient.state) | reported);
            rows.u32(recipient.attempts).i64(recipient.due).u32(number);
        }
        let mut out = Encoder::with_capacity(32 + rows.len());
        out.u64(self.id.as_u64()).u8(u8::from(self.held)).i64(self.due);
        out.u32(replies.len() as u32);
        for reply in replies {
            out.text(reply);
        }
        out.u32(self.recipients.len() as u32).octets(&rows.finish());
        out.finish()
    }

    /// Reads a payload.
    pub(crate) fn decode(meta: &[u8]) -> Result<Self, Malformed> {
        let mut from = Decoder::new(meta);
        let (id, held, due) = front(&mut from)?;
        let count = from.u32()? as usize;
        if count > from.remaining() / 2 {
            return Err(Malformed);
        }
        let mut replies: Vec<&str> = Vec::with_capacity(count);
        for _ in 0..count {
            replies.push(from.text()?);
        }
        let count = from.u32()? as usize;
        if count > RECIPIENTS_MAX
            || count != from.remaining() / 17
            || !from.remaining().is_multiple_of(17)
        {
            return Err(Malformed);
        }
        let mut recipients = Vec::with_capacity(count);
        for _ in 0..count {
            let code = from.u8()?;
            let delay_reported = code & DELAY_REPORTED != 0;
            let state = decode_state(code & !DELAY_REPORTED)?;
            let (attempts, due, number) = (from.u32()?, from.i64()?, from.u32()? as usize);
            let reply = match number.checked_sub(1) {
                None => None,
                Some(at) => Some(Box::from(*replies.get(at).ok_or(Malformed)?)),
            };
            recipients.push(Progress { state, attempts, due, reply, delay_reported });
        }
        Ok(Self { id, held, due, recipients })
    }

    /// Reads the front alone: what the index needs.
    pub(crate) fn decode_front(meta: &[u8]) -> Result<(QueueId, bool, i64), Malformed> {
        front(&mut Decoder::new(meta))
    }
}

fn front(from: &mut Decoder<'_>) -> Result<(QueueId, bool, i64), Malformed> {
    let id = QueueId::from_u64(from.u64()?);
    let held = match from.u8()? {
        0 => false,
        1 => true,
        _ => return Err(Malformed),
    };
    Ok((id, held, from.i64()?))
}

/// Sets `held` in an encoded payload.
pub(crate) fn set_held(payload: &mut [u8], held: bool) {
    if let Some(octet) = payload.get_mut(HELD_AT) {
        *octet = u8::from(held);
    }
}

fn code(state: RecipientState) -> u8 {
    match state {
        RecipientState::Pending => 0,
        RecipientState::Done => 1,
        RecipientState::Failed => 2,
    }
}

fn decode_state(code: u8) -> Result<RecipientState, Malformed> {
    match code {
        0 => Ok(RecipientState::Pending),
        1 => Ok(RecipientState::Done),
        2 => Ok(RecipientState::Failed),
        _ => Err(Malformed),
    }
}
