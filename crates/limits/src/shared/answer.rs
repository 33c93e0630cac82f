//! What the script answers.

use redis::{FromRedisValue, ParsingError, Value};

use crate::networks::{NETWORKS_MAX, Networks};
use crate::window::{Window, Windows};

/// How things stood before the message, by the server's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Whether some host has suspended the account.
    pub(crate) suspended: bool,
    /// Whether the message was counted.
    pub(crate) counted: bool,
    /// The server's clock, in seconds.
    pub(crate) now: u64,
    /// How many of the recipients were new.
    pub(crate) first_time: u32,
    pub(crate) account: Windows,
    pub(crate) address: Windows,
    pub(crate) networks: Networks,
}

type Raw = (u64, u64, u64, u32, Vec<u32>, Vec<u32>, Vec<(u64, f64)>);

impl FromRedisValue for Answer {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let (suspended, counted, now, first_time, account, address, seen): Raw =
            FromRedisValue::from_redis_value(value)?;
        let mut networks = Networks::default();
        for (network, at) in seen.into_iter().take(NETWORKS_MAX) {
            // Seconds that the script wrote itself: whole and positive.
            networks.0.push((network, at.clamp(0.0, 1e15) as u64));
        }
        Ok(Self {
            suspended: suspended == 1,
            counted: counted == 1,
            now,
            first_time,
            account: windows(&account)?,
            address: windows(&address)?,
            networks,
        })
    }
}

fn windows(numbers: &[u32]) -> Result<Windows, ParsingError> {
    let [hour, day, counts @ ..] = numbers else { return Err("too few numbers".into()) };
    let mut windows = Windows { hour: *hour, day: *day, ..Windows::default() };
    let pairs = counts.as_chunks::<2>().0;
    if pairs.len() != windows.counts.len() {
        return Err("not the numbers of all counters".into());
    }
    for (window, [now, before]) in windows.counts.iter_mut().zip(pairs) {
        *window = Window { now: *now, before: *before };
    }
    Ok(windows)
}
