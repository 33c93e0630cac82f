//! The grants of one address: a list through the lanes, guarded by the address's shard.

use std::hash::BuildHasher;
use std::sync::atomic::Ordering;
use std::time::Duration;

use address::AccountKey;
use dashmap::Entry;

use super::record::{Grant, NONE, Record};
use super::{Limits, Window, index_of};
use crate::network::AddressKey;

/// One grant of an address.
pub(super) struct Link {
    pub(super) id: u32,
    pub(super) account: AccountKey,
    login: Duration,
}

impl Window {
    /// The grants that begin at `head`. The caller holds the shard of their address.
    pub(super) fn chain(&self, head: u32) -> Vec<Link> {
        let mut chain = Vec::new();
        let mut id = head;
        while id != NONE {
            let lane = self.lane(id);
            let Some(record) = lane.get(index_of(id)) else { break };
            if let Some(account) = record.account.clone() {
                chain.push(Link { id, account, login: record.login() });
            }
            id = record.next_on_address;
        }
        chain
    }

    /// Frees the expired ones, and the oldest if there would be too many with one more.
    /// Returns those that stay; they are not linked yet.
    pub(super) fn make_room(&self, chain: Vec<Link>, now: Duration, limits: &Limits) -> Vec<u32> {
        let (mut kept, expired): (Vec<_>, Vec<_>) =
            chain.into_iter().partition(|link| now < link.login.saturating_add(limits.window));
        for link in expired {
            self.release(&link);
        }
        while kept.len() >= limits.per_address.max(1) {
            let oldest = kept.iter().enumerate().min_by_key(|(_, link)| link.login);
            let Some(oldest) = oldest.map(|(n, _)| n) else { break };
            let link = kept.remove(oldest);
            self.release(&link);
        }
        kept.into_iter().map(|link| link.id).collect()
    }

    /// Links `ids` in this order; returns the first.
    pub(super) fn relink(&self, ids: &[u32]) -> u32 {
        let nexts = ids.iter().skip(1).copied().chain([NONE]);
        for (id, next) in ids.iter().zip(nexts) {
            if let Some(record) = self.lane(*id).get_mut(index_of(*id)) {
                record.next_on_address = next;
            }
        }
        ids.first().copied().unwrap_or(NONE)
    }

    fn release(&self, link: &Link) {
        let hash = self.hasher.hash_one(&link.account);
        self.lane(link.id).release(index_of(link.id), hash);
        self.live.fetch_sub(1, Ordering::Relaxed);
    }

    /// Ends a grant, if it still is the one that was seen.
    pub(super) fn remove(&self, address: AddressKey, grant: &Grant) -> bool {
        self.remove_if(address, grant, |_| true)
    }

    /// Ends a grant, if it still is the one that was seen and `condition` holds.
    pub(super) fn remove_if(
        &self,
        address: AddressKey,
        grant: &Grant,
        condition: impl Fn(&Record) -> bool,
    ) -> bool {
        let Entry::Occupied(mut entry) = self.heads.entry(address) else { return false };
        let chain = self.chain(*entry.get());
        if !chain.iter().any(|link| link.id == grant.id) {
            return false;
        }
        {
            let mut lane = self.lane(grant.id);
            let record = lane.get(index_of(grant.id));
            if !record.is_some_and(|record| record.is(grant) && condition(record)) {
                return false;
            }
            lane.release(index_of(grant.id), self.hasher.hash_one(&grant.account));
        }
        self.live.fetch_sub(1, Ordering::Relaxed);
        let kept: Vec<_> = chain.iter().map(|link| link.id).filter(|id| *id != grant.id).collect();
        match self.relink(&kept) {
            NONE => _ = entry.remove(),
            head => _ = entry.insert(head),
        }
        true
    }

    /// Ends all grants of an address; returns how many.
    pub(super) fn revoke_address(&self, address: AddressKey) -> usize {
        let Entry::Occupied(entry) = self.heads.entry(address) else { return 0 };
        let chain = self.chain(*entry.get());
        for link in &chain {
            self.release(link);
        }
        entry.remove();
        chain.len()
    }
}
