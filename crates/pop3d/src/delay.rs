//! LOGIN-DELAY (RFC 2449 section 6.5): how often an account may log in.
//!
//! Each account has a bucket of tokens. A login takes one, and one comes back with each delay
//! that passes. `burst` is how many there are at most: a client that logs in twice in a row, once
//! to look and once to fetch, is let in, and the rate holds all the same over time.
//!
//! The bucket is asked after the password was found right, and only then. So a wrong password
//! never touches it, nobody can use up a customer's logins, and a guesser sees `[LOGIN-DELAY]`
//! only where he would have seen `+OK`: it tells him nothing new. A login that does not come to
//! a session gives its token back.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use address::AccountKey;

/// How many parts have a lock of their own.
const SHARDS: usize = 16;
/// Accounts remembered in each part: a million in all, of which each has logged in lately.
const SHARD_MAX: usize = 65_536;
/// Below this it is not worth while to look for accounts that can be forgotten.
const SWEEP_MIN: usize = 256;

/// Which accounts have logged in how lately. Those whose buckets are full are forgotten.
#[derive(Debug)]
pub(crate) struct LoginDelays {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Shard {
    /// When the account's bucket is full, by the keyed digest of its name.
    full_at: HashMap<u64, Duration>,
    /// At how many accounts those with full buckets are looked for.
    sweep_at: usize,
}

/// The rate of an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// How long it takes until a token comes back; zero: there is no limit.
    pub(crate) delay: Duration,
    /// How many tokens there are, at least one.
    pub(crate) burst: u32,
}

/// The account has logged in too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooSoon {
    /// After how many seconds it may try again; at least 1.
    pub(crate) seconds: u64,
}

/// A token that was taken. It comes back unless it is [spent](Self::spend).
#[derive(Debug)]
#[must_use = "a token that is dropped comes back"]
pub(crate) struct Token<'a> {
    delays: &'a LoginDelays,
    tag: u64,
    cost: Duration,
}

impl LoginDelays {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }

    /// Takes a token of `key`'s at `now`, a monotonic time.
    pub(crate) fn take(
        &self,
        key: &AccountKey,
        rate: Rate,
        now: Duration,
    ) -> Result<Token<'_>, TooSoon> {
        let tag = self.hasher.hash_one(key);
        let mut token = Token { delays: self, tag, cost: Duration::ZERO };
        if rate.delay.is_zero() {
            return Ok(token);
        }
        let mut shard = self.shard(tag);
        let full_at = shard.full_at.get(&tag).copied().unwrap_or(now).max(now);
        // The bucket is empty when it takes this long to fill all but one of its places.
        let empty = rate.delay.saturating_mul(rate.burst.saturating_sub(1));
        let wait = full_at.saturating_sub(now).saturating_sub(empty);
        if !wait.is_zero() {
            let rounded = u64::from(wait.subsec_nanos() > 0);
            return Err(TooSoon { seconds: wait.as_secs().saturating_add(rounded) });
        }
        if shard.remember(tag, full_at.saturating_add(rate.delay), now) {
            token.cost = rate.delay;
        }
        Ok(token)
    }

    #[allow(clippy::cast_possible_truncation, reason = "the remainder is below 16")]
    fn shard(&self, tag: u64) -> MutexGuard<'_, Shard> {
        let shard = &self.shards[(tag % SHARDS as u64) as usize];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        let count = |shard: &Mutex<Shard>| shard.lock().unwrap().full_at.len();
        self.shards.iter().map(count).sum()
    }
}

impl Shard {
    /// `false` if there is no room: the login goes uncounted, for a customer must not be kept
    /// out because of how many others there are.
    fn remember(&mut self, tag: u64, full_at: Duration, now: Duration) -> bool {
        if self.full_at.len() >= self.sweep_at.max(SWEEP_MIN) {
            self.full_at.retain(|_, at| *at > now);
            self.sweep_at = self.full_at.len().saturating_mul(2).min(SHARD_MAX);
        }
        let room = self.full_at.len() < SHARD_MAX || self.full_at.contains_key(&tag);
        if room {
            self.full_at.insert(tag, full_at);
        }
        room
    }
}

impl Token<'_> {
    /// The login came to a session.
    pub(crate) fn spend(mut self) {
        self.cost = Duration::ZERO;
    }
}

impl Drop for Token<'_> {
    fn drop(&mut self) {
        if self.cost.is_zero() {
            return;
        }
        let mut shard = self.delays.shard(self.tag);
        if let Some(full_at) = shard.full_at.get_mut(&self.tag) {
            *full_at = full_at.saturating_sub(self.cost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const START: Duration = Duration::from_secs(86_400);

    fn key(login: &str) -> AccountKey {
        AccountKey::parse(login, None).unwrap()
    }

    fn rate(seconds: u64, burst: u32) -> Rate {
        Rate { delay: Duration::from_secs(seconds), burst }
    }

    fn log_in(delays: &LoginDelays, rate: Rate, at: Duration) -> Result<(), TooSoon> {
        delays.take(&key("aiko"), rate, at).map(Token::spend)
    }

    #[test]
    fn one_login_in_each_delay() {
        let delays = LoginDelays::new();
        let rate = rate(60, 1);
        log_in(&delays, rate, START).unwrap();
        assert_eq!(log_in(&delays, rate, START), Err(TooSoon { seconds: 60 }));
        let almost = START + Duration::from_millis(59_001);
        assert_eq!(log_in(&delays, rate, almost), Err(TooSoon { seconds: 1 }));
        log_in(&delays, rate, START + SECOND * 60).unwrap();
        // Being refused costs nothing.
        assert_eq!(log_in(&delays, rate, START + SECOND * 61), Err(TooSoon { seconds: 59 }));
        log_in(&delays, rate, START + SECOND * 500).unwrap();
        delays.take(&key("bea"), rate, START + SECOND * 500).unwrap().spend();
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let delays = LoginDelays::new();
        let rate = rate(60, 3);
        for _ in 0..3 {
            log_in(&delays, rate, START).unwrap();
        }
        assert_eq!(log_in(&delays, rate, START + SECOND), Err(TooSoon { seconds: 59 }));
        log_in(&delays, rate, START + SECOND * 60).unwrap();
        assert_eq!(log_in(&delays, rate, START + SECOND * 60), Err(TooSoon { seconds: 60 }));
        // The bucket holds no more than three, however long nobody comes.
        for _ in 0..3 {
            log_in(&delays, rate, START + SECOND * 90_000).unwrap();
        }
        assert!(log_in(&delays, rate, START + SECOND * 90_000).is_err());
    }

    #[test]
    fn a_token_that_is_not_spent_comes_back() {
        let delays = LoginDelays::new();
        let rate = rate(60, 1);
        for _ in 0..5 {
            drop(delays.take(&key("aiko"), rate, START).unwrap());
        }
        let held = delays.take(&key("aiko"), rate, START).unwrap();
        assert!(log_in(&delays, rate, START).is_err(), "another login has it");
        drop(held);
        log_in(&delays, rate, START).unwrap();
    }

    #[test]
    fn no_delay_remembers_nobody_and_a_changed_one_counts_at_once() {
        let delays = LoginDelays::new();
        for _ in 0..10 {
            log_in(&delays, rate(0, 1), START).unwrap();
        }
        assert_eq!(delays.remembered(), 0);
        log_in(&delays, rate(3600, 1), START).unwrap();
        log_in(&delays, rate(0, 1), START).unwrap();
    }

    #[test]
    fn accounts_are_forgotten_once_their_buckets_are_full() {
        let delays = LoginDelays::new();
        for number in 0..200_000_u32 {
            // A login a millisecond, each remembered for a second.
            let at = START + Duration::from_millis(number.into());
            delays.take(&key(&format!("u{number}")), rate(1, 1), at).unwrap().spend();
        }
        assert!(delays.remembered() <= SHARDS * SWEEP_MIN + 2000, "{}", delays.remembered());
    }

    #[test]
    fn there_is_a_bound_and_beyond_it_nobody_is_kept_out() {
        let mut shard = Shard::default();
        for tag in 0..SHARD_MAX as u64 {
            assert!(shard.remember(tag, SECOND * 9, SECOND));
        }
        assert!(!shard.remember(u64::MAX, SECOND * 9, SECOND));
        assert!(shard.remember(7, SECOND * 12, SECOND), "a known one is counted on");
        assert_eq!(shard.full_at.len(), SHARD_MAX);
        assert!(shard.remember(u64::MAX, SECOND * 19, SECOND * 10));
        assert_eq!(shard.full_at.len(), 2);
    }

    #[test]
    fn many_at_once_get_as_many_tokens_as_there_are() {
        let delays = LoginDelays::new();
        let granted: usize = std::thread::scope(|scope| {
            let tasks: Vec<_> = (0..8).map(|_| scope.spawn(|| log_in_often(&delays))).collect();
            tasks.into_iter().map(|task| task.join().unwrap()).sum()
        });
        assert_eq!(granted, 5);
    }

    fn log_in_often(delays: &LoginDelays) -> usize {
        (0..1000).filter(|_| log_in(delays, rate(60, 5), START).is_ok()).count()
    }
}
