//! Failed logins cost time: per network, per account, and hardly any for a customer who
//! merely has an old password in his telephone.
//!
//! Bounded tables, none of which is ever searched for a login:
//! - *networks*: an IPv4 address and its /24, an IPv6 /64 and its /48. Failures lengthen the
//!   delay of an address, and of a /64 and /48, and while the delay runs further attempts are let
//!   through one after the other, not side by side, so that a thousand connections guess no
//!   faster than one. Too many failures, or at too many different accounts, block the network.
//! - *accounts*, of unknown names too: their failures lengthen the delay from wherever they
//!   come. Attempts are held back side by side, because a queue here would let anybody lock a
//!   customer out. From too many different networks, they are an attack: then strangers wait
//!   longer, and few of them at a time.
//! - *pairs* of the two with a recent success: such a client is not held back for what others
//!   did to its account or at its address, blocked or not, until it fails itself a few times.
//! - *pressure*: networks that try again and again without a success. They are served last.
//!
//! The same wrong password for the same account again is known to be wrong: it is neither
//! hashed again nor does it lengthen any delay or count for anything.

mod account;
mod blocks;
mod chronicle;
mod counting;
mod network;
mod place;
mod shared;
mod sketch;
mod source;
#[cfg(test)]
mod tests;
mod window;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use address::AccountKey;
use ipnet::IpNet;
use tokio::sync::Semaphore;

use crate::bounded::BoundedTable;
use crate::queue::Standing;
use crate::statistics::Counter;
use crate::{AttackConfig, AuthConfig, FailureShare, Moment, Origin, ShareKey};
use account::OfAccount;
use blocks::Blocks;
use chronicle::Chronicle;
use network::OfNetwork;
pub(crate) use place::Place;
use place::Places;
pub(crate) use source::Source;

/// How long a success from a network vouches for the pair.
const SUCCESS_LASTS: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// So many different wrong passwords end it.
const PAIR_FAILURES_MAX: u32 = 3;
/// How many attempts may be held back at the same time, in all.
const SLEEPERS_MAX: usize = 8192;
/// How many of them from one network.
const TURNS_MAX: u32 = 8;
/// So many attempts in a row without a success make a network suspect; one is forgiven in
/// [`PRESSURE_FALLS`].
const PRESSURE_MAX: f32 = 1.5;
const PRESSURE_FALLS: Duration = Duration::from_secs(2);
/// So many failures, beyond those that customers make up for, make a network suspect.
const SUSPECT_WEIGHT: f32 = 2.0;

/// A keyed digest of the account's name, whether or not there is such an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Tag(pub(crate) u64);

/// A keyed digest of account, record and a wrong password.
pub(crate) type WrongTag = [u8; 8];

/// Whom an attempt is counted for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    /// Nothing if the address may be many people's.
    pub(crate) source: Option<Source>,
    /// Nothing if the name cannot be an account's.
    pub(crate) account: Option<Tag>,
    /// Whether nothing counts that comes from there.
    pub(crate) trusted: bool,
}

/// Why an attempt is not looked at: the stable word in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutOff {
    /// More attempts of its network wait than may.
    Overloaded,
    /// Its network is blocked.
    Blocked,
    /// Its account is attacked, and enough strangers wait already.
    Attacked,
}

impl PutOff {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Overloaded => "too-many-held-back",
            Self::Blocked => "network-blocked",
            Self::Attacked => "account-attacked",
        }
    }
}

/// An attempt that may go on, after a wait.
pub(crate) struct Admitted {
    pub(crate) wait: Duration,
    /// Held while it waits at an account that is attacked.
    pub(crate) place: Option<Place>,
}

/// A failure that was counted, or was not.
pub(crate) struct Counted {
    /// How long its answer is to be held back.
    pub(crate) delay: Duration,
    /// Whether it repeats an earlier one, and counts for nothing.
    pub(crate) repeated: bool,
}

#[derive(Clone, Copy, Default)]
struct Failures {
    /// Failures, decayed to the time of the last one.
    weight: f32,
    last: Duration,
    /// When the delay of the last one ends.
    free_at: Duration,
}

#[derive(Clone, Copy, Default)]
struct Pair {
    last_success: Option<Duration>,
    /// When others were told of it.
    shared: Option<Duration>,
    failures: u32,
}

#[derive(Clone, Copy, Default)]
struct Pressure {
    level: f32,
    last: Duration,
}

pub(crate) struct Throttle {
    delay: Duration,
    delay_max: Duration,
    half_life: Duration,
    shared_networks: Vec<IpNet>,
    rules: AttackConfig,
    hasher: RandomState,
    /// Names accounts in its place once failures are shared.
    names: OnceLock<ShareKey>,
    share: OnceLock<Arc<dyn FailureShare>>,
    networks: BoundedTable<Source, OfNetwork>,
    accounts: BoundedTable<Tag, OfAccount>,
    pairs: BoundedTable<(Source, Tag), Pair>,
    pressure: BoundedTable<Source, Pressure>,
    blocks: Blocks,
    chronicle: Chronicle,
    places: Places,
    sleepers: Semaphore,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    delayed: Counter,
    blocked: Counter,
    blocks: Counter,
    sprayings: Counter,
    attacked: Counter,
    attacked_refused: Counter,
    heard: Counter,
}

impl Throttle {
    pub(crate) fn new(config: &AuthConfig) -> Self {
        let entries = config.failure_entries;
        Self {
            delay: config.failure_delay,
            delay_max: config.failure_delay_max,
            half_life: config.failure_half_life,
            shared_networks: config.shared_networks.clone(),
            rules: config.attack.clone(),
            hasher: RandomState::new(),
            names: OnceLock::new(),
            share: OnceLock::new(),
            networks: BoundedTable::new(entries),
            accounts: BoundedTable::new(entries),
            pairs: BoundedTable::new(entries),
            pressure: BoundedTable::new(entries),
            blocks: Blocks::new(&config.attack, entries),
            chronicle: Chronicle::default(),
            places: Places::new(config.attack.attacked_waiting),
            sleepers: Semaphore::new(SLEEPERS_MAX),
            counts: Counts::default(),
        }
    }

    pub(crate) fn subject(&self, origin: &Origin, key: Option<&AccountKey>) -> Subject {
        let client = origin.client.to_canonical();
        let within = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&client));
        let genuine = origin.channel.genuine_address;
        let shared = !genuine || within(&self.shared_networks);
        Subject {
            source: if shared { None } else { Some(Source::from(client)) },
            account: key.map(|key| self.tag(key.as_str())),
            trusted: genuine && within(&self.rules.trusted_networks),
        }
    }

    fn tag(&self, name: &str) -> Tag {
        match self.names.get() {
            Some(key) => Tag(key.tag(name).0),
            None => Tag(self.hasher.hash_one(name)),
        }
    }

    /// Who is served first: a client that has logged in to this account from this network
    /// lately, and has not failed at it since; last, one of a network that does nothing but
    /// fail, and a stranger at an account that is attacked.
    pub(crate) fn standing(&self, subject: &Subject, now: Duration) -> Standing {
        if subject.trusted {
            return Standing::Known;
        }
        let (Some(source), Some(account)) = (subject.source, subject.account) else {
            return self.standing_of_account(subject, now);
        };
        let vouched = self.pairs.get(&(source, account)).is_some_and(|pair| {
            let recent = |at| now.saturating_sub(at) < SUCCESS_LASTS;
            pair.last_success.is_some_and(recent) && pair.failures < PAIR_FAILURES_MAX
        });
        if vouched {
            return Standing::Known;
        }
        if self.presses(source, now) || self.fails(source, now) {
            return Standing::Suspect;
        }
        self.standing_of_account(subject, now)
    }

    fn standing_of_account(&self, subject: &Subject, now: Duration) -> Standing {
        let of = subject.account.and_then(|account| self.accounts.get(&account));
        match of.is_some_and(|of| of.is_attacked(now)) {
            true => Standing::Suspect,
            false => Standing::Unknown,
        }
    }

    /// Whether its network tries and tries.
    fn presses(&self, source: Source, now: Duration) -> bool {
        let of = self.pressure.get(&source.fair());
        of.is_some_and(|of| pressure(&of, now) > PRESSURE_MAX)
    }

    /// Whether its network has failed of late, more than its customers make up for.
    fn fails(&self, source: Source, now: Duration) -> bool {
        let fails = |source: Source| {
            let of = self.networks.get(&source);
            of.is_some_and(|of| self.weight_of(source, &of, now) >= SUSPECT_WEIGHT)
        };
        fails(source) || (source.fair() != source && fails(source.fair()))
    }

    /// Whether an attempt may go on, and how long it has to wait before its password is looked
    /// at.
    ///
    /// # Errors
    /// If it is not to be looked at now.
    pub(crate) fn admit(
        &self,
        subject: &Subject,
        standing: Standing,
        at: Moment,
    ) -> Result<Admitted, PutOff> {
        let now = at.mono;
        if subject.trusted || standing == Standing::Known {
            return Ok(Admitted { wait: Duration::ZERO, place: None });
        }
        if subject.source.is_some_and(|source| self.blocks.hold(source, now)) {
            self.counts.blocked.add();
            return Err(PutOff::Blocked);
        }
        if let Some(source) = subject.source {
            self.pressure.update(source.fair(), |of| {
                *of = Pressure { level: pressure(of, now) + 1.0, last: now };
            });
        }
        if self.delay.is_zero() {
            return Ok(Admitted { wait: Duration::ZERO, place: None });
        }
        let (account_wait, place) = self.wait_of_account(subject, now)?;
        let mut wait = account_wait;
        if let Some(source) = subject.source {
            wait = wait.max(self.turn_of(source, at)?);
            if source.fair() != source {
                wait = wait.max(self.turn_of(source.fair(), at)?);
            }
        }
        Ok(Admitted { wait, place })
    }

    fn wait_of_account(
        &self,
        subject: &Subject,
        now: Duration,
    ) -> Result<(Duration, Option<Place>), PutOff> {
        let Some(account) = subject.account else { return Ok((Duration::ZERO, None)) };
        let Some(of) = self.accounts.get(&account) else { return Ok((Duration::ZERO, None)) };
        let wait = of.failures.free_at.saturating_sub(now);
        if !of.is_attacked(now) {
            return Ok((wait, None));
        }
        // A network that fails elsewhere, too, leaves room to those that do not.
        let suspect = subject.source.is_some_and(|source| self.fails(source, now));
        let Some(place) = self.places.take(account, suspect) else {
            self.counts.attacked_refused.add();
            return Err(PutOff::Attacked);
        };
        Ok((wait.max(self.rules.attacked_delay), Some(place)))
    }

    /// The wait until the network's turn, which is thereby taken.
    fn turn_of(&self, source: Source, at: Moment) -> Result<Duration, PutOff> {
        let now = at.mono;
        let turn = self.networks.update_known(source, |of| {
            let wait = of.failures.free_at.saturating_sub(now);
            if wait.is_zero() {
                return Ok(wait);
            }
            let delay = self.delay_of(self.weight_of(source, of, now));
            if wait > self.delay_max.min(delay.saturating_mul(TURNS_MAX)) {
                of.note(None, now, &self.rules);
                return Err(of.offence(source, &self.rules));
            }
            // Its turn is taken: the next one of this network waits longer.
            of.failures.free_at += delay;
            Ok(wait)
        });
        match turn {
            None => Ok(Duration::ZERO),
            Some(Ok(wait)) => Ok(wait),
            Some(Err(offence)) => {
                if let Some(offence) = offence {
                    self.block(source, offence, at);
                }
                Err(PutOff::Overloaded)
            }
        }
    }

    /// Whether this very password failed lately, against the same record.
    pub(crate) fn is_known_wrong(&self, subject: &Subject, wrong: &WrongTag) -> bool {
        let of_account = subject.account.and_then(|account| self.accounts.get(&account));
        of_account.is_some_and(|of| of.knows_wrong(wrong))
    }

    /// Holds an attempt back; false, and at once, if too many are held back already.
    pub(crate) async fn hold_back(&self, delay: Duration) -> bool {
        if delay.is_zero() {
            return true;
        }
        let Ok(_place) = self.sleepers.try_acquire() else { return false };
        self.counts.delayed.add();
        tokio::time::sleep(delay).await;
        true
    }

    fn decayed(&self, of: &Failures, now: Duration) -> f32 {
        let passed = now.saturating_sub(of.last).as_secs_f32();
        of.weight * (-passed / self.half_life.as_secs_f32()).exp2()
    }

    /// What speaks against the network at present, beyond what its customers make up for.
    fn weight_of(&self, source: Source, of: &OfNetwork, now: Duration) -> f32 {
        let weight = self.decayed(&of.failures, now);
        let weight = if source.is_wide() { weight / self.rules.wide_factor as f32 } else { weight };
        (weight - of.customers() as f32).max(weight.min(1.0))
    }

    /// The first failure costs the delay, each further one doubles it up to the longest.
    fn delay_of(&self, weight: f32) -> Duration {
        let factor = (weight - 1.0).clamp(0.0, 30.0).exp2();
        self.delay.mul_f32(factor).min(self.delay_max)
    }
}

fn pressure(of: &Pressure, now: Duration) -> f32 {
    let passed = now.saturating_sub(of.last).as_secs_f32();
    (of.level - passed / PRESSURE_FALLS.as_secs_f32()).max(0.0)
}
