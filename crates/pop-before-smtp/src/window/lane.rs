//! One lane of the window: records that never move, found again by their account.

use address::AccountKey;

use super::id_of;
use super::record::{Grant, NONE, Record};
use crate::network::AddressKey;

/// Records of one allocation: growing never copies a record.
const CHUNK: usize = 64;
const BUCKETS_MIN: usize = 16;

/// Records of the accounts whose hashes fall into this lane.
#[derive(Debug, Default)]
pub(super) struct Lane {
    chunks: Vec<Vec<Record>>,
    /// First of the free records.
    free: Option<u32>,
    /// First record of each bucket of accounts; a power of two of them, at least one a record.
    buckets: Vec<u32>,
    taken: usize,
    /// Where sweeping and evicting go on.
    hand: usize,
}

impl Lane {
    /// Records, free ones included: indices go from 0 to this.
    pub(super) fn len(&self) -> usize {
        match self.chunks.split_last() {
            Some((last, full)) => full.len() * CHUNK + last.len(),
            None => 0,
        }
    }

    pub(super) fn get(&self, index: u32) -> Option<&Record> {
        self.chunks.get(index as usize / CHUNK)?.get(index as usize % CHUNK)
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Record> {
        self.chunks.get_mut(index as usize / CHUNK)?.get_mut(index as usize % CHUNK)
    }

    /// Takes a record in; returns its index.
    pub(super) fn insert(
        &mut self,
        mut record: Record,
        hash: u64,
        hash_of: impl Fn(&AccountKey) -> u64,
    ) -> u32 {
        self.grow(hash_of);
        let bucket = self.bucket(hash);
        record.next_in_lane = std::mem::replace(&mut self.buckets[bucket], NONE);
        let index = match self.free {
            Some(index) => {
                if let Some(place) = self.get_mut(index) {
                    let free = std::mem::replace(place, record);
                    self.free = Some(free.next_in_lane).filter(|next| *next != NONE);
                }
                index
            }
            None => self.push(record),
        };
        self.buckets[bucket] = index;
        self.taken += 1;
        index
    }

    fn push(&mut self, record: Record) -> u32 {
        let index = self.len() as u32;
        match self.chunks.last_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => chunk.push(record),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(record);
                self.chunks.push(chunk);
            }
        }
        index
    }

    /// Frees a record. Its address must not lead to it any more once the lane is unlocked.
    pub(super) fn release(&mut self, index: u32, hash: u64) {
        let Some(record) = self.get(index).filter(|record| record.account.is_some()) else {
            return;
        };
        let next = record.next_in_lane;
        let bucket = self.bucket(hash);
        if self.buckets[bucket] == index {
            self.buckets[bucket] = next;
        } else {
            let mut before = self.buckets[bucket];
            while let Some(record) = self.get_mut(before) {
                if record.next_in_lane == index {
                    record.next_in_lane = next;
                    break;
                }
                before = record.next_in_lane;
            }
        }
        let free = self.free.unwrap_or(NONE);
        if let Some(record) = self.get_mut(index) {
            record.account = None;
            record.next_in_lane = free;
            self.free = Some(index);
            self.taken -= 1;
        }
    }

    /// The grants of an account.
    pub(super) fn of_account(
        &self,
        account: &AccountKey,
        hash: u64,
        lane: usize,
    ) -> Vec<(AddressKey, Grant)> {
        let mut found = Vec::new();
        if self.buckets.is_empty() {
            return found;
        }
        let mut index = self.buckets[self.bucket(hash)];
        while let Some(record) = self.get(index) {
            if record.account.as_ref() == Some(account) {
                found.extend(self.shown(index, lane));
            }
            index = record.next_in_lane;
        }
        found
    }

    /// The grant of a record, unless that is free.
    pub(super) fn shown(&self, index: u32, lane: usize) -> Option<(AddressKey, Grant)> {
        let record = self.get(index)?;
        Some((record.address, record.grant(id_of(lane, index))?))
    }

    /// Looks at the next few records, round and round, and shows those that are `wanted`.
    pub(super) fn next_records(
        &mut self,
        records: usize,
        lane: usize,
        wanted: impl Fn(&Record) -> bool,
    ) -> Vec<(AddressKey, Grant)> {
        let len = self.len();
        let mut found = Vec::new();
        for _ in 0..records.min(len) {
            self.hand = (self.hand + 1) % len;
            let index = self.hand as u32;
            let taken = self.get(index).filter(|record| record.account.is_some());
            if taken.is_some_and(&wanted) {
                found.extend(self.shown(index, lane));
            }
        }
        found
    }

    fn bucket(&self, hash: u64) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }

    /// As many buckets as records, at least.
    fn grow(&mut self, hash_of: impl Fn(&AccountKey) -> u64) {
        if self.taken < self.buckets.len() {
            return;
        }
        let wanted = (self.buckets.len() * 2).max(BUCKETS_MIN);
        self.buckets = vec![NONE; wanted];
        for index in 0..self.len() as u32 {
            let Some(hash) = self.get(index).and_then(|r| r.account.as_ref()).map(&hash_of) else {
                continue;
            };
            let bucket = self.bucket(hash);
            let first = std::mem::replace(&mut self.buckets[bucket], index);
            if let Some(record) = self.get_mut(index) {
                record.next_in_lane = first;
            }
        }
    }
}
