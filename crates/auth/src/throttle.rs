//! Failed logins cost time: per network, per account, and hardly any for a customer who
//! merely has an old password in his telephone.
//!
//! Three bounded tables:
//! - *networks*: an IPv4 address or an IPv6 /64. Its failures lengthen the delay, and while
//!   the delay runs its further attempts are let through one after the other, not side by
//!   side, so that a thousand connections guess no faster than one.
//! - *accounts*, of unknown names too: their failures lengthen the delay from wherever they
//!   come. Attempts are held back side by side, because a queue here would let anybody lock a
//!   customer out.
//! - *pairs* of the two with a recent success: such a client is not held back for what others
//!   did to its account or at its address, until it fails itself a few times.
//!
//! The same wrong password for the same account again is known to be wrong: it is neither
//! hashed again nor does it lengthen any delay.

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use address::AccountKey;
use ipnet::IpNet;
use tokio::sync::Semaphore;

use crate::bounded::BoundedTable;
use crate::queue::Standing;
use crate::statistics::Counter;
use crate::{AuthConfig, Origin};

/// How long a success from a network vouches for the pair.
const SUCCESS_LASTS: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// So many different wrong passwords end it.
const PAIR_FAILURES_MAX: u32 = 3;
/// How many wrong passwords of an account are remembered: a household's old devices.
const WRONG_KEPT: usize = 4;
/// How many attempts may be held back at the same time, in all.
const SLEEPERS_MAX: usize = 8192;

/// The network that an attempt came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    V4(Ipv4Addr),
    /// The first 64 bits: what one customer gets (RFC 6177).
    V6([u8; 8]),
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// A keyed digest of the account's name, whether or not there is such an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tag(u64);

/// A keyed digest of account, record and a wrong password.
pub(crate) type WrongTag = [u8; 8];

/// Whom an attempt is counted for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    /// Nothing if the address may be many people's.
    pub(crate) source: Option<Source>,
    /// Nothing if the name cannot be an account's.
    pub(crate) account: Option<Tag>,
}

/// More attempts wait than may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overloaded;

#[derive(Clone, Copy, Default)]
struct Failures {
    /// Failures, decayed to the time of the last one.
    weight: f32,
    last: Duration,
    /// When the delay of the last one ends.
    free_at: Duration,
}

#[derive(Clone, Copy, Default)]
struct AccountFailures {
    failures: Failures,
    wrong: [Option<WrongTag>; WRONG_KEPT],
    next: u8,
}

#[derive(Clone, Copy, Default)]
struct Pair {
    last_success: Option<Duration>,
    failures: u32,
}

pub(crate) struct Throttle {
    delay: Duration,
    delay_max: Duration,
    half_life: Duration,
    shared_networks: Vec<IpNet>,
    hasher: RandomState,
    networks: BoundedTable<Source, Failures>,
    accounts: BoundedTable<Tag, AccountFailures>,
    pairs: BoundedTable<(Source, Tag), Pair>,
    sleepers: Semaphore,
    delayed: Counter,
}

impl Throttle {
    pub(crate) fn new(config: &AuthConfig) -> Self {
        Self {
            delay: config.failure_delay,
            delay_max: config.failure_delay_max,
            half_life: config.failure_half_life,
            shared_networks: config.shared_networks.clone(),
            hasher: RandomState::new(),
            networks: BoundedTable::new(config.failure_entries),
            accounts: BoundedTable::new(config.failure_entries),
            pairs: BoundedTable::new(config.failure_entries),
            sleepers: Semaphore::new(SLEEPERS_MAX),
            delayed: Counter::default(),
        }
    }

    pub(crate) fn subject(&self, origin: &Origin, key: Option<&AccountKey>) -> Subject {
        let client = origin.client.to_canonical();
        let shared = !origin.channel.genuine_address
            || self.shared_networks.iter().any(|network| network.contains(&client));
        Subject {
            source: if shared { None } else { Some(Source::from(client)) },
            account: key.map(|key| Tag(self.hasher.hash_one(key))),
        }
    }

    /// Whether the client has logged in to this account from this network lately, and has
    /// not failed at it since.
    pub(crate) fn standing(&self, subject: &Subject, now: Duration) -> Standing {
        let (Some(source), Some(account)) = (subject.source, subject.account) else {
            return Standing::Unknown;
        };
        let vouched = self.pairs.get(&(source, account)).is_some_and(|pair| {
            let recent = |at| now.saturating_sub(at) < SUCCESS_LASTS;
            pair.last_success.is_some_and(recent) && pair.failures < PAIR_FAILURES_MAX
        });
        if vouched { Standing::Known } else { Standing::Unknown }
    }

    /// How long an attempt has to wait before its password is looked at.
    ///
    /// # Errors
    /// If it would have to wait longer than the longest delay, because others of its network
    /// wait already.
    pub(crate) fn admit(
        &self,
        subject: &Subject,
        standing: Standing,
        now: Duration,
    ) -> Result<Duration, Overloaded> {
        if self.delay.is_zero() || standing == Standing::Known {
            return Ok(Duration::ZERO);
        }
        let of_account = subject.account.and_then(|account| self.accounts.get(&account));
        let account_wait =
            of_account.map_or(Duration::ZERO, |of| of.failures.free_at.saturating_sub(now));
        let Some(source) = subject.source else { return Ok(account_wait) };
        let network_wait = self.networks.update_known(source, |failures| {
            let wait = failures.free_at.saturating_sub(now);
            if wait > self.delay_max {
                return Err(Overloaded);
            }
            if !wait.is_zero() {
                // Its turn is taken: the next one of this network waits longer.
                failures.free_at += self.delay_of(self.decayed(failures, now));
            }
            Ok(wait)
        });
        Ok(network_wait.transpose()?.unwrap_or_default().max(account_wait))
    }

    /// Whether this very password failed lately, against the same record.
    pub(crate) fn is_known_wrong(&self, subject: &Subject, wrong: &WrongTag) -> bool {
        let of_account = subject.account.and_then(|account| self.accounts.get(&account));
        of_account.is_some_and(|of| of.wrong.contains(&Some(*wrong)))
    }

    /// Counts a failure; how long its answer is to be held back.
    pub(crate) fn failed(
        &self,
        subject: &Subject,
        standing: Standing,
        wrong: Option<&WrongTag>,
        now: Duration,
    ) -> Duration {
        let repeated = wrong.is_some_and(|wrong| self.is_known_wrong(subject, wrong));
        if repeated {
            return self.delay;
        }
        let mut longest = self.delay;
        if let Some(source) = subject.source {
            longest = longest.max(self.networks.update(source, |of| self.count(of, now)));
        }
        if let Some(account) = subject.account {
            longest = longest.max(self.accounts.update(account, |of| {
                if let Some(wrong) = wrong {
                    of.wrong[usize::from(of.next) % WRONG_KEPT] = Some(*wrong);
                    of.next = of.next.wrapping_add(1);
                }
                self.count(&mut of.failures, now)
            }));
        }
        let own = self.count_pair(subject);
        if standing == Standing::Known { self.delay_of(own as f32) } else { longest }
    }

    /// Remembers that the account's owner is at this network.
    pub(crate) fn succeeded(&self, subject: &Subject, now: Duration) {
        if let (Some(source), Some(account)) = (subject.source, subject.account) {
            self.pairs.update((source, account), |pair| {
                *pair = Pair { last_success: Some(now), failures: 0 };
            });
        }
    }

    /// Holds an attempt back; false, and at once, if too many are held back already.
    pub(crate) async fn hold_back(&self, delay: Duration) -> bool {
        if delay.is_zero() {
            return true;
        }
        let Ok(_place) = self.sleepers.try_acquire() else { return false };
        self.delayed.add();
        tokio::time::sleep(delay).await;
        true
    }

    /// How many answers were held back.
    pub(crate) fn delayed(&self) -> u64 {
        self.delayed.get()
    }

    fn count(&self, of: &mut Failures, now: Duration) -> Duration {
        of.weight = self.decayed(of, now) + 1.0;
        of.last = now;
        let delay = self.delay_of(of.weight);
        of.free_at = of.free_at.max(now + delay);
        delay
    }

    /// Failures of the pair since its last success.
    fn count_pair(&self, subject: &Subject) -> u32 {
        let (Some(source), Some(account)) = (subject.source, subject.account) else { return 0 };
        let counted = self.pairs.update_known((source, account), |pair| {
            pair.failures = pair.failures.saturating_add(1);
            pair.failures
        });
        counted.unwrap_or(0)
    }

    fn decayed(&self, of: &Failures, now: Duration) -> f32 {
        let passed = now.saturating_sub(of.last).as_secs_f32();
        of.weight * (-passed / self.half_life.as_secs_f32()).exp2()
    }

    /// The first failure costs the delay, each further one doubles it up to the longest.
    fn delay_of(&self, weight: f32) -> Duration {
        let factor = (weight - 1.0).clamp(0.0, 30.0).exp2();
        self.delay.mul_f32(factor).min(self.delay_max)
    }
}
