//! Names of queued messages: never given twice, short enough for a reply and a log line.

use std::fmt;
use std::str::FromStr;

/// Name of a queued message.
///
/// Never repeats within a spool, not even after every segment has been deleted. Its text is
/// thirteen characters of Crockford's base 32 (lower case, no `i`, `l`, `o`, `u`) and sorts as
/// the numbers do, which is the order of arrival across restarts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(u64);

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of the text form: 13 × 5 = 65 bits.
const LENGTH: usize = 13;

impl QueueId {
    /// The message with this number.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; LENGTH];
        for (place, c) in text.iter_mut().rev().enumerate() {
            *c = ALPHABET[(self.0 >> (5 * place) & 31) as usize];
        }
        // The alphabet is ASCII.
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that names no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a queue ID is {LENGTH} characters of 0-9 and a-z without i, l, o, u")]
pub struct BadQueueId;

impl FromStr for QueueId {
    type Err = BadQueueId;

    /// Takes either case, as Crockford asks.
    fn from_str(text: &str) -> Result<Self, BadQueueId> {
        if text.len() != LENGTH {
            return Err(BadQueueId);
        }
        let mut number: u64 = 0;
        for (at, c) in text.bytes().enumerate() {
            let c = c.to_ascii_lowercase();
            let digit = ALPHABET.iter().position(|a| *a == c).ok_or(BadQueueId)?;
            if at == 0 && digit > 15 {
                return Err(BadQueueId);
            }
            number = number << 5 | digit as u64;
        }
        Ok(Self(number))
    }
}
