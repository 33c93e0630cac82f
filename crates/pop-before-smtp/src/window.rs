//! The window: which account fetched mail from which address, and when.
//!
//! A concurrent map leads from an address to its grants; the grants themselves lie in lanes
//! by account, so that those of an account are found too. A grant takes one record of 64
//! octets; `examples/window.rs` measures the whole.
//!
//! Whether a grant is live is decided when it is used, by monotonic time. Sweeping only frees
//! memory, a few records at a time; nothing depends on it.
//!
//! Order of locks: the map's shard of one address, then one lane. Never two of a kind.

mod chain;
mod lane;
mod record;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use address::AccountKey;
use dashmap::{DashMap, Entry};

use crate::config::Quota;
use crate::network::AddressKey;
use lane::Lane;
pub use record::Grant;
use record::{NONE, Record};

/// Lanes; a power of two. Many, so that the growth of one is short.
const LANES: usize = 256;
/// Shards of the map. Many, so that the growth of one is short.
const SHARDS: usize = 256;
/// Records that each publication looks at to free expired ones.
const SWEPT_PER_PUBLICATION: usize = 4;
/// Records of which the oldest goes when the window is full.
const EVICTION_SAMPLE: usize = 16;
/// Records looked at in one go, while their lane is locked.
const STEP: usize = 256;

/// Bounds of the window; all at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a grant lives from the login on; at its very end it is over.
    pub window: Duration,
    /// Grants in all.
    pub entries_max: usize,
    /// Grants of one address; one more pushes out the oldest.
    pub per_address: usize,
    /// Grants of one account; one more pushes out the oldest.
    pub per_account: usize,
}

/// What a publication did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// A new grant.
    New,
    /// A live one begins anew.
    Refreshed,
    /// The window is full of younger grants.
    Full,
}

/// Why a use was not reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreserved {
    /// The grant is not there any more.
    Gone,
    /// Its messages are used up.
    Messages,
    /// Its recipients are used up.
    Recipients,
    /// It is pinned to another HELO.
    Helo,
}

/// Which grants a revocation means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which<'a> {
    Account(&'a AccountKey),
    Address(AddressKey),
    All,
}

/// All grants.
pub struct Window {
    heads: DashMap<AddressKey, u32>,
    lanes: Box<[Mutex<Lane>]>,
    live: AtomicUsize,
    serials: AtomicU32,
    /// Keyed by chance, so that nobody chooses names that meet in one bucket.
    hasher: RandomState,
    sweeping: AtomicUsize,
    evicting: AtomicUsize,
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

impl Window {
    /// An empty window.
    #[must_use]
    pub fn new() -> Self {
        Self {
            heads: DashMap::with_shard_amount(SHARDS),
            lanes: (0..LANES).map(|_| Mutex::new(Lane::default())).collect(),
            live: AtomicUsize::new(0),
            serials: AtomicU32::new(0),
            hasher: RandomState::new(),
            sweeping: AtomicUsize::new(0),
            evicting: AtomicUsize::new(0),
        }
    }

    /// Grants in memory, expired ones that were not swept yet included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `account` has logged in from `address` at `now`.
    pub fn publish(
        &self,
        address: AddressKey,
        account: &AccountKey,
        now: Duration,
        limits: &Limits,
    ) -> Publication {
        let hash = self.hasher.hash_one(account);
        // An eviction may lose its place to another publisher; a few tries are enough.
        for _ in 0..8 {
            let done = self.try_publish(address, account, hash, now, limits);
            if done == Publication::Full && self.evict(now, limits.window) {
                continue;
            }
            if done == Publication::New {
                self.bound_account(account, hash, limits);
            }
            self.sweep_lane(lane_of(hash), SWEPT_PER_PUBLICATION, now, limits.window);
            return done;
        }
        Publication::Full
    }

    fn try_publish(
        &self,
        address: AddressKey,
        account: &AccountKey,
        hash: u64,
        now: Duration,
        limits: &Limits,
    ) -> Publication {
        let entry = self.heads.entry(address);
        let head = match &entry {
            Entry::Occupied(occupied) => *occupied.get(),
            Entry::Vacant(_) => NONE,
        };
        let chain = self.chain(head);
        if let Some(link) = chain.iter().find(|link| link.account == *account) {
            let serial = self.serial();
            let mut lane = self.lane(link.id);
            let record = lane.get_mut(index_of(link.id));
            let was_live = record.is_some_and(|r| r.refresh(now, limits.window, serial));
            return if was_live { Publication::Refreshed } else { Publication::New };
        }
        let kept = self.make_room(chain, now, limits);
        let free = |live: usize| (live < limits.entries_max).then_some(live + 1);
        let done = match self.live.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free) {
            Ok(_) => Publication::New,
            Err(_) => Publication::Full,
        };
        let next = self.relink(&kept);
        let head = match done {
            Publication::New => {
                let record = Record::new(address, account.clone(), now, self.serial(), next);
                let lane = lane_of(hash);
                let hash_of = |account: &AccountKey| self.hasher.hash_one(account);
                id_of(lane, lock(&self.lanes[lane]).insert(record, hash, hash_of))
            }
            _ => next,
        };
        match (entry, head) {
            (Entry::Occupied(occupied), NONE) => _ = occupied.remove(),
            (Entry::Vacant(_), NONE) => {}
            (Entry::Occupied(mut occupied), head) => _ = occupied.insert(head),
            (Entry::Vacant(vacant), head) => _ = vacant.insert(head),
        }
        done
    }

    /// The live grants of `address` at `now`.
    #[must_use]
    pub fn grants_of(&self, address: AddressKey, now: Duration, window: Duration) -> Vec<Grant> {
        let Some(head) = self.heads.get(&address) else { return Vec::new() };
        let mut grants = Vec::with_capacity(1);
        let mut id = *head;
        while id != NONE {
            let lane = self.lane(id);
            let Some(record) = lane.get(index_of(id)) else { break };
            grants.extend(record.grant(id).filter(|grant| grant.is_live(now, window)));
            id = record.next_on_address;
        }
        grants
    }

    /// What a HELO name is remembered by; equal for names that differ in case only.
    #[must_use]
    pub fn helo_mark(&self, helo: &str) -> u32 {
        let hash = self.hasher.hash_one(helo.trim().to_ascii_lowercase());
        // 0 stands for none.
        (hash as u32).max(1)
    }

    /// Takes one message and up to `quota.recipients_per_message` recipients from a grant's
    /// quota, and pins it to `helo` if that is given. Returns the recipients taken.
    ///
    /// # Errors
    /// Why it was not taken; then nothing was.
    pub fn reserve(
        &self,
        grant: &Grant,
        quota: &Quota,
        helo: Option<u32>,
    ) -> Result<u16, Unreserved> {
        let mut lane = self.lane(grant.id);
        let record = lane.get_mut(index_of(grant.id)).filter(|record| record.is(grant));
        record.ok_or(Unreserved::Gone)?.reserve(quota, helo)
    }

    /// Gives back what a transaction reserved and did not use: `used` is the number of
    /// recipients of its message, or `None` if no message was accepted.
    pub fn settle(&self, grant: &Grant, reserved: u16, used: Option<u32>) {
        let mut lane = self.lane(grant.id);
        if let Some(record) = lane.get_mut(index_of(grant.id)).filter(|record| record.is(grant)) {
            record.settle(reserved, used);
        }
    }

    /// Ends grants; returns how many.
    pub(crate) fn revoke(&self, which: Which<'_>) -> usize {
        match which {
            Which::Address(address) => self.revoke_address(address),
            Which::Account(account) => {
                let hash = self.hasher.hash_one(account);
                let lane = lane_of(hash);
                let found = lock(&self.lanes[lane]).of_account(account, hash, lane);
                found.iter().filter(|(address, grant)| self.remove(*address, grant)).count()
            }
            Which::All => {
                let mut found = Vec::new();
                self.visit(|address, grant| {
                    found.push((address, grant));
                    ControlFlow::Continue(())
                });
                found.iter().filter(|(address, grant)| self.remove(*address, grant)).count()
            }
        }
    }

    /// Shows every grant, expired ones too. Each lane is locked for a few records at a time.
    pub(crate) fn visit(&self, mut each: impl FnMut(AddressKey, Grant) -> ControlFlow<()>) {
        for (number, lane) in self.lanes.iter().enumerate() {
            for start in (0..).step_by(STEP) {
                let some: Vec<_> = {
                    let lane = lock(lane);
                    if start >= lane.len() {
                        break;
                    }
                    let indices = start..(start + STEP).min(lane.len());
                    indices.filter_map(|index| lane.shown(index as u32, number)).collect()
                };
                for (address, grant) in some {
                    if each(address, grant).is_break() {
                        return;
                    }
                }
            }
        }
    }

    /// Looks at a few records and frees the expired ones; the next call goes on. Returns how
    /// many were freed. No lock is held for long, however much there is.
    pub fn sweep(&self, now: Duration, window: Duration) -> usize {
        let lane = self.sweeping.fetch_add(1, Ordering::Relaxed) % LANES;
        self.sweep_lane(lane, STEP, now, window)
    }

    fn sweep_lane(&self, number: usize, records: usize, now: Duration, window: Duration) -> usize {
        let expired = {
            let mut lane = lock(&self.lanes[number]);
            lane.next_records(records, number, |record| !record.is_live(now, window))
        };
        let is_over = |record: &Record| !record.is_live(now, window);
        expired.iter().filter(|(address, grant)| self.remove_if(*address, grant, is_over)).count()
    }

    /// Ends the oldest of a few grants. Whether one was found.
    fn evict(&self, now: Duration, window: Duration) -> bool {
        let first = self.evicting.fetch_add(1, Ordering::Relaxed);
        for number in (0..LANES).map(|n| (first + n) % LANES) {
            let seen = lock(&self.lanes[number]).next_records(EVICTION_SAMPLE, number, |_| true);
            let oldest = seen.iter().min_by_key(|(_, grant)| grant.login);
            if let Some((address, grant)) = oldest {
                tracing::debug!(
                    address = %address.address(),
                    account = %grant.account,
                    live = grant.is_live(now, window),
                    "grant evicted: the window is full"
                );
                return self.remove(*address, grant);
            }
        }
        false
    }

    /// Ends the oldest grants of an account that has too many.
    fn bound_account(&self, account: &AccountKey, hash: u64, limits: &Limits) {
        let lane = lane_of(hash);
        let mut found = lock(&self.lanes[lane]).of_account(account, hash, lane);
        let excess = found.len().saturating_sub(limits.per_account);
        if excess == 0 {
            return;
        }
        found.sort_unstable_by_key(|(_, grant)| (grant.login, grant.serial));
        for (address, grant) in found.iter().take(excess) {
            self.remove(*address, grant);
        }
    }

    fn serial(&self) -> u32 {
        self.serials.fetch_add(1, Ordering::Relaxed)
    }

    fn lane(&self, id: u32) -> MutexGuard<'_, Lane> {
        lock(&self.lanes[id as usize % LANES])
    }
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Window").field("grants", &self.len()).finish_non_exhaustive()
    }
}

/// A lane stays usable when a thread died while it held it: every change is complete at once.
fn lock(lane: &Mutex<Lane>) -> MutexGuard<'_, Lane> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lane_of(hash: u64) -> usize {
    // The low bits choose the bucket within the lane.
    (hash >> 32) as usize % LANES
}

fn id_of(lane: usize, index: u32) -> u32 {
    index * LANES as u32 + lane as u32
}

fn index_of(id: u32) -> u32 {
    id / LANES as u32
}
